// usage: dbos.mjs SDK REPOSITORY MANIFEST STEPS DATABASE-URL   (prints the milliseconds without launch and shutdown)
import { createRequire } from "node:module";
import { smallStep } from "./small-step.mjs";

const [sdk, repository, manifest, steps, systemDatabaseUrl] = process.argv.slice(2);
const { DBOS } = createRequire(`${sdk}/`)("@dbos-inc/dbos-sdk");

const workflow = DBOS.registerWorkflow(
  async () => {
    for (let i = 1; i <= Number(steps); i++) {
      await DBOS.runStep(() => smallStep(repository, manifest, i), { name: `s${i}` });
    }
  },
  { name: "small" },
);
DBOS.setConfig({ name: "bench", systemDatabaseUrl, logLevel: "error" });
await DBOS.launch();
const begun = performance.now();
await workflow();
console.log(performance.now() - begun);
await DBOS.shutdown();
