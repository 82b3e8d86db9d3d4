import { openUrl } from "../adapters/desktop/open-url.js";
import { isInForeground } from "../adapters/terminal/foreground.js";
import type { CommandContext } from "./command.js";

/** What decides whether a browser is opened. */
export interface Surroundings {
  readonly stdoutIsTerminal: boolean;
  /** The process group has its terminal: it is no job behind `&`. */
  readonly inForeground: boolean;
  /** The answer is for a program (`--json`). */
  readonly forProgram: boolean;
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Why no browser is opened, in a few words; null: it is. */
export function whyNotOpen(surroundings: Surroundings): string | null {
  const { env } = surroundings;
  if (env.TOWPATH_NO_OPEN === "1") return "TOWPATH_NO_OPEN is 1";
  if (surroundings.forProgram) return "the answer is for a program";
  if (!surroundings.stdoutIsTerminal) return "stdout is no terminal";
  if (!surroundings.inForeground) return "the command runs in the background";
  if (isSet(env.CI) && env.CI !== "false" && env.CI !== "0") return "this is CI";
  if (hasDisplay(surroundings)) return null;
  const remote = isSet(env.SSH_CONNECTION) || isSet(env.SSH_TTY) || isSet(env.SSH_CLIENT);
  return remote ? "this is an SSH session without a display" : "there is no display";
}

/** A Mac and a Windows below have a display of their own, but not for those who come by SSH. */
function hasDisplay({ platform, env }: Surroundings): boolean {
  if (isSet(env.DISPLAY) || isSet(env.WAYLAND_DISPLAY)) return true;
  const remote = isSet(env.SSH_CONNECTION) || isSet(env.SSH_TTY) || isSet(env.SSH_CLIENT);
  return !remote && (platform === "darwin" || isSet(env.WSL_DISTRO_NAME));
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}

/**
 * Opens an address in a browser where somebody sits who would see it; it never fails the command.
 * @returns why it was not opened, or null
 */
export async function openForPerson(address: string, context: CommandContext): Promise<string | null> {
  const url = webAddress(address);
  if (url === null) return "it is no web address";
  const surroundings = {
    stdoutIsTerminal: context.terminal !== null,
    forProgram: context.json,
    platform: process.platform,
    env: context.env,
  };
  const reason =
    whyNotOpen({ ...surroundings, inForeground: true }) ??
    whyNotOpen({ ...surroundings, inForeground: await isInForeground() });
  if (reason !== null) return reason;
  return (await openUrl(url, context.env)) ? null : "no program here opens addresses";
}

/** An opener would start a program for another kind of address, or take it for an option. */
function webAddress(address: string): URL | null {
  if (!URL.canParse(address)) return null;
  const url = new URL(address);
  return url.protocol === "http:" || url.protocol === "https:" ? url : null;
}
