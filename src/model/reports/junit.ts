import { XMLParser, XMLValidator } from "fast-xml-parser";
import { z } from "zod";
import { messageOf, TowpathError } from "../errors.js";
import type { TestCase, TestReport, TestStatus } from "./report.js";

const MAX_MESSAGE_LENGTH = 1000;

/** Suites nested deeper than this are no report. */
const MAX_DEPTH = 100;

const Attributes = z.record(z.string(), z.string()).default({});
const Cdata = z.array(z.object({ "#text": z.string().default("") })).default([]);

/** What `<failure>`, `<error>` and `<skipped>` say. */
const Detail = z.object({ $: Attributes, "#text": z.string().default(""), "#cdata": Cdata });
type Detail = z.infer<typeof Detail>;
const Details = z.array(Detail).default([]);

const Case = z.object({ $: Attributes, failure: Details, error: Details, skipped: Details });
type Case = z.infer<typeof Case>;

const Suite = z.object({
  $: Attributes,
  failure: Details,
  error: Details,
  testcase: z.array(Case).default([]),
  get testsuite() {
    return z.array(Suite).default([]);
  },
});
type Suite = z.infer<typeof Suite>;

const Document = z.union([
  z.strictObject({ testsuites: z.array(Suite).length(1) }),
  z.strictObject({ testsuite: z.array(Suite).length(1) }),
]);

/** Entities are decoded here and not by the parser: only the five of XML and numbers, so that none can be defined. */
const parser = new XMLParser({
  ignoreAttributes: false,
  attributesGroupName: "$",
  attributeNamePrefix: "",
  attributeValueProcessor: (_, value) => decodeEntities(value),
  tagValueProcessor: (_, value) => decodeEntities(value),
  parseTagValue: false,
  processEntities: false,
  removeNSPrefix: true,
  alwaysCreateTextNode: true,
  cdataPropName: "#cdata",
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: MAX_DEPTH,
  isArray: (name, _path, _isLeaf, isAttribute) => !isAttribute && name !== "#text",
});

/**
 * Reads one JUnit XML report: roots `testsuites` or `testsuite`, suites within suites, and what Surefire, pytest, Jest, Go, GoogleTest
 * and CTest add to it. A failure outside any test case (a suite that could not start) counts as a failed test of the suite's name.
 *
 * @param xml the text of the file
 * @param source what to call the file in messages
 * @throws TowpathError `ArtefactInvalid` when it is not well-formed, no JUnit report, or has no test case
 */
export function parseJUnit(xml: string, source: string): TestReport {
  return reportOf(parseTestCases(xml, source), source);
}

/** Makes a report of test cases; with none, the error says so of `source`. @throws TowpathError `ArtefactInvalid` */
export function reportOf(tests: readonly TestCase[], source: string): TestReport {
  if (tests.length === 0)
    throw invalid(source, "has no test case: an empty report proves nothing. Check that the tests ran");
  return { tests: [...tests] };
}

/**
 * The test cases of one file; none are allowed, as runners that write one file for each class write some without.
 *
 * @param clean applied to names and whole messages (to redact them): not to the XML, as a secret may be a word of its grammar
 * @throws TowpathError `ArtefactInvalid` when it is not well-formed, or no JUnit report
 */
export function parseTestCases(
  xml: string,
  source: string,
  clean: (text: string) => string = (whole) => whole,
): TestCase[] {
  const text = xml.replace(/^\uFEFF/, "");
  refuseUnsafe(text, source);
  return testsOf(readDocument(text, source), source).map((test) => finished(test, clean));
}

function invalid(source: string, problem: string, cause?: unknown): TowpathError {
  return new TowpathError("ArtefactInvalid", `Test report ${source} ${problem}.`, { cause });
}

