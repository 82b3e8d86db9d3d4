import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rememberConsent } from "../../src/adapters/consent/consents.js";
import { HAS_REGISTRY, TestEngine } from "../support/engine.js";
import { leaveMigration } from "../support/predecessor.js";
import { definitionOf, DOCUMENTS, mentionsIn, shellBlocks, stands, textOf } from "./pages.js";
import { makeMachine, type Machine } from "./scene.js";

const JUNIT = 'node --test --test-reporter=junit --test-reporter-destination="$TOWPATH_OUT/r.xml"';

const NODE_PROJECT = {
  "package.json": JSON.stringify({ name: "my-project", version: "1.0.0", scripts: { test: "node --test" } }),
  "package-lock.json": JSON.stringify({
    name: "my-project",
    version: "1.0.0",
    lockfileVersion: 3,
    packages: { "": { name: "my-project", version: "1.0.0" } },
  }),
  "index.js": "exports.add = (a, b) => a + b;\n",
  "test/add.test.js":
    'const { test } = require("node:test");\nconst { add } = require("../index.js");\ntest("adds", () => require("node:assert").equal(add(1, 2), 3));\n',
};

function specWith(step: string, more = ""): string {
  return `version: 1
name: my-project
target: next
workspace: { setup: echo laid }
baseline: { run: '${JUNIT}', report: r.xml }
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail:
    features: [{ id: there, description: the code is there, test: test -e index.js }]
  migrate:
    steps:
      - ${step}
${more}`;
}

/** A program that repairs only what it is told of. */
const AGENT = `id: port
        agent:
          command: 'grep -q "not yet" && echo done >> index.js || true'
          prompt: "Port it. \${{ attempt.feedback }}"
        verify: ["grep -q done index.js || { echo not yet; exit 1; }"]
        retry: { max-attempts: 2, backoff: 1ms }`;

const FAILING = '{ id: change, run: "exit 3" }';

/** A step that fails, a gate with a command and an approval, and a last phase that a person advances. */
const WAITING = specWith(
  FAILING,
  `    gate: { run: "echo checked", approval: { required: 1 } }
  verify: { manual: true }
`,
);

/** Answers what a migration waits for, in every way that the documents name. */
const ANSWERS = `
towpath start . --spec towpath.yaml --allow-host
waits step-failed
towpath gates @latest
towpath logs @latest baseline
towpath logs @latest setup
towpath open
towpath open --list all
towpath open @latest
towpath prd why
towpath prd why --of @latest
towpath retry @latest
waits step-failed
towpath rollback @latest change --yes
waits step-failed
towpath retry @latest --spec towpath.yaml --allow-host
waits step-failed
towpath skip @latest change --reason because --yes
waits approval
towpath logs @latest gate-migrate
towpath diff @latest
towpath diff @latest change
towpath approve @latest
waits advance
towpath advance @latest verify
towpath watch @latest
towpath start --allow-host
waits step-failed
towpath skip @latest change --reason because --yes
waits approval
towpath reject @latest --yes
git rm --quiet towpath.yaml
towpath start . --target python3
waits advance
towpath stop @latest --yes
towpath stop --yes
towpath stop --all --yes
`;

const WORKER = `
towpath down
towpath worker > worker.log &
for _ in {1..600}; do grep -q RUNNING worker.log && break; sleep 0.1; done
kill $!
wait $!
`;

let machine: Machine;
const engine = new TestEngine();
/** Stands for the image that the documents name: the registry of the tests has none of Docker Hub's. */
const NAMED_IMAGE = "python:3.11-slim";
const image = `${engine.repository("python")}:3.11-slim`;
beforeAll(async () => {
  machine = await makeMachine();
}, 300_000);
afterAll(async () => {
  await machine.remove();
  if (HAS_REGISTRY) await engine.remove();
});

/** The commands of a page, in their order, as one script. */
const scriptOf = (document: string): string => shellBlocks(document).join("\n");

/** Runs a script in a project; its answer where every command of it succeeded. */
async function succeeds(script: string, cwd: string, env?: Record<string, string>): Promise<string> {
  const answer = await machine.run(script, cwd, env);
  if (answer.exitCode !== 0) throw new Error(`It ended with ${answer.exitCode}:\n${answer.all}`);
  return answer.all;
}

