// `npm run test:faults`: the fault tests alone.
//   -- --kills N   random kills of a worker (30 in the ordinary run)
//   -- --seed S    the random choices of an earlier run, which printed its seed
//   -- --long      every aim instead of a sample: hours, not minutes
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kills: { type: "string" }, seed: { type: "string" }, long: { type: "boolean" } },
});

for (const name of ["kills", "seed"]) {
  if (values[name] !== undefined && !/^[1-9]\d*$/.test(values[name])) {
    console.error(`--${name} takes a positive number, not '${values[name]}'`);
    process.exit(2);
  }
}

const files = positionals.length > 0 ? positionals : ["test/faults"];
const { status } = spawnSync(join(root, "node_modules", ".bin", "vitest"), ["run", ...files], {
  cwd: root,
  stdio: "inherit",
  env: {
    ...process.env,
    ...(values.kills === undefined ? {} : { TOWPATH_FAULT_KILLS: values.kills }),
    ...(values.seed === undefined ? {} : { TOWPATH_FAULT_SEED: values.seed }),
    ...(values.long || Number(values.kills) > 100 ? { TOWPATH_FAULT_LONG: "1" } : {}),
  },
});
process.exitCode = status ?? 1;
