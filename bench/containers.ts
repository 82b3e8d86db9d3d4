import { join } from "node:path";
import { BenchEngine } from "./support/engine.js";
import { stepTimes } from "./support/history.js";
import { Home } from "./support/home.js";
import { makeProject } from "./support/project.js";
import { median, type Section } from "./support/table.js";

const STEPS = 20;
const REPEAT = 20;

/**
 * What a command costs more in a container than on the host, over what the engine itself takes to create, start, await and
 * remove a container. Each step runs one command.
 * @returns why it cannot be measured, where no engine answers
 */
export async function benchContainers(): Promise<Section | string> {
  const engine = await BenchEngine.open();
  if (typeof engine === "string") return engine;
  const home = await Home.make();
  try {
    await home.run("up");
    await engine.runOnce();
    const own: number[] = [];
    const [onHost, contained] = [
      await perStep(home, "host", (i) => `run: "echo ${i} > a.txt"`),
      await perStep(
        home,
        "containers",
        (i) => `run: "echo ${i} > a.txt", container: { image: "${engine.image}", memory: 256m, pids: 256 }`,
      ),
    ];
    for (let i = 0; i < REPEAT; i++) own.push(await engine.runOnce());
    const engineMs = median(own);
    const containerMs = contained - onHost;
    return {
      title: "A step's command in a container",
      rows: [
        { name: "the engine's own create, start, wait, remove", value: engineMs, unit: "ms" },
        { name: "Towpath, a step on the host", value: onHost, unit: "ms" },
        { name: "Towpath, a step in a container", value: contained, unit: "ms" },
        { name: "the container's part", value: containerMs, unit: "ms" },
        { name: "overhead, start to exit", value: containerMs - engineMs, unit: "ms" },
        { name: "the container's part over the engine's own", value: containerMs / engineMs, unit: "×" },
      ],
    };
  } finally {
    await home.remove();
    await engine.remove();
  }
}

async function perStep(home: Home, name: string, stepOf: (i: number) => string): Promise<number> {
  const project = await makeProject(join(home.directory, name), STEPS, stepOf);
  return (await stepTimes(home, await home.complete(project))).totalMs / STEPS;
}
