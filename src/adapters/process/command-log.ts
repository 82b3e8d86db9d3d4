import { constants, mkdirSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { StringDecoder } from "node:string_decoder";
import { TowpathError } from "../../model/errors.js";
import { createExcerptCollector, type Excerpt } from "../../model/feedback.js";
import type { Redactor } from "../../model/redaction.js";

/** Takes a command's output: redacted, whole, into the log file; its excerpt into memory. */
export class CommandLog {
  private readonly decoder = new StringDecoder("utf8");
  private readonly redaction;
  private readonly excerpt;
  private written = 0;

  private constructor(
    private readonly file: FileHandle,
    private readonly logPath: string,
    redactor: Redactor,
    private readonly onOutput: ((chunk: string) => void) | undefined,
  ) {
    this.redaction = redactor.stream();
    this.excerpt = createExcerptCollector(redactor);
  }

  /** Bytes taken so far. */
  get bytes(): number {
    return this.written;
  }

  /**
   * Opens the log for appending. A link or a FIFO in its place is refused: a step may write there too.
   *
   * @param anew empties it first, for output that is read again from its beginning
   * @throws TowpathError `StorageFailed`
   */
  static async open(
    logPath: string,
    redactor: Redactor,
    onOutput?: (chunk: string) => void,
    anew = false,
  ): Promise<CommandLog> {
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_TRUNC, O_WRONLY } = constants;
    const flags = O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_WRONLY | (anew ? O_TRUNC : 0);
    try {
      mkdirSync(path.dirname(logPath), { recursive: true, mode: 0o700 });
      const file = await open(logPath, flags, 0o600);
      return new CommandLog(file, logPath, redactor, onOutput);
    } catch (error) {
      throw new TowpathError(
        "StorageFailed",
        `Cannot open the log ${logPath}: check its directory and permissions.`,
        { cause: error },
      );
    }
  }

  /** @throws TowpathError `StorageFailed` */
  async push(bytes: Buffer): Promise<void> {
    this.written += bytes.length;
    await this.append(this.redaction.push(this.decoder.write(bytes)));
  }

  /** Adds a line of our own. @throws TowpathError `StorageFailed` */
  async note(text: string): Promise<void> {
    await this.append(this.redaction.push(`towpath: ${text}\n`));
  }

  /** Writes what was held back and closes the file. @throws TowpathError `StorageFailed` */
  async end(): Promise<Excerpt> {
    await this.append(this.redaction.push(this.decoder.end()) + this.redaction.end());
    await this.close();
    return this.excerpt.end();
  }

  /** Closes the file as it is; used after a failure. */
  async close(): Promise<void> {
    await this.file.close();
  }

  private async append(text: string): Promise<void> {
    if (text === "") return;
    try {
      await this.file.appendFile(text, "utf8");
    } catch (error) {
      throw new TowpathError(
        "StorageFailed",
        `Cannot write the log ${this.logPath}: check the room on its disk.`,
        {
          cause: error,
        },
      );
    }
    this.excerpt.push(text);
    this.onOutput?.(text);
  }
}
