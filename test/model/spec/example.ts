/** The spec that the documentation shows, without what this version leaves out. */
export const EXAMPLE = `# yaml-language-server: $schema=./towpath.schema.json
version: 1
name: sqlparse-py2-to-py3
target: python3
params:
  floor: { type: choice, options: ["3.8", "3.11"], default: "3.11" }
workspace:
  base: main
  setup: python -m pip install -r dev.txt
  exclude: [".venv/"]
secrets: [ANTHROPIC_API_KEY]
defaults:
  timeout: 10m
  idle-timeout: 3m
  retry: { max-attempts: 2, backoff: 5s }
baseline:
  run: python -m pytest -q --junitxml=$TOWPATH_OUT/baseline.xml tests
  report: baseline.xml
phases:
  understand:
    steps:
      - { id: survey, uses: survey }
  guardrail:
    features: from-baseline
    gate: { approval: { required: 1, timeout: 7d, on-timeout: reject } }
  migrate:
    steps:
      - id: two-to-three
        run: 2to3 -w -n --no-diffs sqlparse tests
        verify: ["python -m compileall -q sqlparse"]
        commit: "refactor: 2to3"
      - id: fix-failures
        needs: [two-to-three]
        agent:
          command: claude -p
          prompt: |
            Make the tests pass. Do not edit tests/.
            \${{ attempt.feedback }}
        scope: { include: ["sqlparse/**"], protect: ["tests/**"] }
        verify: ["python -m pytest -q tests"]
        retry: { max-attempts: 5, feedback: true }
  verify:
    steps:
      - { id: full-suite, run: "python -m pytest -q --junitxml=$TOWPATH_OUT/after.xml tests", report: after.xml }
    gate:
      tests: { no-new-failures: true, identity: classname-and-name }
      ratchet: [{ name: py2-idioms, run: "./count-idioms.sh", max: 0 }]
      approval: { required: 1 }
`;

/** The least that is a spec, and more of it: `rest` comes at the end. */
export function specWith(rest: string, steps = "      - { id: a, run: make }\n"): string {
  return `version: 1\nname: n\ntarget: t\nphases:\n  migrate:\n    steps:\n${steps}${rest}`;
}
