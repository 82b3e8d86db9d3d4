import type { CommandDefinition, CommandOption } from "./command.js";
import { YES } from "./common-options.js";

const REFRESH_OPTIONS: readonly CommandOption[] = [
  { flags: "--keep <n>", description: "keep so many of the repository's newest images (default: 1)" },
  { flags: "--min-age <duration>", description: "keep what this host has seen for less: 30m, 12h, 7d" },
  {
    flags: "--pin <glob>",
    description: "keep images whose tag or reference matches; repeatable",
    repeatable: true,
  },
  { flags: "--keep-tagged", description: "remove only images that lost their tags" },
  { flags: "--above <size>", description: "remove only while all images take at least so much: 20g" },
  { flags: "--above-disk <percent>", description: "remove only while the engine's disk is at least so full" },
];

const SCHEDULE = ["<image>", "the image whose repository is refreshed, or the schedule's id"] as const;

/** The commands about images of the container engine, in the order of the help. */
export const IMAGE_COMMANDS: readonly CommandDefinition[] = [
  {
    name: "image refresh",
    description: "pull images, and remove those that they supersede",
    arguments: [["<images...>", "references, as for `docker pull`"]],
    options: [
      { flags: "--dry-run", description: "pull, and show what would be removed; remove nothing" },
      { flags: "--apply <file>", description: "remove only what a dry run has shown (its --json answer)" },
      { flags: "--no-prune", description: "do nothing: as TOWPATH_IMAGE_PRUNE=0 does" },
      ...REFRESH_OPTIONS,
    ],
    help: `Removed are images of the same repository that nothing keeps: no container in any state uses them, no running
migration will, they are not pinned (--pin, or the label towpath.keep=true), and they are not the newest. Names that others
gave an image stay. Nothing is ever removed by force. A failed pull removes nothing.

Examples:
  towpath image refresh python:3.11-slim --dry-run
  towpath image refresh registry.example/team/tools:latest --keep 3 --min-age 7d`,
    load: async () => (await import("./commands/image-refresh.js")).imageRefresh,
  },
  {
    name: "image schedule create",
    description: "refresh an image again and again on this host",
    arguments: [["<image>", "a reference, as for `docker pull`"]],
    options: [
      { flags: "--every <duration>", description: "how often (default: 24h)" },
      { flags: "--cron <expression>", description: "when, instead of --every: '0 4 * * 1'" },
      ...REFRESH_OPTIONS,
    ],
    help: `There is one schedule for a repository on a host. A run that is still going on is not overtaken, runs that were
missed while the server was away are not made up for, and a refresh that keeps failing pauses its schedule.`,
    load: async () => (await import("./commands/image-schedule.js")).create,
  },
  {
    name: "image schedule list",
    description: "list the schedules of every host",
    load: async () => (await import("./commands/image-schedule.js")).list,
  },
  {
    name: "image schedule show",
    description: "show a schedule and what its runs came to",
    arguments: [SCHEDULE],
    load: async () => (await import("./commands/image-schedule.js")).show,
  },
  {
    name: "image schedule trigger",
    description: "run a schedule now",
    arguments: [SCHEDULE],
    load: async () => (await import("./commands/image-schedule.js")).trigger,
  },
  {
    name: "image schedule pause",
    description: "let a schedule rest",
    arguments: [SCHEDULE],
    options: [{ flags: "--reason <text>", description: "shown with the schedule" }],
    load: async () => (await import("./commands/image-schedule.js")).pause,
  },
  {
    name: "image schedule resume",
    description: "let a paused schedule go on",
    arguments: [SCHEDULE],
    load: async () => (await import("./commands/image-schedule.js")).resume,
  },
  {
    name: "image schedule delete",
    description: "delete a schedule; what it did stays in Temporal's list",
    arguments: [SCHEDULE],
    options: [YES],
    load: async () => (await import("./commands/image-schedule.js")).remove,
  },
];
