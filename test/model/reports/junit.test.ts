import { describe, expect, it } from "vitest";
import { parseJUnit, parseTestCases } from "../../../src/model/reports/junit.js";
import { countTests } from "../../../src/model/reports/report.js";

/** "status classname::name (message)" of each test. */
function summary(xml: string): string[] {
  return parseJUnit(xml, "report.xml").tests.map(
    ({ status, classname, name, message }) =>
      `${status} ${classname}::${name}${message === undefined ? "" : ` (${message})`}`,
  );
}

const PYTEST = `<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="2" tests="6" time="0.1" timestamp="2025-01-01T00:00:00" hostname="h"><testcase classname="tests.test_parse.TestParse" name="test_sql" time="0.001" /><testcase classname="tests.test_parse" name="test_p[1-&lt;a&gt; &amp; &quot;b&quot;]" time="0.001"><failure message="assert 1 == 2&#10; +  where 1 = f()">def test_p():
&gt;       assert f() == 2
E       assert 1 == 2</failure></testcase><testcase classname="tests.test_parse" name="test_skip" time="0"><skipped type="pytest.skip" message="no reason">/x/test_parse.py:3: no reason</skipped></testcase><testcase classname="tests.test_parse" name="test_xfail" time="0"><skipped type="pytest.xfail" message="known" /></testcase><testcase classname="" name="tests.test_broken" time="0"><error message="collection failure">ImportError: No module named 'x'</error></testcase><testcase classname="tests.test_parse" name="test_ü" time="0"><system-out><![CDATA[<!DOCTYPE html> &lt;not decoded&gt; ]]></system-out></testcase></testsuite></testsuites>`;

const SUREFIRE = `<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="https://maven.apache.org/surefire/maven-surefire-plugin/xsd/surefire-test-report.xsd" version="3.0" name="com.example.AppTest" time="0.06" tests="5" errors="0" skipped="1" failures="1">
  <properties><property name="java.version" value="17"/></properties>
  <testcase name="adds" classname="com.example.AppTest" time="0.01"/>
  <testcase name="flaky" classname="com.example.AppTest" time="0.01">
    <flakyFailure message="first try" type="AssertionError"><stackTrace><![CDATA[at x]]></stackTrace></flakyFailure>
  </testcase>
  <testcase name="fails" classname="com.example.AppTest" time="0.01">
    <failure message="expected: &lt;1&gt; but was: &lt;2&gt;" type="org.opentest4j.AssertionFailedError"><![CDATA[trace]]></failure>
    <rerunFailure message="again" type="AssertionError"><stackTrace>at y</stackTrace></rerunFailure>
  </testcase>
  <testcase name="errs" classname="com.example.AppTest" time="0.01"><error type="java.lang.NullPointerException"><![CDATA[java.lang.NullPointerException & more]]></error></testcase>
  <testcase name="ignored" classname="com.example.AppTest" time="0"><skipped message="not now"/></testcase>
</testsuite>`;

const JEST = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="3" failures="1" errors="0" time="0.5">
  <testsuite name="parse" errors="0" failures="1" skipped="1" tests="3">
    <testcase classname="parse flags" name="parse flags &gt; short" time="0.003"></testcase>
    <testcase classname="parse flags" name="long" time="0.001"><failure>Error: expect(received).toBe(expected)
    at Object.&lt;anonymous&gt; (x.js:1:1)</failure></testcase>
    <testcase classname="parse flags" name="todo" time="0"><skipped/></testcase>
  </testsuite>
</testsuites>`;

const GO = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="3" failures="1">
	<testsuite name="example.com/m/pkg" tests="3" failures="1" errors="0" id="0" hostname="h" skipped="1" time="0.003">
		<properties><property name="go.version" value="go1.22"></property></properties>
		<testcase name="TestA/sub=1" classname="example.com/m/pkg" time="0.000"></testcase>
		<testcase name="TestB" classname="example.com/m/pkg" time="0.000"><failure message="Failed"><![CDATA[    b_test.go:5: boom]]></failure></testcase>
		<testcase name="TestC" classname="example.com/m/pkg" time="0.000"><skipped message="c_test.go:9: later"></skipped></testcase>
	</testsuite>
</testsuites>`;

const NODE = `<?xml version="1.0" encoding="utf-8"?>
<testsuites>
	<testcase name="top" time="0.001" classname="test"/>
	<testsuite name="outer" time="0.002" tests="2" failures="1" skipped="0" hostname="h">
		<testsuite name="inner"><testcase name="deep" time="0.001" classname="test"><failure type="testCodeFailure" message="boom">[Error: boom]</failure></testcase></testsuite>
		<testcase name="beside" time="0.001" classname="test"/>
		<!-- a comment -->
	</testsuite>
	<!-- tests 3 -->
</testsuites>`;

