// usage: node-loop.mjs REPOSITORY MANIFEST STEPS   (prints the milliseconds)
import { smallStep } from "./small-step.mjs";

const [repository, manifest, steps] = process.argv.slice(2);
const begun = performance.now();
for (let i = 1; i <= Number(steps); i++) await smallStep(repository, manifest, i);
console.log(performance.now() - begun);
