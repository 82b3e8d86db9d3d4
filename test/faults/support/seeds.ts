/** `TOWPATH_FAULT_SEED`, or a new one; printed with a failure's run so that the run can be repeated. */
export function seedOfRun(): number {
  const given = Number(process.env["TOWPATH_FAULT_SEED"] ?? "");
  const seed = given > 0 ? given : Math.trunc(Math.random() * 2 ** 31);
  console.log(`faults: seed ${seed} (npm run test:faults -- --seed ${seed})`);
  return seed;
}

/** How many random kills this run makes: `--kills`. */
export function killsOfRun(byDefault: number): number {
  const given = Number(process.env["TOWPATH_FAULT_KILLS"] ?? "");
  return given > 0 ? given : byDefault;
}

/** True in `npm run test:faults -- --long`, which takes every aim instead of a sample. */
export function isLongRun(): boolean {
  return process.env["TOWPATH_FAULT_LONG"] === "1";
}

/** Numbers in [0, 1) that the same seed gives again (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
