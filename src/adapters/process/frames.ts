/** What passes between the worker and its spawn helper: a header as JSON, and bytes. */
export interface Frame {
  readonly header: unknown;
  readonly payload: Buffer;
}

const LENGTHS = 8;

/** A frame as bytes: the length of the header, the length of the payload, header, payload. */
export function encodeFrame(header: object, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const text = Buffer.from(JSON.stringify(header), "utf8");
  const lengths = Buffer.alloc(LENGTHS);
  lengths.writeUInt32BE(text.length, 0);
  lengths.writeUInt32BE(payload.length, 4);
  return Buffer.concat([lengths, text, payload]);
}

/** Puts frames together from a stream that is cut anywhere. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #size = 0;

  /** Takes the next bytes; returns the frames that they complete. */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#take(); frame !== null; frame = this.#take()) frames.push(frame);
    return frames;
  }

  #take(): Frame | null {
    if (this.#size < LENGTHS) return null;
    const lengths = this.#joined();
    const headerEnd = LENGTHS + lengths.readUInt32BE(0);
    const end = headerEnd + lengths.readUInt32BE(4);
    if (this.#size < end) return null;
    const all = this.#joined(end);
    this.#chunks = [all.subarray(end)];
    this.#size = all.length - end;
    return {
      header: JSON.parse(all.toString("utf8", LENGTHS, headerEnd)),
      payload: all.subarray(headerEnd, end),
    };
  }

  /** The bytes so far, at least `size` of them, in one piece; a large frame is joined once, when it is complete. */
  #joined(size = LENGTHS): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= size) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
