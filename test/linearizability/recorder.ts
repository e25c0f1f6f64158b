import type { Operation } from './history.ts';
import type { LedgerInput, LedgerOutput } from './models.ts';
import { outputOf } from './objects.ts';
import type { Place } from './places.ts';
import type { Outcome } from './rest.ts';

/** An operation as it is written down. */
export interface Recorded extends Operation<LedgerInput, LedgerOutput> {
  /** Of the transaction; undefined for a read. */
  readonly id: string | undefined;
  /** Where it took effect, if an answer said so. */
  readonly place: Place | undefined;
  /** Of a read: behind a fence, so that it promises what a write does. */
  readonly isFenced: boolean;
}

interface WriteTimes {
  readonly process: string;
  readonly id: string;
  readonly invokedAt: number;
  readonly at: number;
}

export interface ReadTimes {
  readonly process: string;
  readonly isFenced: boolean;
  readonly invokedAt: number;
  readonly at: number;
  readonly height: number;
}

/** What all clients of a part of a run saw. */
export class Recorder {
  /** Without writes that can never take effect, as a node said. */
  readonly operations: Recorded[] = [];
  /** Ids of those. */
  readonly expired: string[] = [];
  /** Every outcome that any node gave for a transaction; all for one must be equal. */
  readonly answers: (readonly [id: string, outcome: Outcome])[] = [];
  /** Registrations that were begun, so that clients fight for the same records. */
  registrations = 0;
  /** Writes for whose outcome the client did not wait any longer. */
  abandoned = 0;
  /** Answers below what the client knew. */
  lagging = 0;
  /** What went wrong with the clients themselves, or an answer that no documented API gives. */
  readonly errors: Error[] = [];

  write(
    key: string,
    input: LedgerInput,
    { process, id, invokedAt, at }: WriteTimes,
    outcome: Outcome | undefined,
  ): void {
    if (outcome?.kind === 'expired') {
      this.expired.push(id);
      return;
    }
    const place = outcome && { height: outcome.height, index: outcome.index };
    const returned = outcome && { at, output: outputOf(input, outcome.code) };
    this.operations.push({ process, key, input, invokedAt, returned, id, place, isFenced: false });
  }

  read(key: string, input: LedgerInput, output: LedgerOutput, { process, isFenced, invokedAt, at, height }: ReadTimes) {
    const place = { height, index: undefined };
    const returned = { at, output };
    this.operations.push({ process, key, input, invokedAt, returned, id: undefined, place, isFenced });
  }

  answered(id: string, outcome: Outcome): Outcome {
    this.answers.push([id, outcome]);
    return outcome;
  }

  broke(error: Error): undefined {
    this.errors.push(error);
  }
}