/** What runs the shell commands of each page that has any, and what they must have led to. */
const SCENES: Readonly<Record<string, () => Promise<void>>> = {
  "docs/getting-started.md": async () => {
    const project = await machine.project("first", NODE_PROJECT);
    const said = await succeeds(scriptOf("docs/getting-started.md"), path.dirname(project));
    expect(said).toContain("npm by node --test");
    expect(said).toMatch(/mig_\S+ completed\. Branch: towpath\/mig_/);
  },
  "docs/agents.md": async () => {
    const project = await machine.project("agents", { ...NODE_PROJECT, "towpath.yaml": specWith(AGENT) });
    expect(await succeeds(scriptOf("docs/agents.md"), project)).toContain("attempt 1: verify-1 <==\nnot yet");
  },
  "docs/security.md": async () => {
    const project = await machine.project("security", { ...NODE_PROJECT, "towpath.yaml": specWith(AGENT) });
    expect(await succeeds(scriptOf("docs/security.md"), project)).toContain("grep -q done index.js");
  },
  "docs/troubleshooting.md": async () => {
    const files = { ...NODE_PROJECT, "towpath.yaml": specWith(FAILING) };
    const project = await machine.project("trouble", files);
    await succeeds("towpath start --allow-host; waits step-failed", project);
    await writeFile(path.join(project, "towpath.yaml"), specWith('{ id: change, run: "true" }'));
    await succeeds(scriptOf("docs/troubleshooting.md"), project);
    expect(await succeeds("towpath watch @latest", project)).toContain("completed. Branch:");
  },
  "docs/requirements.md": async () => {
    const project = await machine.project("requirements", {
      ...NODE_PROJECT,
      "towpath.yaml": specWith('{ id: change, run: "true" }'),
      "docs/what-must-hold.md": "# It adds\n",
    });
    await rememberConsent(machine.home.dataDir, project, { at: new Date(), by: "Ada" });
    const oldest = `$(towpath prd history --json | node -pe 'JSON.parse(fs.readFileSync(0)).documents.at(-1).sha')`;
    // Each start decides when it comes to it: the next must find what it left.
    const script = scriptOf("docs/requirements.md").replaceAll(
      /^(towpath start .*)$/gm,
      "$1\ntowpath watch @latest",
    );
    await succeeds(script.replaceAll("<sha>", oldest), project);
    expect(await succeeds("towpath prd show", project)).toBe("# It adds");
  },
  "docs/dashboard.md": async () => {
    const shells: readonly string[] = ["bash", "zsh", "fish"];
    for (const line of scriptOf("docs/dashboard.md").trim().split("\n")) {
      const shell = shells.find((name) => line.includes(` ${name}`)) ?? "sh";
      const before = shell === "zsh" ? "autoload -U compinit; compinit -u; " : "";
      if (spawnSync(shell, ["-c", "exit 0"]).status !== 0 && process.env["CI"] === undefined) continue;
      await succeeds(`exec ${shell} -c '${before}${line.replace(/ +#.*/, "")}'`, machine.scratch);
    }
  },
};

/** They need a container engine, and a registry to pull from. */
const ENGINE_SCENES: typeof SCENES = {
  "docs/containers.md": async () => {
    const project = await machine.project("containers", NODE_PROJECT);
    await engine.published(image);
    const old = await engine.image(`${engine.repository("python")}:old`);
    const env = engine.env;
    await succeeds("towpath down", project);
    const script = `${scriptOf("docs/containers.md")}\ntowpath image refresh ${NAMED_IMAGE} --dry-run`;
    const said = await succeeds(script.replaceAll(NAMED_IMAGE, image), project, env);
    expect(said).toMatch(/removed [0-9a-f]{12} .*:old/);
    expect(said).toMatch(/Created towpath-images:\S+ +next \d{4}-/);
    expect(said).toContain("No active session");
    expect(await engine.hasImage(old)).toBe(false);
    await succeeds(
      `towpath image schedule pause ${image}; towpath image schedule delete ${image} --yes; towpath down`,
      project,
      env,
    );
  },
};

