import type { Waiting } from "./manifest.js";

/** A command that a person may give now, and what it does. */
export interface Advice {
  readonly command: string;
  readonly effect: string;
}

/** Most failures are cured in the spec. */
function editedSpec(id: string): Advice {
  return { command: `towpath retry ${id} --spec towpath.yaml`, effect: "go on with the edited spec" };
}

function stepAdvice(id: string, step: string): Advice[] {
  return [
    { command: `towpath logs ${id} ${step}`, effect: "show what failed" },
    { command: `towpath retry ${id}`, effect: "try the step again" },
    editedSpec(id),
    { command: `towpath skip ${id} ${step} --reason "…"`, effect: "go on without it" },
    { command: `towpath rollback ${id} ${step}`, effect: "undo the step and every later one" },
  ];
}

function retryAdvice(effect: string): (id: string) => Advice[] {
  return (id) => [{ command: `towpath retry ${id}`, effect }];
}

const ADVICE: Readonly<Record<Waiting["kind"], (id: string, waiting: Waiting) => Advice[]>> = {
  advance: (id, waiting) => [
    { command: `towpath gates ${id}`, effect: "show what the gates found" },
    { command: `towpath advance ${id} ${waiting.phase}`, effect: "check the gate and go on" },
  ],
  approval: (id) => [
    { command: `towpath diff ${id}`, effect: "show what was changed" },
    { command: `towpath approve ${id} --comment "…"`, effect: "approve the tree named above" },
    { command: `towpath reject ${id} --comment "…"`, effect: "end the migration" },
  ],
  "step-failed": (id, waiting) =>
    waiting.step === undefined ? retryAdvice("try again")(id) : stepAdvice(id, waiting.step),
  "gate-closed": (id, waiting) => [
    { command: `towpath gates ${id}`, effect: "show what keeps it closed" },
    { command: `towpath logs ${id} gate-${waiting.phase}`, effect: "show what the gate's commands wrote" },
    ...retryAdvice("check the gate again")(id),
    editedSpec(id),
  ],
  "preparation-failed": (id) => [
    { command: `towpath logs ${id}`, effect: "list what was written" },
    ...retryAdvice("try again")(id),
    editedSpec(id),
  ],
  blocked: retryAdvice("try again, once the cause is gone"),
  paused: (id) => [{ command: `towpath resume ${id}`, effect: "go on" }],
};

/** What a person may do about a migration that waits, the most useful first. */
export function adviceFor(id: string, waiting: Waiting): Advice[] {
  const stop = { command: `towpath stop ${id}`, effect: "end it; branch and evidence stay" };
  const advice = ADVICE[waiting.kind](id, waiting);
  return waiting.kind === "approval" ? advice : [...advice, stop];
}