describe("JUnit reports", () => {
  it("reads pytest's", () => {
    expect(summary(PYTEST)).toEqual([
      "passed tests.test_parse.TestParse::test_sql",
      'failed tests.test_parse::test_p[1-<a> & "b"] (assert 1 == 2\n +  where 1 = f())',
      "skipped tests.test_parse::test_skip (no reason)",
      "skipped tests.test_parse::test_xfail (known)",
      "failed ::tests.test_broken (collection failure)",
      "passed tests.test_parse::test_ü",
    ]);
  });

  it("reads Surefire's: a flaky test passed, a failure with reruns failed", () => {
    expect(summary(SUREFIRE)).toEqual([
      "passed com.example.AppTest::adds",
      "passed com.example.AppTest::flaky",
      "failed com.example.AppTest::fails (expected: <1> but was: <2>)",
      "failed com.example.AppTest::errs (java.lang.NullPointerException & more)",
      "skipped com.example.AppTest::ignored (not now)",
    ]);
  });

  it("reads Jest's", () => {
    expect(summary(JEST).map((line) => line.split("\n")[0])).toEqual([
      "passed parse flags::parse flags > short",
      "failed parse flags::long (Error: expect(received).toBe(expected)",
      "skipped parse flags::todo",
    ]);
  });

  it("reads Go's", () => {
    expect(summary(GO)).toEqual([
      "passed example.com/m/pkg::TestA/sub=1",
      "failed example.com/m/pkg::TestB (Failed)",
      "skipped example.com/m/pkg::TestC (c_test.go:9: later)",
    ]);
  });

  it("reads suites within suites and cases outside suites, as Node's runner writes them", () => {
    expect(summary(NODE).sort()).toEqual([
      "failed test::deep (boom)",
      "passed test::beside",
      "passed test::top",
    ]);
  });

  it.each([
    ['<testcase name="t" status="notrun" result="suppressed"/>', "skipped"],
    ['<testcase name="t" status="run" result="completed"/>', "passed"],
    ['<testcase name="t" status="disabled"/>', "skipped"],
    ['<testcase name="t" status="fail"/>', "failed"],
    ['<testcase name="t"><skipped/><failure/></testcase>', "failed"],
    ['<testcase name="t"><system-err>failure</system-err></testcase>', "passed"],
    ['<x:testcase xmlns:x="urn:x" name="t"><x:failure/></x:testcase>', "failed"],
  ])("takes %s as %s", (testcase, status) => {
    expect(parseJUnit(`<testsuite>${testcase}</testsuite>`, "r").tests[0]?.status).toBe(status);
  });

  it("counts the failure of a whole suite as a failed test", () => {
    const xml = `<testsuites><testsuite name="s"><error message="no such class"/></testsuite></testsuites>`;
    expect(summary(xml)).toEqual(["failed ::s (no such class)"]);
  });

  it("counts by status", () => {
    expect(countTests(parseJUnit(PYTEST, "r"))).toEqual({ total: 6, passed: 2, failed: 2, skipped: 2 });
  });

  it("decodes no entity but those of XML and numbers", () => {
    const xml = `<testsuite><testcase name="&#65;&#x42;&amp;lt; &nbsp; &#x110000; &constructor;"/></testsuite>`;
    expect(summary(xml)).toEqual(["passed ::AB&lt; &nbsp; &#x110000; &constructor;"]);
  });

  it("accepts a byte order mark", () => {
    expect(summary(`\uFEFF${GO}`)).toHaveLength(3);
  });

  const bomb = `<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>`;
  it.each([
    ["nothing", "", "not well-formed"],
    ["text", "all tests passed", "not well-formed"],
    ["a report cut short", PYTEST.slice(0, 900), "not well-formed"],
    ["two roots", `${GO}<testsuite/>`, "not a JUnit report"],
    ["another root", `<coverage line-rate="1"/>`, "not a JUnit report"],
    ["no test case", `<testsuites><testsuite name="s" tests="0"/></testsuites>`, "no test case"],
    ["an empty root", `<testsuites/>`, "no test case"],
    ["a case without a name", `<testsuite><testcase classname="c"/></testsuite>`, "without a name"],
    ["an entity bomb", bomb, "document type"],
    ["a late document type", bomb.replace("<testsuite>", "<testsuite><!DOCTYPE x>"), "document type"],
    ["another encoding", `<?xml version="1.0" encoding="ISO-8859-1"?><testsuite/>`, "ISO-8859-1"],
    ["endless nesting", `${"<testsuite>".repeat(5000)}${"</testsuite>".repeat(5000)}`, "cannot be read"],
  ])("refuses %s", (_, xml, problem) => {
    expect(() => parseJUnit(xml, "after.xml")).toThrow(
      expect.objectContaining({ type: "ArtefactInvalid", message: expect.stringContaining(problem) }),
    );
    expect(() => parseJUnit(xml, "after.xml")).toThrow(/after\.xml/);
  });

  it("lets one file of several be without test cases", () => {
    expect(parseTestCases(`<testsuite name="Abstract" tests="0"/>`, "r")).toEqual([]);
  });

  it("reads a large report in a bounded time", () => {
    const cases = Array.from(
      { length: 20_000 },
      (_, n) => `<testcase classname="c" name="t${n} &lt;&#233;&gt;"/>`,
    );
    const begin = performance.now();
    expect(parseJUnit(`<testsuite>${cases.join("\n")}</testsuite>`, "r").tests).toHaveLength(20_000);
    expect(performance.now() - begin).toBeLessThan(30_000);
  });
});
