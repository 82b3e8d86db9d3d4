/**
 * A process that changes one manifest again and again, and writes each acknowledged operation to stdout.
 * In every operation whose number `TRAP_EVERY` divides it traps itself inside the critical section:
 * `SIGKILL` ends it there, `SIGSTOP` suspends it until somebody lets it go on.
 * Arguments: data dir, migration id, own name, first operation, number of operations, signal, TRAP_EVERY.
 */
import { MigrationStore } from "../../../src/adapters/store/migration-store.js";

const [dataDir = "", id = "", name = "", first = "0", count = "0", signal = "", trapEvery = "0"] =
  process.argv.slice(2);
const store = new MigrationStore({ dataDir, lockStaleMs: 2000 });

const trapped = new Set<number>();

/** Once for each operation: a suspended one finds itself overtaken, and changes anew. */
function trap(number: number): void {
  if (trapped.has(number)) return;
  trapped.add(number);
  if (number === Number(first) || Number(trapEvery) === 0 || number % Number(trapEvery) !== 0) return;
  process.kill(process.pid, signal === "SIGSTOP" ? "SIGSTOP" : "SIGKILL");
}

for (let number = Number(first); number < Number(first) + Number(count); number += 1) {
  const operation = `${name}-${number}`;
  await store.updateManifest(id, operation, (manifest) => {
    trap(number);
    return {
      manifest: { ...manifest, checkpoints: [...manifest.checkpoints, operation] },
      result: operation,
    };
  });
  process.stdout.write(`${operation}\n`);
}
