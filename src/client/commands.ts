import type { CommandDefinition } from "./command.js";
import { YES } from "./common-options.js";
import { IMAGE_COMMANDS } from "./image-commands.js";
import { MIGRATION_COMMANDS } from "./migration-commands.js";
import { PRD_COMMANDS } from "./prd-commands.js";

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandDefinition[] = [
  ...MIGRATION_COMMANDS,
  ...PRD_COMMANDS,
  ...IMAGE_COMMANDS,
  {
    name: "up",
    description: "start Temporal and a worker in the background, or show those that run",
    help: "Idempotent. With a Temporal address configured no server is started, only the worker.",
    load: async () => (await import("./commands/up.js")).up,
  },
  {
    name: "down",
    description: "stop the background worker and the embedded server",
    help: "Nothing is lost: migrations go on at the next `towpath up`.",
    load: async () => (await import("./commands/down.js")).down,
  },
  {
    name: "worker",
    description: "run a worker in the foreground, until SIGTERM or Ctrl-C",
    traced: false,
    help: "Logs are JSON lines on stdout. The first signal lets running work end, the second ends it at once.",
    load: async () => (await import("./commands/worker.js")).worker,
  },
  {
    name: "hosts",
    description: "list the hosts: which are there, how busy they are, what they hold",
    options: [
      {
        flags: "--forget <host>",
        description: "no longer list one that will not come back, or that was moved",
      },
      YES,
    ],
    help: `A host is a machine (more exactly: a data directory) whose worker has run. Migrations wait for a host that is gone, and go
on when its worker runs again.`,
    load: async () => (await import("./commands/hosts.js")).hosts,
  },
  {
    name: "codec-key",
    description: "add a fresh key to a key file for encrypted payloads",
    arguments: [["<file>", "the key file; made where there is none, for its owner alone"]],
    options: [{ flags: "--last", description: "it only decrypts, until its line is moved to the top" }],
    help: `With several hosts a new key comes in three steps: add it with --last, give every host the file, then move its line
to the top.

Example:
  towpath codec-key ~/.towpath-keys && export TOWPATH_ENCRYPTION_KEY_FILE=~/.towpath-keys`,
    load: async () => (await import("./commands/codec-key.js")).codecKey,
  },
  {
    name: "codec-server",
    description: "decrypt for the Temporal Web UI and CLI, until SIGTERM or Ctrl-C",
    traced: false,
    options: [
      { flags: "--address <host:port>", description: "where it listens (default: a port on loopback)" },
      {
        flags: "--ui <address>",
        description: "the Web UI whose pages may ask (default: the known one); repeatable",
        repeatable: true,
      },
    ],
    help: `The embedded Web UI knows where it is. Temporal's CLI is told:
  temporal workflow show -w <id> --codec-endpoint <the address that it prints> \\
    --codec-auth "Bearer $(cat ~/.towpath/codec/token)"`,
    load: async () => (await import("./commands/codec-server.js")).codecServer,
  },
  {
    name: "doctor",
    description: "check what Towpath needs on this machine",
    load: async () => (await import("./commands/doctor.js")).doctor,
  },
  {
    name: "completion",
    description: "print what completes commands, ids and steps in your shell",
    arguments: [["<shell>", "bash, zsh or fish"]],
    help: `Put one of these where your shell starts:
  source <(towpath completion bash)       ~/.bashrc
  source <(towpath completion zsh)        ~/.zshrc, behind compinit
  towpath completion fish | source        ~/.config/fish/config.fish`,
    load: async () => (await import("./commands/completion.js")).completion,
  },
  {
    name: "complete",
    description: "answer what may stand at the end of a command line",
    arguments: [["[words...]", "the words behind `towpath`, the last one unfinished"]],
    hidden: true,
    load: async () => (await import("./commands/complete.js")).complete,
  },
];
