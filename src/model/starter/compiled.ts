import { oneFile, type ProjectFacts, type TestSetup } from "./project.js";

const GOTESTSUM = "gotest.tools/gotestsum@v1.13.0";

/** How a Go module is tested. */
export function goSetup({ files, survey }: ProjectFacts): TestSetup | null {
  if (!files.has("go.mod") || !survey.testFiles.some((path) => path.endsWith("_test.go"))) return null;
  return {
    runner: "go test",
    setup: "go mod download",
    exclude: [],
    run: (name) => `go run ${GOTESTSUM} --junitfile "$TOWPATH_OUT/${name}.xml" ./...`,
    report: oneFile,
  };
}

/** How a Maven project is tested. */
export function mavenSetup({ files, survey }: ProjectFacts): TestSetup | null {
  if (!files.has("pom.xml") || !hasJvmTests(survey)) return null;
  const mvn = `${files.has("mvnw") ? "sh ./mvnw" : "mvn"} --batch-mode --no-transfer-progress`;
  return {
    runner: "maven surefire",
    setup: `${mvn} --quiet test-compile`,
    exclude: ["target/"],
    ...reportsOfClasses(`${mvn} --fail-at-end test`, "*/target/surefire-reports"),
  };
}

const GRADLE_FILES = ["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"];

/** How a Gradle project is tested; the daemon would outlive the step. */
export function gradleSetup({ files, survey }: ProjectFacts): TestSetup | null {
  if (!GRADLE_FILES.some((name) => files.has(name)) || !hasJvmTests(survey)) return null;
  const gradle = `${files.has("gradlew") ? "sh ./gradlew" : "gradle"} --console=plain --no-daemon`;
  return {
    runner: "gradle test",
    setup: `${gradle} --quiet testClasses`,
    exclude: ["build/", ".gradle/"],
    ...reportsOfClasses(`${gradle} --continue test`, "*/build/test-results/*"),
  };
}

function hasJvmTests({ testFiles }: ProjectFacts["survey"]): boolean {
  return testFiles.some((path) => /\.(?:java|kt|groovy|scala)$/.test(path));
}

/** Runs tests that write a report for each class, below each module; those of an earlier run are removed first. */
function reportsOfClasses(command: string, directories: string): Pick<TestSetup, "run" | "report"> {
  return {
    run: (name) =>
      [
        `find . -type d -path '${directories}' -prune -exec rm -rf {} +`,
        `status=0; ${command} || status=$?`,
        `mkdir -p "$TOWPATH_OUT/${name}"`,
        `find . -path '${directories}/TEST-*.xml' -exec cp {} "$TOWPATH_OUT/${name}/" ';'`,
        "exit $status",
      ].join("\n"),
    report: (name) => `${name}/*.xml`,
  };
}

/**
 * Reads what `cargo test` prints: `     Running tests/a.rs (…)`, `   Doc-tests name`, `test a::b ... ok`. libtest's own
 * JUnit output is unstable.
 */
const CARGO_JUNIT = String.raw`
function xml(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); gsub(/"/, "\\&quot;", s); return s }
BEGIN { print "<testsuites><testsuite name=\"cargo test\">" }
/^ +(Running|Doc-tests) / { line = $0; sub(/^ +(Running|Doc-tests) (unittests )?/, "", line); sub(/ \(.*/, "", line); target = line }
/^test .* \.\.\. (ok|FAILED|ignored)/ {
  name = $0; sub(/^test /, "", name); result = name
  sub(/ \.\.\. (ok|FAILED|ignored).*/, "", name); sub(/^.* \.\.\. /, "", result); sub(/ - should panic$/, "", name)
  printf "<testcase classname=\"%s\" name=\"%s\">", xml(target), xml(name)
  if (result ~ /^FAILED/) printf "<failure message=\"failed\"/>"
  if (result ~ /^ignored/) printf "<skipped/>"
  print "</testcase>"
}
END { print "</testsuite></testsuites>" }
`.trim();

/** How a crate or workspace is tested. */
export function cargoSetup({ files }: ProjectFacts): TestSetup | null {
  const manifest = files.get("Cargo.toml");
  if (manifest === undefined) return null;
  const workspace = /^\[workspace\]/m.test(manifest) ? " --workspace" : "";
  return {
    runner: "cargo test",
    setup: "cargo fetch",
    exclude: ["target/", "Cargo.lock"],
    env: { CARGO_TERM_COLOR: "never", CARGO_JUNIT },
    run: (name) =>
      [
        "status=0",
        `cargo test${workspace} --no-fail-fast > "$TOWPATH_OUT/${name}.txt" 2>&1 || status=$?`,
        `cat "$TOWPATH_OUT/${name}.txt"`,
        `awk "$CARGO_JUNIT" "$TOWPATH_OUT/${name}.txt" > "$TOWPATH_OUT/${name}.xml"`,
        "exit $status",
      ].join("\n"),
    report: oneFile,
  };
}
