const HEADER_LENGTH = 8;

/**
 * Takes the engine's stream of a container without a terminal apart: frames of 1 byte stream, 3 bytes nothing, 4 bytes
 * length, then the payload (Engine API, ContainerAttach). Both outputs come in the order in which the engine has them.
 */
export async function* demuxed(stream: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let missing = 0;
  for await (const chunk of stream) {
    if (!Buffer.isBuffer(chunk)) continue;
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      if (missing > 0) {
        const payload = rest.subarray(0, missing);
        if (payload.length === 0) break;
        missing -= payload.length;
        rest = rest.subarray(payload.length);
        yield payload;
      } else {
        if (rest.length < HEADER_LENGTH) break;
        missing = rest.readUInt32BE(4);
        rest = rest.subarray(HEADER_LENGTH);
      }
    }
  }
}
