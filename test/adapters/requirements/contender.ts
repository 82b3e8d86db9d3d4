/** Persists documents of its own, one after the other. Arguments: project, own name, how many. */
import { createHash } from "node:crypto";
import { requirementsPaths } from "../../../src/adapters/requirements/paths.js";
import { persistDocument } from "../../../src/adapters/requirements/persist.js";

const [project = "", name = "", rounds = "0"] = process.argv.slice(2);
const paths = requirementsPaths(project);
for (let round = 0; round < Number(rounds); round += 1) {
  const text = `${name} ${round}\n`.repeat(200);
  const digest = createHash("sha256").update(text).digest("hex");
  const listing = `f${digest} a.txt\0`;
  const signature = createHash("sha256").update(`towpath code 1\0${listing}`).digest("hex");
  const code = { signature, mode: "files" as const, sampled: false, files: 1, listing };
  await persistDocument(paths, { bytes: Buffer.from(text), source: "user", code, now: new Date() });
  process.stdout.write(".");
}
