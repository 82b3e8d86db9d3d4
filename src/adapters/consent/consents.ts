import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import lockfile from "proper-lockfile";
import { z } from "zod";
import { TowpathError, messageOf } from "../../model/errors.js";
import { isMissing } from "../../model/system-errors.js";

const Consent = z.looseObject({ at: z.string(), by: z.string() });
const ConsentFile = z.looseObject({ version: z.literal(1), projects: z.record(z.string(), Consent) });
type ConsentFile = z.infer<typeof ConsentFile>;

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
/** Measured for the manifest (docs: reliability); a consent is written once a project. */
const LOCK_OPTIONS = {
  realpath: false,
  stale: 10_000,
  update: 2000,
  retries: { retries: 400, minTimeout: 5, maxTimeout: 50, factor: 1.5, randomize: true },
};

/** Where the consents of a data directory are kept. */
export function consentsPath(dataDir: string): string {
  return path.join(dataDir, "consents.json");
}

function damaged(file: string, cause: unknown): TowpathError {
  return new TowpathError(
    "StorageFailed",
    `${file} is not a list of consents (${messageOf(cause)}). Remove it; projects are then asked for again.`,
    { cause },
  );
}

async function readConsents(file: string): Promise<ConsentFile> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return { version: 1, projects: {} };
    throw new TowpathError("StorageFailed", `Cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
  try {
    return ConsentFile.parse(JSON.parse(text));
  } catch (error) {
    throw damaged(
      file,
      error instanceof z.ZodError ? new Error("its shape is another", { cause: error }) : error,
    );
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx", FILE_MODE);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * True when somebody agreed, on this machine, that commands of this project's spec run on the host. Writes nothing.
 * @param project real absolute path of the project
 * @throws TowpathError `StorageFailed`
 */
export async function hasConsent(dataDir: string, project: string): Promise<boolean> {
  const { projects } = await readConsents(consentsPath(dataDir));
  return Object.hasOwn(projects, project);
}

function cannotRemember(file: string, cause: unknown): TowpathError {
  return new TowpathError(
    "StorageFailed",
    `Cannot remember the consent in ${file}: ${messageOf(cause)}. Start with --allow-host to go on without.`,
    { cause },
  );
}

/** Runs `change` under the lock; its argument throws where the lock was lost meanwhile. */
async function locked(file: string, change: (ensureHeld: () => void) => Promise<void>): Promise<void> {
  let lost: Error | null = null;
  const release = await lockfile.lock(file, {
    ...LOCK_OPTIONS,
    onCompromised: (error) => {
      lost = error;
    },
  });
  try {
    await change(() => {
      if (lost !== null) throw lost;
    });
  } finally {
    // A lock that was taken over is no longer ours to release.
    if (lost === null) await release();
  }
}

/**
 * Remembers a consent for a project.
 * @param project real absolute path of the project
 * @throws TowpathError `StorageFailed`
 */
export async function rememberConsent(
  dataDir: string,
  project: string,
  consent: { readonly at: Date; readonly by: string },
): Promise<void> {
  const file = consentsPath(dataDir);
  try {
    await mkdir(dataDir, { recursive: true, mode: DIRECTORY_MODE });
    await locked(file, async (ensureHeld) => {
      const consents = await readConsents(file);
      const projects = { ...consents.projects, [project]: { at: consent.at.toISOString(), by: consent.by } };
      ensureHeld();
      await replaceFile(file, `${JSON.stringify({ ...consents, projects }, null, 2)}\n`);
    });
  } catch (error) {
    throw error instanceof TowpathError ? error : cannotRemember(file, error);
  }
}
