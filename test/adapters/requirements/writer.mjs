/** Persists one document under the trap. Arguments: root of the compiled sources, project, text, signature and listing of the code. */
import { join } from "node:path";

const [root, project, text, signature, listing] = process.argv.slice(2);
const { requirementsPaths } = await import(join(root, "adapters/requirements/paths.js"));
const { persistDocument } = await import(join(root, "adapters/requirements/persist.js"));

globalThis.trap.arm();
await persistDocument(requirementsPaths(project), {
  bytes: Buffer.from(text),
  source: "user",
  code: { signature, mode: "files", sampled: false, files: 1, listing: `${listing}\0` },
  now: new Date(),
});
process.stdout.write(String(globalThis.trap.count()));
