/**
 * A process: `download-main <directory> <version>` lets the SDK download the Temporal CLI into the directory, as
 * `temporal-<version>`. The SDK downloads only what it then starts, so a server in memory runs for a moment.
 */
import { TestWorkflowEnvironment } from "@temporalio/testing";

const [directory, version] = process.argv.slice(2);
if (directory === undefined || version === undefined)
  throw new Error("usage: download-main <directory> <version>");

try {
  const environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: "cached-download", downloadDir: directory, version } },
  });
  await environment.teardown();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