/** Pages that only another test can set the scene for. */
const PAGES_ELSEWHERE: Readonly<Record<string, string>> = {
  "README.md": "test/docs/readme.test.ts",
  "docs/encryption.md": "test/e2e/encryption.test.ts",
  "docs/observability.md": "test/e2e/observability.test.ts",
  "docs/upgrading.md": "test/e2e/versioning.test.ts",
};

/** And commands. */
const COMMANDS_ELSEWHERE: Readonly<Record<string, string>> = {
  recover: "test/faults/server.test.ts",
  hosts: "test/e2e/hosts.test.ts",
  "codec-key": "test/e2e/encryption.test.ts",
  "codec-server": "test/dashboard/codec.test.ts",
};

const scenes = { ...SCENES, ...(HAS_REGISTRY ? ENGINE_SCENES : {}) };

describe("every command that a document names", () => {
  it.each(DOCUMENTS)("in %s exists, with its options", (document) => {
    const unknown = mentionsIn(document).flatMap(({ words, options }) => {
      const known = definitionOf(words)?.options?.map(({ flags }) => /--[a-z-]+/.exec(flags)?.[0]) ?? [];
      const odd = options.filter((option) => !["--help", "--json", "--version", ...known].includes(option));
      return definitionOf(words) === undefined || odd.length > 0 ? [words.join(" ")] : [];
    });
    expect(unknown).toEqual([]);
  });

  it.each(Object.entries(COMMANDS_ELSEWHERE))(
    "and that needs a scene of its own (%s) is run in %s",
    (name, test) => {
      expect(textOf(test)).toContain(`"${name}"`);
    },
  );

  it.each(DOCUMENTS.filter((document) => shellBlocks(document).length > 0))(
    "in a block of %s has a scene that runs it",
    (document) => {
      expect(Object.keys({ ...SCENES, ...ENGINE_SCENES, ...PAGES_ELSEWHERE })).toContain(document);
    },
  );
});

describe("the commands of the documentation", { timeout: 900_000 }, () => {
  it.each(Object.keys(scenes))("run: %s", async (document) => {
    await expect(scenes[document]?.()).resolves.toBeUndefined();
  });

  it("answer what a migration waits for", async () => {
    const project = await machine.project("answers", { ...NODE_PROJECT, "towpath.yaml": WAITING });
    expect(await succeeds(ANSWERS, project)).toContain("rejected");
    const local = "towpath list --local && towpath status @latest --local";
    expect(await succeeds(local, project)).toContain("rejected");
  });

  it("take over a migration of the earlier engine, and run a worker in the foreground", async () => {
    const project = await machine.project("adopted", { "app.txt": "old\n" });
    await succeeds("git tag loki-migrate/first/pre", project);
    const migrations = path.join(machine.home.dataDir, "migrations");
    await leaveMigration(migrations, "mig_20250101_000001_shop", project);
    await leaveMigration(migrations, "mig_20250101_000002_shop", project);
    const spec = `version: 1\nname: shop\ntarget: next\nphases: { migrate: { steps: [{ id: second, run: "true" }] } }\n`;
    await writeFile(path.join(project, "towpath.yaml"), spec);
    await succeeds("towpath adopt mig_20250101_000001_shop", project);
    await succeeds("towpath adopt mig_20250101_000002_shop --spec towpath.yaml --allow-host", project);
    expect(await succeeds(WORKER, project)).toContain("worker stopped");
  });

  it("are all that is named", async () => {
    const runs = (await machine.runs()).map((words) => words.map((word) => word.replace(image, NAMED_IMAGE)));
    const missing = DOCUMENTS.flatMap((document) =>
      mentionsIn(document)
        .filter(
          (mention) =>
            !(mention.words[0] === "image" && !HAS_REGISTRY) &&
            !Object.hasOwn(COMMANDS_ELSEWHERE, mention.words[0] ?? "") &&
            !runs.some((run) => stands(mention, run)),
        )
        .map(({ words }) => `${document}: towpath ${words.join(" ")}`),
    );
    expect(missing).toEqual([]);
  });
});
