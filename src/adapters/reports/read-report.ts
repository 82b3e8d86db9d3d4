import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { TowpathError } from "../../model/errors.js";
import type { Redactor } from "../../model/redaction.js";
import { parseTestCases, reportOf } from "../../model/reports/junit.js";
import type { TestCase, TestReport } from "../../model/reports/report.js";
import { findReports, resolveWithin } from "./find-reports.js";

/** A larger file is no test report; a parsed one takes several times its size in memory. */
export const MAX_REPORT_BYTES = 64 * 1024 * 1024;

/** File systems round times; kernels stamp files with a clock that lags. */
const CLOCK_TOLERANCE_MS = 1000;

export interface ReportRequest {
  /** The attempt's output directory; nothing outside it is read. */
  readonly directory: string;
  /** A file, a directory of XML files, or a glob, relative to `directory`. */
  readonly pattern: string;
  /** When the command started (ms since the epoch): a report from before it is somebody else's. */
  readonly notBeforeMs?: number;
  /** Masks secrets in names and messages. */
  readonly redactor?: Redactor;
}

export interface ReadReport {
  readonly report: TestReport;
  /** The files it was read from, relative to the directory, sorted. */
  readonly files: readonly string[];
}

/**
 * Reads the test report of a command, all its files as one.
 *
 * @throws TowpathError `ArtefactInvalid` when there is none, one is stale, too large, not UTF-8, not JUnit XML, or leads out of the directory;
 * or no file has a test case (single files of several may be empty)
 */
export async function readReport(request: ReportRequest): Promise<ReadReport> {
  const files = await findReports(request.directory, request.pattern);
  const tests: TestCase[] = [];
  const redact = (text: string) => request.redactor?.text(text) ?? text;
  for (const file of files) {
    const xml = await readText(request, file);
    for (const test of parseTestCases(xml, file, redact)) tests.push(test);
  }
  return { report: reportOf(tests, request.pattern), files };
}

async function readText(request: ReportRequest, file: string): Promise<string> {
  const real = await resolveWithin(request.directory, file);
  let handle: FileHandle | undefined;
  try {
    handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    await refuseUnfit(handle, file, request.notBeforeMs);
    return new TextDecoder("utf-8", { fatal: true }).decode(await handle.readFile());
  } catch (error) {
    if (error instanceof TowpathError) throw error;
    if (error instanceof TypeError && "code" in error && error.code === "ERR_ENCODING_INVALID_ENCODED_DATA")
      throw new TowpathError(
        "ArtefactInvalid",
        `The test report ${file} is not UTF-8 text: write it as UTF-8.`,
        {
          cause: error,
        },
      );
    throw new TowpathError("StorageFailed", `Cannot read the test report ${file}.`, { cause: error });
  } finally {
    await handle?.close();
  }
}

async function refuseUnfit(handle: FileHandle, file: string, notBeforeMs: number | undefined): Promise<void> {
  const stats = await handle.stat();
  const refuse = (problem: string): never => {
    throw new TowpathError("ArtefactInvalid", `The test report ${file} ${problem}.`);
  };
  if (!stats.isFile()) refuse("is no regular file");
  if (stats.size > MAX_REPORT_BYTES)
    refuse(
      `has ${stats.size} bytes; at most ${MAX_REPORT_BYTES} are read: leave the tests' output out of it`,
    );
  if (notBeforeMs !== undefined && stats.mtimeMs + CLOCK_TOLERANCE_MS < notBeforeMs)
    refuse("is older than the command that should have written it");
}
