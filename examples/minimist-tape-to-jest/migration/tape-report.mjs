// Runs tape test files, one process each, and writes one JUnit report: a testcase for every test block.
//
//   node tape-report.mjs REPORT.xml TEST-FILE…
//
// Exit codes: 0 all passed; 1 a test failed (the report names it); 2 the run proves nothing, and there is no report.
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { Parser } from "tap-parser";

/**
 * @typedef {{ name: string, assertions: number, skipped: number, failures: string[] }} Block
 * @typedef {{ file: string, blocks: Block[], assertions: number }} FileReport
 */

/** A run that must not be taken for a result: nothing was tested, or the output is not whole. */
class BrokenRun extends Error {}

/**
 * tape prints a block's name as a comment in front of its assertions, and its totals as comments behind the plan.
 * @param {string} file
 * @param {string} tap
 * @returns {FileReport}
 */
function readTap(file, tap) {
  /** @type {Block[]} */
  const blocks = [];
  let planned = false;
  for (const [event, value] of Parser.parse(tap)) {
    if (event === "bailout") throw new BrokenRun(`${file} bailed out: ${value}`);
    if (event === "plan") planned = true;
    if (event === "comment" && !planned) blocks.push(newBlock(value.replace(/^# ?/, "").trimEnd()));
    if (event === "assert") {
      if (value.tapError) throw new BrokenRun(`${file}: ${value.tapError}. Its output is not whole.`);
      addAssertion(blocks.at(-1) ?? addedTo(blocks, newBlock(file)), value);
    }
    if (event === "complete") checkComplete(file, value, planned);
  }
  const assertions = blocks.reduce((sum, block) => sum + block.assertions, 0);
  if (assertions === 0) throw new BrokenRun(`${file} asserted nothing.`);
  return { file, blocks, assertions };
}

function newBlock(name) {
  return { name, assertions: 0, skipped: 0, failures: [] };
}

function addedTo(blocks, block) {
  blocks.push(block);
  return block;
}

function addAssertion(block, assertion) {
  block.assertions += 1;
  if (assertion.skip) block.skipped += 1;
  if (assertion.ok || assertion.skip || assertion.todo) return;
  const facts = Object.entries(assertion.diag ?? {}).map(
    ([key, value]) => `  ${key}: ${JSON.stringify(value)}`,
  );
  block.failures.push([`not ok ${assertion.id} ${assertion.name}`, ...facts].join("\n"));
}

/** `ok` is false for failed assertions too, which are a result; what is refused here is output that is not whole. */
function checkComplete(file, results, planned) {
  if (!planned) throw new BrokenRun(`${file} ended before its plan: it crashed, or it is no tape test.`);
  const expected = results.plan.end - results.plan.start + 1;
  if (results.count !== expected) {
    throw new BrokenRun(`${file} planned ${expected} assertions and made ${results.count}.`);
  }
}

/**
 * Runs one file. Its exit code counts as one more assertion, as the `tap` runner counts it.
 * @param {string} file
 * @returns {FileReport}
 */
function runFile(file) {
  const run = spawnSync(process.execPath, [file], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (run.error) throw new BrokenRun(`${file} could not be run: ${run.error.message}`);
  const report = readTap(file, run.stdout);
  const failed = report.blocks.some((block) => block.failures.length > 0);
  if (!failed && run.status !== 0) {
    throw new BrokenRun(
      `${file} ended with ${run.signal ?? `exit code ${run.status}`} although no assertion failed.`,
    );
  }
  return { ...report, assertions: report.assertions + 1 };
}

/** What XML 1.0 cannot carry at all, not even escaped. */
function isForbiddenInXml(char) {
  const code = char.codePointAt(0);
  const isControl = code < 0x20 && char !== "\t" && char !== "\n" && char !== "\r";
  return isControl || (code >= 0xd800 && code <= 0xdfff) || code === 0xfffe || code === 0xffff;
}

const XML_ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function xml(text) {
  const allowed = Array.from(text, (char) => (isForbiddenInXml(char) ? "\ufffd" : char)).join("");
  return allowed.replace(/[&<>"]/g, (char) => XML_ENTITIES[char]).replace(/[\t\n\r]/g, escapedWhitespace);
}

/** As a reference, because a parser may turn plain line breaks and tabs in attributes into spaces. */
function escapedWhitespace(char) {
  return `&#${char.codePointAt(0)};`;
}

function testcase(file, block) {
  const head = `    <testcase classname="${xml(file)}" name="${xml(block.name)}" assertions="${block.assertions}"`;
  if (block.failures.length > 0) {
    const text = block.failures.join("\n");
    return `${head}>\n      <failure message="${xml(text.split("\n")[0])}">${xml(text)}</failure>\n    </testcase>`;
  }
  if (block.assertions > 0 && block.skipped === block.assertions) {
    return `${head}>\n      <skipped/>\n    </testcase>`;
  }
  return `${head}/>`;
}

const failuresOf = (blocks) => blocks.filter((block) => block.failures.length > 0).length;

function suite(report) {
  const counts = `tests="${report.blocks.length}" failures="${failuresOf(report.blocks)}" assertions="${report.assertions}"`;
  return [
    `  <testsuite name="${xml(report.file)}" ${counts}>`,
    ...report.blocks.map((block) => testcase(report.file, block)),
    "  </testsuite>",
  ].join("\n");
}

function main([reportPath, ...files]) {
  if (reportPath === undefined || files.length === 0) {
    throw new BrokenRun("Usage: tape-report.mjs REPORT.xml TEST-FILE…");
  }
  rmSync(reportPath, { force: true });
  const reports = files.map(runFile);
  const blocks = reports.flatMap((report) => report.blocks);
  const assertions = reports.reduce((sum, report) => sum + report.assertions, 0);
  const failures = failuresOf(blocks);
  const counts = `tests="${blocks.length}" failures="${failures}" assertions="${assertions}"`;
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', `<testsuites name="tape" ${counts}>`];
  writeFileSync(reportPath, `${[...lines, ...reports.map(suite), "</testsuites>"].join("\n")}\n`);
  for (const block of blocks)
    for (const failure of block.failures) console.log(`# ${block.name}\n${failure}`);
  console.log(
    `${blocks.length} tests, ${failures} failed; ${assertions} assertions ` +
      `(${assertions - files.length} in tests, ${files.length} exit codes)`,
  );
  return failures === 0 ? 0 : 1;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof BrokenRun)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
