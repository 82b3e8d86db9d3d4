import type { ApprovalRule, GateResult } from "../activities/contract.js";
import type { Phase } from "../model/phases.js";
import type { Letter } from "./mailbox.js";
import { type MigrationParts, type Reception, Rejected } from "./reception.js";
import { failure, isRefusal, lateRefusal } from "./refusals.js";

type AdvanceLetter = Extract<Letter, { kind: "advance" }>;

/** Holds a migration at the gate of a phase until everything holds that must, and everybody agreed who must. */
export class GateKeeper {
  constructor(
    private readonly parts: MigrationParts,
    private readonly reception: Reception,
  ) {}

  /**
   * Returns when the phase was left through its gate.
   * @throws RolledBack | Rejected
   */
  async pass(phase: Phase, manual: boolean): Promise<void> {
    if (this.parts.input.spec === null) return this.passByHand(phase);
    let asked: AdvanceLetter | null = null;
    for (;;) {
      await this.reception.pausePoint();
      const gate = await this.check(phase);
      if (!gate.open) {
        asked?.refuse(failure("PhaseGate", closedText(gate)));
        asked = await this.waitAtClosedGate(gate);
        continue;
      }
      if (gate.approval !== null && asked !== null) {
        asked.refuse(failure("PhaseGate", "Phase gate failed: an approval is needed; it is asked for now"));
        asked = null;
      }
      if (gate.approval !== null && !(await this.collectApprovals(phase, gate, gate.approval))) continue;
      if (manual) asked ??= await this.waitForAdvance(phase);
      if (await this.advance(phase, gate.tree, asked)) return;
      asked = null;
    }
  }

  /** Hands-on: every advance checks the file gate; nothing else happens by itself. */
  private async passByHand(phase: Phase): Promise<void> {
    for (;;) {
      const asked = await this.waitForAdvance(phase);
      if (await this.advance(phase, null, asked)) return;
    }
  }

  private async check(phase: Phase): Promise<GateResult> {
    const { state, input, host } = this.parts;
    const operation = state.nextOperation(`check-gate-${phase}`);
    const gate = await this.reception.untilDone(`Checking the gate of '${phase}'`, () =>
      host.long.checkGate.executeWithOptions({ summary: `gate of ${phase}` }, [
        { migrationId: input.migrationId, phase, operation },
      ]),
    );
    state.gates[phase] = { phase, open: gate.open, refusals: gate.refusals, tree: gate.tree };
    return gate;
  }

  private async waitAtClosedGate(gate: GateResult): Promise<AdvanceLetter | null> {
    const { state } = this.parts;
    const letter = await this.reception.waitFor({
      kind: "gate-closed",
      message: closedText(gate),
    });
    if (letter?.kind === "retry") letter.answer({ retried: `the gate of '${state.phase}'` });
    else if (letter?.kind !== "advance") letter?.refuse(lateRefusal(state, letter));
    await this.reception.goOn();
    return letter?.kind === "advance" ? letter : null;
  }

  private async waitForAdvance(phase: Phase): Promise<AdvanceLetter> {
    const { state } = this.parts;
    for (;;) {
      const letter = await this.reception.waitFor({
        kind: "advance",
        message: `phase '${phase}' is left when somebody advances it`,
      });
      if (letter?.kind === "advance") return letter;
      letter?.refuse(lateRefusal(state, letter));
    }
  }

  /** False when the branch or the files changed since the gate was checked. */
  private async advance(phase: Phase, tree: string | null, asked: AdvanceLetter | null): Promise<boolean> {
    const { state, input, host } = this.parts;
    const operation = state.nextOperation(`advance-${phase}`);
    const by = asked?.request.by ?? "gate";
    try {
      const result = await this.reception.untilDone(
        `Leaving phase '${phase}'`,
        () =>
          host.quick.advancePhase.executeWithOptions({ summary: `leave ${phase}` }, [
            { migrationId: input.migrationId, phase, operation, by, tree },
          ]),
        true,
      );
      if (!result.advanced) {
        asked?.refuse(
          failure("PhaseGate", "Phase gate failed: the branch changed after the check; it is checked again"),
        );
        return false;
      }
      state.phases[phase] = "completed";
      asked?.answer({ phase, next: result.next });
      if (state.waiting !== null) await this.reception.goOn();
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      asked?.refuse(error);
      return false;
    }
  }

