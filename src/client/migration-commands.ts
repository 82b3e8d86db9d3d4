import type { CommandDefinition, CommandOption } from "./command.js";
import { YES } from "./common-options.js";

const MIGRATION = ["<migration>", "a migration's id, the beginning of one, or @latest"] as const;
const STEP = ["<step>", "id of a step, as `towpath plan` shows it"] as const;

const LOCAL: CommandOption = {
  flags: "--local",
  description: "ask this machine's data directory only, not Temporal",
};
const AS: CommandOption = {
  flags: "--as <name>",
  description: "who decides (default: your git identity)",
};

/** The commands that start, show and steer migrations, in the order of the help. */
export const MIGRATION_COMMANDS: readonly CommandDefinition[] = [
  {
    name: "init",
    description: "look at a project and write a migration spec to begin with",
    arguments: [
      ["[path]", "the project: a git checkout, or a folder of one (default: the working directory)"],
    ],
    options: [
      { flags: "--target <target>", description: "what to migrate to (default: next)" },
      { flags: "--force", description: "overwrite a towpath.yaml that is there" },
    ],
    help: `The spec measures the project's tests before and after, and holds a step that changes nothing where your change
goes. Known: npm (node --test, jest, vitest, mocha, tape), pytest, go test, Maven surefire, cargo test; otherwise the
command that the project names. Nothing of the project is run.

Example:
  towpath init --target python3`,
    load: async () => (await import("./commands/init.js")).init,
  },
  {
    name: "start",
    description: "start a migration of a codebase",
    arguments: [
      [
        "[path]",
        "a git checkout, or a folder of one (default: the working directory); or the URL of a repository",
      ],
    ],
    options: [
      { flags: "--spec <file>", description: "the migration spec (default: towpath.yaml in the project)" },
      { flags: "--target <target>", description: "what to migrate to; needed where there is no spec" },
      { flags: "--param <name=value>", description: "a parameter of the spec; repeatable", repeatable: true },
      {
        flags: "--name <name>",
        description: "the migration's name (default: the spec's, else the folder's)",
      },
      {
        flags: "--prd <file>",
        description: "the requirements document; kept in the project for later starts",
      },
      {
        flags: "--fresh-prd",
        description: "generate the requirements document anew; the old one is archived",
      },
      {
        flags: "--host <host>",
        description: "with a URL: where to clone it (default: the host with most room)",
      },
      { flags: "--manual", description: "a person advances every phase" },
      { flags: "--wait", description: "tell what happens, and wait for the end" },
      { flags: "--dry-run", description: "show what would be done; start nothing, write nothing" },
      { flags: "--allow-host", description: "let the spec's commands run on this host, for this start" },
    ],
    help: `A spec is code: its commands run on this host only after somebody agreed, by --allow-host or by answering
the question that is asked once for a project on a terminal. Without a spec the migration is hands-on:
people write the artefacts, and \`towpath advance\` checks the gates.

The project's checkout is never touched: the work is done in a worktree of its own, on branch towpath/<id>.

Examples:
  towpath start --dry-run
  towpath start . --allow-host --wait
  towpath start services/api --spec specs/java-17.yaml --param floor=17
  towpath start . --target python3`,
    load: async () => (await import("./commands/start.js")).start,
  },
  {
    name: "adopt",
    description: "take over a migration directory of an earlier engine, and go on where it stands",
    arguments: [["<migration>", "its id, or the path of its directory"]],
    options: [
      { flags: "--spec <file>", description: "go on by this spec (default: hands-on)" },
      { flags: "--param <name=value>", description: "a parameter of the spec; repeatable", repeatable: true },
      {
        flags: "--source <path>",
        description: "where the codebase is now (default: where the manifest says)",
      },
      { flags: "--name <name>", description: "the migration's name (default: the folder's)" },
      { flags: "--manual", description: "a person advances every phase" },
      { flags: "--allow-host", description: "let the spec's commands run on this host" },
    ],
    help: `An id is looked for in Towpath's data directory and in the earlier engine's (LOKI_DATA_DIR, else ~/.loki). In Towpath's
own the directory is taken over in place; from anywhere else it is copied, and the original stays as it is. A
damaged directory is refused with every problem listed, and nothing is changed.

Work goes on in the first phase that is not completed, in a worktree that begins at the checkout's HEAD. Recorded
tags are kept. With a spec, steps of phases that are left, and steps that the old plan calls completed, are not run.

Examples:
  towpath adopt mig_20250101_120000_shop
  towpath adopt /backup/mig_20250101_120000_shop-0a1b2c --source . --spec towpath.yaml --allow-host`,
    load: async () => (await import("./commands/adopt.js")).adopt,
  },
  {
    name: "list",
    description: "list migrations: those that Temporal knows and those on this machine",
    options: [LOCAL],
    paged: () => true,
    load: async () => (await import("./commands/list.js")).list,
  },
  {
    name: "status",
    description: "show where a migration stands and what it waits for",
    arguments: [MIGRATION],
    options: [LOCAL],
    help: "Example:\n  towpath status @latest",
    load: async () => (await import("./commands/status.js")).status,
  },
  {
    name: "watch",
    description: "show what happens in a migration until it ends",
    arguments: [MIGRATION],
    help: `In a terminal the migration is drawn as it goes on, else each event is a line. Ctrl-C ends the watching,
never the migration. Exit code 5 when the migration did not complete.
With --json every event is one line of JSON.`,
    load: async () => (await import("./commands/watch.js")).watch,
  },
  {
    name: "plan",
    description: "show a migration's steps and what became of each",
    arguments: [MIGRATION],
    options: [LOCAL],
    help: "On the host that holds the migration the plan is complete; elsewhere the newest 50 steps are shown.",
    paged: () => true,
    load: async () => (await import("./commands/plan.js")).plan,
  },
  {
    name: "gates",
    description: "show what the last check of each phase's gate found",
    arguments: [MIGRATION],
    options: [LOCAL],
    paged: () => true,
    load: async () => (await import("./commands/gates.js")).gates,
  },
  {
    name: "logs",
    description: "show what a migration's commands wrote",
    arguments: [
      MIGRATION,
      ["[step]", "id of a step, `setup`, `baseline` or `gate-<phase>`; without it, what there is to read"],
    ],
    options: [
      { flags: "--attempt <n>", description: "which attempt (default: the newest)" },
      { flags: "-f, --follow", description: "go on until the attempt ends" },
    ],
    help: `Logs are on the host that runs the migration. Secrets are redacted. With --json the files are listed;
with --json and --follow each piece is one line of JSON.

Examples:
  towpath logs @latest
  towpath logs @latest two-to-three --attempt 1
  towpath logs @latest baseline -f`,
    paged: ({ options }) => options["follow"] !== true,
    load: async () => (await import("./commands/logs.js")).logs,
  },
  {
    name: "diff",
    description: "show what a migration, or one step of it, has changed",
    arguments: [MIGRATION, ["[step]", "id of a step; without it, everything since the base commit"]],
    options: [{ flags: "--stat", description: "files and numbers of lines only" }],
    paged: () => true,
    help: `Works on the host that runs the migration. Examples:
  towpath diff @latest
  towpath diff @latest two-to-three --stat`,
    load: async () => (await import("./commands/diff.js")).diff,
  },
  {
    name: "open",
    description: "open a migration, or a list of them, in the Temporal Web UI",
    arguments: [["[migration]", "a migration's id, the beginning of one, or @latest"]],
    options: [
      {
        flags: "--list <which>",
        description:
          "all (default), waiting, failed (this week), here (this host), containers (on this host)",
        choices: ["all", "waiting", "failed", "here", "containers"],
      },
    ],
    help: `Prints the address where no browser can be opened: without a terminal, in CI, over SSH without a display, or
with TOWPATH_NO_OPEN=1.`,
    load: async () => (await import("./commands/open.js")).open,
  },
  {
    name: "advance",
    description: "leave a phase through its gate",
    arguments: [MIGRATION, ["<phase>", "understand, guardrail, migrate or verify"]],
    help: "The gate is checked first: its commands run, and exit code 4 says that it stays closed.",
    load: async () => (await import("./commands/advance.js")).advance,
  },
  {
    name: "approve",
    description: "approve the tree that a migration wants approved",
    arguments: [MIGRATION],
    options: [
      { flags: "--comment <text>", description: "recorded with the approval" },
      AS,
      {
        flags: "--tree <id>",
        description: "the tree that you looked at; another one is refused (default: the awaited one)",
      },
    ],
    help: `Look first: towpath diff <migration>

Example:
  towpath approve @latest --comment "read the diff"`,
    load: async () => (await import("./commands/approve.js")).approve,
  },
  {
    name: "reject",
    description: "reject what a migration wants approved, which ends it",
    arguments: [MIGRATION],
    options: [{ flags: "--comment <text>", description: "recorded with the rejection" }, AS, YES],
    load: async () => (await import("./commands/reject.js")).reject,
  },
  {
    name: "retry",
    description: "try again what a migration has stopped at, or go on with an edited spec",
    arguments: [MIGRATION],
    options: [
      { flags: "--spec <file>", description: "go on with this edited spec" },
      {
        flags: "--param <name=value>",
        description: "with --spec: a parameter that changes",
        repeatable: true,
      },
      { flags: "--allow-host", description: "with --spec: let its commands run on this host" },
    ],
    help: `With --spec the migration must be waiting or paused. Finished steps are kept as long as their definition, their
inputs and all that ran before them are the same; work goes on at the first that changed. What is undone stays
reachable by a tag. The spec is refused with every problem where it is invalid.

Example:
  towpath retry @latest --spec towpath.yaml`,
    load: async () => (await import("./commands/retry.js")).retry,
  },
  {
    name: "skip",
    description: "leave out the step that a migration has stopped at",
    arguments: [MIGRATION, STEP],
    options: [{ flags: "--reason <text>", description: "why; recorded with your name (required)" }, YES],
    load: async () => (await import("./commands/skip.js")).skip,
  },
  {
    name: "rollback",
    description: "go back to before a step, and run it and the later ones again",
    arguments: [MIGRATION, STEP],
    options: [YES],
    help: "The migration must be waiting or paused. What is undone stays reachable by a tag.",
    load: async () => (await import("./commands/rollback.js")).rollback,
  },
  {
    name: "pause",
    description: "let a migration stand still before its next step",
    arguments: [MIGRATION],
    load: async () => (await import("./commands/pause.js")).pause,
  },
  {
    name: "resume",
    description: "let a paused migration go on",
    arguments: [MIGRATION],
    load: async () => (await import("./commands/pause.js")).resume,
  },
  {
    name: "recover",
    description: "go on with a migration whose workflow Temporal has lost, from its directory",
    arguments: [MIGRATION],
    options: [{ flags: "--manual", description: "a person advances every phase, as at its start" }],
    help: `For a Temporal whose database is gone, and for a workflow that somebody terminated. The directory and the branch say what
is done: it stays, and work goes on behind it under the same id. A migration that Temporal still runs is left alone.

Example:
  towpath recover mig_20250101_120000_shop-0a1b2c`,
    load: async () => (await import("./commands/recover.js")).recover,
  },
  {
    name: "stop",
    description: "end a migration, or everything that runs for a folder; branches and evidence stay",
    arguments: [["[target]", "a folder (default: the working directory), or a migration as elsewhere"]],
    options: [
      { flags: "--all", description: "everything that runs on this host" },
      { flags: "--reason <text>", description: "recorded as the outcome" },
      YES,
    ],
    help: `Migrations are asked to stop and clean up after themselves. Where nobody answers, what runs in containers is ended
and removed all the same: Towpath's own containers of that folder, by their labels, and nobody else's.

Examples:
  towpath stop
  towpath stop services/api
  towpath stop @latest --yes
  towpath stop --all`,
    load: async () => (await import("./commands/stop.js")).stop,
  },
  {
    name: "validate",
    description: "check a migration spec",
    arguments: [["[file]", "the spec (default: ./towpath.yaml)"]],
    help: "Prints file:line:column: what is wrong, a line each; exit code 2 when something is.",
    load: async () => (await import("./commands/validate.js")).validate,
  },
  {
    name: "schema",
    description: "print the JSON Schema of migration specs, for editors",
    help: `Example:
  towpath schema > towpath.schema.json

and as the first line of a spec:
  # yaml-language-server: $schema=./towpath.schema.json`,
    load: async () => (await import("./commands/schema.js")).schema,
  },
];
