import { rememberConsent } from "../../adapters/consent/consents.js";
import { TowpathError } from "../../model/errors.js";
import type { CommandContext } from "../command.js";
import { printableBlock } from "../printable.js";
import { confirm } from "../prompt.js";

/** A spec whose commands would run on this host. */
export interface ConsentSubject {
  /** The spec's file as the user may write it. */
  readonly shown: string;
  /** Every command that would run on the host. */
  readonly commands: readonly string[];
  /** Real absolute path of the project that the spec belongs to. */
  readonly source: string;
  /** Whether commands run on this host, and whether somebody has agreed to that. */
  readonly host: "no commands" | "consent given" | "consent needed";
  /** What to do where nobody can be asked. */
  readonly otherwise: string;
}

const SHOWN_LINES = 40;

function consentRequired(project: string, details: string): TowpathError {
  return new TowpathError(
    "ConsentRequired",
    `The spec's commands would run on this host, with your rights, and nobody has agreed to that for ${project}. ${details}`,
    { details: { project } },
  );
}

/** Every line of the commands, as far as a screen goes: what is cut is said, for it may be what matters. */
export function shownCommands(commands: readonly string[]): string[] {
  const lines = commands.flatMap((command) =>
    command
      .trimEnd()
      .split("\n")
      .map((line, index) => `  ${index === 0 ? "$" : ">"} ${line}`),
  );
  const cut = lines.length - SHOWN_LINES;
  if (cut <= 0) return lines;
  return [
    ...lines.slice(0, SHOWN_LINES),
    `  … and ${cut} more lines; read them all with: towpath start --dry-run`,
  ];
}

function question(subject: ConsentSubject, consentsFile: string): string {
  return printableBlock(
    [
      `${subject.shown} is code. These commands run on this host, with your rights:`,
      ...shownCommands(subject.commands),
      `A yes holds for every later start in ${subject.source}, and is kept in ${consentsFile}.`,
      "Let the commands of this project's specs run on this host?",
    ].join("\n"),
  );
}

/**
 * Sees to it that somebody agreed to running the spec's commands on the host: by flag for this start, by an earlier
 * answer for this project, or by being asked now.
 * @param by who is asked, for the record
 * @throws TowpathError `ConsentRequired`
 */
export async function requireConsent(
  subject: ConsentSubject,
  surroundings: {
    readonly context: CommandContext;
    readonly dataDir: string;
    readonly consentsFile: string;
    readonly by: string;
  },
): Promise<void> {
  if (subject.host !== "consent needed") return;
  const { context, dataDir, consentsFile, by } = surroundings;
  if (!context.interactive || context.json) {
    throw consentRequired(subject.source, subject.otherwise);
  }
  if (!(await confirm(question(subject, consentsFile)))) {
    throw consentRequired(subject.source, "Nothing was started.");
  }
  await rememberConsent(dataDir, subject.source, { at: new Date(), by });
}
