import { TowpathError } from "../../model/errors.js";
import type { Snapshot } from "../migrations/events.js";
import { follow, type Followed, type FollowEnd } from "../migrations/follow.js";
import type { Terminal } from "../terminal.js";
import { renderFrame } from "./frame.js";
import type { OutputTail } from "./output-tail.js";
import { Screen } from "./screen.js";
import type { StepTimes } from "./step-times.js";
import type { KnownSteps } from "./time-left.js";

const TICK_MS = 250;

export interface LiveOptions {
  readonly terminal: Terminal;
  /** The last lines of what runs; null where this machine does not hold the migration. */
  readonly output: OutputTail | null;
  /** How long steps took in earlier runs; null where nobody knows. */
  readonly times: StepTimes | null;
  readonly signal: AbortSignal;
  readonly now?: () => Date;
}

/** Follows a migration and draws it as it goes on, until it ends or the signal says enough. */
export async function watchLive(migration: Followed, options: LiveOptions): Promise<FollowEnd> {
  const view = new LiveView(options);
  const stopListening = options.terminal.onResize(() => view.refresh());
  const timer = setInterval(() => view.refresh(), TICK_MS);
  try {
    return await follow(migration, {
      signal: options.signal,
      onEvent: async () => undefined,
      onLook: (snapshot) => view.show(snapshot),
      onTrouble: (message) => view.complain(message),
    });
  } finally {
    clearInterval(timer);
    stopListening();
    await view.settle();
  }
}

class LiveView {
  private snapshot: Snapshot | null = null;
  private trouble: string | null = null;
  private lines: readonly string[] = [];
  private known: KnownSteps | null = null;
  private drawing: Promise<void> | null = null;
  private readonly screen: Screen;

  constructor(private readonly options: LiveOptions) {
    this.screen = new Screen(options.terminal);
  }

  show(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    this.trouble = null;
    this.refresh();
  }

  complain(message: string): void {
    this.trouble = message;
    this.refresh();
  }

  /** Draws once more, unless that is being done: a slow terminal gets fewer frames. */
  refresh(): void {
    this.drawing ??= this.draw().finally(() => {
      this.drawing = null;
    });
  }

  /** The last frame shows the last state. */
  async settle(): Promise<void> {
    await this.drawing;
    await this.draw();
  }

  private async draw(): Promise<void> {
    const { snapshot } = this;
    if (snapshot === null) return;
    await this.readFiles(snapshot);
    const { terminal, now } = this.options;
    const { lines: output, known, trouble } = this;
    const facts = { snapshot, output, known, trouble, now: now?.() ?? new Date() };
    // The line below the frame is where the cursor rests.
    await this.screen.draw(
      renderFrame(facts, { columns: terminal.columns(), rows: Math.max(8, terminal.rows() - 1) }),
    );
  }

  private async readFiles({ progress, plan }: Snapshot): Promise<void> {
    try {
      this.known = (await this.options.times?.of(plan)) ?? null;
      this.lines = (await this.options.output?.lines(progress)) ?? [];
    } catch (error) {
      if (!(error instanceof TowpathError)) throw error;
      this.trouble = error.message;
    }
  }
}