function refuseUnsafe(text: string, source: string): void {
  const [, encoding] = /^<\?xml\s[^>]*?encoding\s*=\s*["']([^"']*)["']/i.exec(text) ?? [];
  if (encoding !== undefined && !/^(utf-?8|us-ascii|ascii)$/i.test(encoding))
    throw invalid(source, `declares the encoding ${encoding}: write it as UTF-8`);
  // Outside of CDATA and comments a "<!" can only begin a document type, which is where entities are defined.
  const bare = text.replace(/<!\[CDATA\[[^]*?\]\]>|<!--[^]*?-->/g, "");
  if (bare.includes("<!DOCTYPE"))
    throw invalid(source, "has a document type declaration, which no test runner writes");
}

function readDocument(text: string, source: string): Suite {
  const wellFormed = XMLValidator.validate(text);
  if (wellFormed !== true)
    throw invalid(source, `is not well-formed XML, line ${wellFormed.err.line}: ${wellFormed.err.msg}`);
  const document = Document.safeParse(parseXml(text, source));
  if (!document.success)
    throw invalid(
      source,
      "is not a JUnit report: its root has to be one <testsuites> or <testsuite>",
      document.error,
    );
  const [suite] = "testsuites" in document.data ? document.data.testsuites : document.data.testsuite;
  if (suite === undefined) throw invalid(source, "has no root");
  return suite;
}

function parseXml(text: string, source: string): unknown {
  try {
    return parser.parse(text);
  } catch (error) {
    throw invalid(source, `cannot be read as XML: ${messageOf(error)}`, error);
  }
}

/** Cleaned before it is cut: half a secret is not recognised. */
function finished({ status, ...test }: TestCase, clean: (text: string) => string): TestCase {
  const message = test.message === undefined ? undefined : clean(test.message).slice(0, MAX_MESSAGE_LENGTH);
  const names = { classname: clean(test.classname), name: clean(test.name) };
  return { ...names, status, ...(message === undefined ? {} : { message }) };
}

function testsOf(suite: Suite, source: string): TestCase[] {
  const own = suite.testcase.map((test) => testOf(test, source));
  return [...suiteFailure(suite), ...own, ...suite.testsuite.flatMap((inner) => testsOf(inner, source))];
}

function suiteFailure({ $, error, failure }: Suite): TestCase[] {
  const details = [...error, ...failure];
  if (details.length === 0) return [];
  return [{ classname: "", name: $["name"] ?? "", status: "failed", ...messageFrom(details) }];
}

function testOf(test: Case, source: string): TestCase {
  const { name, classname = "" } = test.$;
  if (name === undefined) throw invalid(source, "has a test case without a name");
  const details = [...test.failure, ...test.error, ...test.skipped];
  return { classname, name, status: statusOf(test), ...messageFrom(details) };
}

/** GoogleTest and CTest say in attributes what others say in elements. */
function statusOf({ $, failure, error, skipped }: Case): TestStatus {
  const said = [$["status"], $["result"]].map((value) => value?.toLowerCase());
  const says = (...words: string[]) => said.some((word) => word !== undefined && words.includes(word));
  if (failure.length + error.length > 0 || says("fail", "failed", "failure", "error")) return "failed";
  if (skipped.length > 0 || says("notrun", "disabled", "skipped", "suppressed", "ignored", "pending"))
    return "skipped";
  return "passed";
}

function messageFrom(details: readonly Detail[]): { message?: string } {
  const texts = details.map((detail) => {
    const cdata = detail["#cdata"].map((part) => part["#text"]).join("");
    return detail.$["message"] ?? (detail["#text"].trim() || cdata.trim());
  });
  const message = texts.find((text) => text !== "");
  return message === undefined ? {} : { message };
}

const NAMED_ENTITIES = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["amp", "&"],
  ["quot", '"'],
  ["apos", "'"],
]);

function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w+));/gi,
    (entity: string, ...groups: unknown[]) => {
      const [hex, decimal, name] = groups;
      if (typeof name === "string") return NAMED_ENTITIES.get(name) ?? entity;
      const point = typeof hex === "string" ? Number.parseInt(hex, 16) : Number(decimal);
      return point <= 0x10ffff ? String.fromCodePoint(point) : entity;
    },
  );
}
