import type { ApplicationFailure } from "@temporalio/workflow";
import type {
  AdvanceAnswer,
  AdvanceRequest,
  ApproveAnswer,
  ApproveRequest,
  RejectAnswer,
  RejectRequest,
  RetryAnswer,
  RetryRequest,
  RollbackAnswer,
  RollbackRequest,
  SkipAnswer,
  SkipRequest,
} from "../model/messages.js";

/** The requests that people make of a waiting migration, each with the answer that it gets. */
export interface Exchanges {
  advance: { request: AdvanceRequest; answer: AdvanceAnswer };
  approve: { request: ApproveRequest; answer: ApproveAnswer };
  reject: { request: RejectRequest; answer: RejectAnswer };
  rollback: { request: RollbackRequest; answer: RollbackAnswer };
  retry: { request: RetryRequest; answer: RetryAnswer };
  skip: { request: SkipRequest; answer: SkipAnswer };
}

export type RequestKind = keyof Exchanges;

interface LetterOf<K extends RequestKind> {
  readonly kind: K;
  readonly request: Exchanges[K]["request"];
  answer(answer: Exchanges[K]["answer"]): void;
  refuse(failure: ApplicationFailure): void;
}

/** One request that its sender waits for; it must be answered or refused. */
export type Letter = { [K in RequestKind]: LetterOf<K> }[RequestKind];

/**
 * Requests in the order in which they came. Update handlers post and wait; the migration's main loop takes one after
 * the other, so that concurrent requests never interleave.
 */
export class Mailbox {
  private readonly letters: Letter[] = [];
  /** Those that were taken and are still being carried out are among them. */
  private readonly unanswered = new Set<Letter>();

  get empty(): boolean {
    return this.letters.length === 0;
  }

  take(): Letter | undefined {
    return this.letters.shift();
  }

  /** Takes every letter that has no answer yet: nobody carries anything out any more. */
  takeUnanswered(): Letter[] {
    this.letters.length = 0;
    const left = [...this.unanswered];
    this.unanswered.clear();
    return left;
  }

  advance(request: AdvanceRequest): Promise<AdvanceAnswer> {
    return this.post<AdvanceAnswer>((settle) => ({ kind: "advance", request, ...settle }));
  }

  approve(request: ApproveRequest): Promise<ApproveAnswer> {
    return this.post<ApproveAnswer>((settle) => ({ kind: "approve", request, ...settle }));
  }

  reject(request: RejectRequest): Promise<RejectAnswer> {
    return this.post<RejectAnswer>((settle) => ({ kind: "reject", request, ...settle }));
  }

  rollback(request: RollbackRequest): Promise<RollbackAnswer> {
    return this.post<RollbackAnswer>((settle) => ({ kind: "rollback", request, ...settle }));
  }

  retry(request: RetryRequest): Promise<RetryAnswer> {
    return this.post<RetryAnswer>((settle) => ({ kind: "retry", request, ...settle }));
  }

  skip(request: SkipRequest): Promise<SkipAnswer> {
    return this.post<SkipAnswer>((settle) => ({ kind: "skip", request, ...settle }));
  }

  private post<A>(letter: (settle: Settle<A>) => Letter): Promise<A> {
    return new Promise((resolve, reject) => {
      const posted = letter({
        answer: (answer) => {
          this.unanswered.delete(posted);
          resolve(answer);
        },
        refuse: (failure) => {
          this.unanswered.delete(posted);
          reject(failure);
        },
      });
      this.letters.push(posted);
      this.unanswered.add(posted);
    });
  }
}

interface Settle<A> {
  answer(answer: A): void;
  refuse(failure: ApplicationFailure): void;
}