  /** False when what was to be approved is not there any more, so that the gate must be checked again. */
  private async collectApprovals(phase: Phase, gate: GateResult, rule: ApprovalRule): Promise<boolean> {
    const { state } = this.parts;
    const deadline = rule.timeoutMs === null ? undefined : Date.now() + rule.timeoutMs;
    let approvedBy: readonly string[] = [];
    for (;;) {
      const letter = await this.reception.waitFor(
        {
          kind: "approval",
          message: approvalText(gate, rule.required - approvedBy.length),
          tree: gate.tree,
          required: rule.required,
          approved_by: [...approvedBy],
          ...(deadline === undefined ? {} : { until: new Date(deadline).toISOString() }),
        },
        deadline === undefined ? {} : { deadline },
      );
      if (letter === null) return await this.approvalTimedOut(phase, rule);
      if (letter.kind === "reject") await this.rejectBy(phase, gate.tree, letter);
      if (letter.kind !== "approve") {
        letter.refuse(lateRefusal(state, letter));
        continue;
      }
      const recorded = await this.record(phase, gate.tree, "approved", letter.request);
      if (!recorded.accepted) {
        letter.refuse(
          failure(
            "ApprovalRefused",
            `Approval refused: it is for tree ${gate.tree}, but the branch now has tree ${recorded.tree}; look at that one first`,
          ),
        );
        await this.reception.goOn();
        return false;
      }
      approvedBy = recorded.approvedBy;
      letter.answer({ phase, approvedBy, required: rule.required });
      if (approvedBy.length >= rule.required) {
        await this.reception.goOn();
        return true;
      }
    }
  }

  private async rejectBy(
    phase: Phase,
    tree: string,
    letter: Extract<Letter, { kind: "reject" }>,
  ): Promise<never> {
    await this.record(phase, tree, "rejected", letter.request);
    letter.answer({ phase });
    const { by, comment } = letter.request;
    throw new Rejected(`${phase} was rejected by ${by}${comment && `: ${comment}`}`);
  }

  private record(
    phase: Phase,
    tree: string,
    verdict: "approved" | "rejected",
    { by, comment }: { by: string; comment: string },
  ) {
    const { state, input, host } = this.parts;
    const operation = state.nextOperation(`${verdict}-${phase}`);
    return this.reception.untilDone("Recording the approval", () =>
      host.quick.recordApproval.executeWithOptions({ summary: `${verdict} by ${by}` }, [
        { migrationId: input.migrationId, phase, operation, tree, verdict, by, comment },
      ]),
    );
  }

  private async approvalTimedOut(phase: Phase, rule: ApprovalRule): Promise<boolean> {
    if (rule.onTimeout === "reject") throw new Rejected(`nobody approved ${phase} in time`);
    const { state } = this.parts;
    const letter = await this.reception.waitFor({
      kind: "gate-closed",
      message: `nobody approved ${phase} in time; a retry asks again`,
    });
    if (letter?.kind === "retry") letter.answer({ retried: `the approval of '${phase}'` });
    else letter?.refuse(lateRefusal(state, letter));
    await this.reception.goOn();
    return false;
  }
}

function closedText(gate: GateResult): string {
  return `Phase gate failed: ${gate.refusals.join("; ")}`;
}

function approvalText({ tree, exceptions }: GateResult, missing: number): string {
  const needs = `tree ${tree.slice(0, 12)} needs ${missing} ${missing === 1 ? "approval" : "approvals"}`;
  if (exceptions === undefined) return needs;
  const { count, named } = exceptions;
  const more = count > named.length ? `; … and ${count - named.length} more` : "";
  return `${needs}, with ${count} newly skipped ${count === 1 ? "test" : "tests"}: ${named.join("; ")}${more}`;
}
