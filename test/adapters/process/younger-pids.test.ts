import * as fc from "fast-check";
import { expect, it } from "vitest";
import { YoungerPids } from "../../../src/adapters/process/younger-pids.js";

const PID_MAX = 60;

/** Gives pids out as Linux does: the next free one behind the last, and from the lowest again behind the highest. */
class Kernel {
  readonly used = new Set<number>();
  forks = 0;

  constructor(private last: number) {}

  fork(): number {
    do this.last = this.last + 1 < PID_MAX ? this.last + 1 : 1;
    while (this.used.has(this.last));
    this.used.add(this.last);
    this.forks += 1;
    return this.last;
  }

  readonly count = () => ({ forks: this.forks, tasks: this.used.size, pidMax: PID_MAX });
}

it("never rules out a process that was made after the run's first, whatever else was made and ended", () => {
  const happenings = fc.array(fc.record({ ends: fc.nat(), isOurs: fc.boolean() }), { maxLength: 80 });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: PID_MAX - 1 }),
      fc.uniqueArray(fc.integer({ min: 1, max: PID_MAX - 1 }), { maxLength: 20 }),
      happenings,
      (last, old, happened) => {
        const kernel = new Kernel(last);
        for (const pid of old) kernel.used.add(pid);
        const younger = new YoungerPids(kernel.count);
        const first = kernel.fork();
        const ours: number[] = [];
        for (const { ends, isOurs } of happened) {
          const pid = kernel.used.size < PID_MAX - 10 ? kernel.fork() : null;
          if (isOurs && pid !== null) ours.push(pid);
          const others = [...kernel.used].filter((each) => each !== first && !ours.includes(each));
          const gone = others[ends % Math.max(others.length, 1)];
          if (gone !== undefined) kernel.used.delete(gone);
        }
        const mayMatter = younger.than(first) ?? (() => true);
        expect(ours.filter((pid) => !mayMatter(pid))).toEqual([]);
      },
    ),
    { numRuns: 2_000 },
  );
});

it("rules older processes out, unless so many were made that the numbers may have begun again", () => {
  let forks = 100;
  const younger = new YoungerPids(() => ({ forks, tasks: 10, pidMax: 1_000 }));
  forks = 150;
  expect([5, 499, 500, 501].map((pid) => younger.than(500)?.(pid))).toEqual([false, false, true, true]);
  forks = 400;
  expect(younger.than(500)).toBeUndefined();
  expect(younger.than(undefined)).toBeUndefined();
});
