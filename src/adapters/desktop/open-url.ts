import { spawn } from "node:child_process";

/** How the systems open an address in the user's browser; the first program that is there is used. */
const OPENERS: Readonly<Record<"darwin" | "wsl" | "linux", readonly string[]>> = {
  darwin: ["open"],
  wsl: ["wslview", "explorer.exe"],
  linux: ["xdg-open"],
};

/**
 * Opens an address in the user's browser, without a shell and without waiting for it.
 * @returns false where no program for that could be started; nothing is ever thrown
 */
export async function openUrl(url: URL, env: Readonly<Record<string, string | undefined>>): Promise<boolean> {
  for (const opener of openersFor(process.platform, env)) {
    if (await starts(opener, url.href, env)) return true;
  }
  return false;
}

export function openersFor(
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  if (platform === "darwin") return OPENERS.darwin;
  return env.WSL_DISTRO_NAME === undefined ? OPENERS.linux : OPENERS.wsl;
}

function starts(
  program: string,
  address: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, [address], { stdio: "ignore", detached: true, env: { ...env } });
    child.once("error", () => resolve(false));
    child.once("spawn", () => {
      child.unref();
      resolve(true);
    });
  });
}
