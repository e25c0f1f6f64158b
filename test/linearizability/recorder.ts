import type { Operation } from './history.ts';
import type { BankInput, BankOutput, RegisterInput, RegisterOutput } from './models.ts';
import type { Place } from './places.ts';
import type { Outcome } from './rest.ts';

/** An operation as it is written down. */
export interface Recorded<I, O> extends Operation<I, O> {
  /** Of the transaction; undefined for a read. */
  readonly id: string | undefined;
  /** Where it took effect, if an answer said so. */
  readonly place: Place | undefined;
  /** Of a read: behind a fence, so that it promises what a write does. */
  readonly isFenced: boolean;
  /** What a receipt's code says. */
  readonly outputOf: (code: string) => O;
}

export interface WriteTimes {
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

/** What all clients of a run saw. */
export class Recorder {
  readonly banks: Recorded<BankInput, BankOutput>[] = [];
  readonly registers: Recorded<RegisterInput, RegisterOutput>[] = [];
  /** Every outcome that any node gave for a transaction; all for one must be equal. */
  readonly answers: (readonly [id: string, outcome: Outcome])[] = [];
  /** Writes that can never take effect, as a node said. */
  readonly expired: string[] = [];
  /** Writes for whose outcome the client did not wait any longer. */
  abandoned = 0;
  /** Answers below what the client knew. */
  lagging = 0;
  /** What went wrong with the clients themselves, or an answer that no documented API gives. */
  readonly errors: Error[] = [];

  bankWrite(
    key: string,
    input: BankInput,
    times: WriteTimes,
    outcome: Outcome | undefined,
    outputOf: (code: string) => BankOutput,
  ): void {
    this.#write(this.banks, key, input, times, outcome, outputOf);
  }

  registerWrite(
    key: string,
    input: RegisterInput,
    times: WriteTimes,
    outcome: Outcome | undefined,
    outputOf: (code: string) => RegisterOutput,
  ): void {
    this.#write(this.registers, key, input, times, outcome, outputOf);
  }

  bankRead(key: string, input: BankInput, output: BankOutput, times: ReadTimes): void {
    this.banks.push(readOf(key, input, output, times));
  }

  registerRead(key: string, output: RegisterOutput, times: ReadTimes): void {
    this.registers.push(readOf(key, { kind: 'read' }, output, times));
  }

  answered(id: string, outcome: Outcome): Outcome {
    this.answers.push([id, outcome]);
    return outcome;
  }

  broke(error: Error): undefined {
    this.errors.push(error);
  }

  #write<I, O>(
    to: Recorded<I, O>[],
    key: string,
    input: I,
    { process, id, invokedAt, at }: WriteTimes,
    outcome: Outcome | undefined,
    outputOf: (code: string) => O,
  ): void {
    if (outcome?.kind === 'expired') {
      this.expired.push(id);
      return;
    }
    const place = outcome && { height: outcome.height, index: outcome.index };
    const returned = outcome && { at, output: outputOf(outcome.code) };
    to.push({ process, key, input, invokedAt, returned, id, place, isFenced: false, outputOf });
  }
}

function readOf<I, O>(
  key: string,
  input: I,
  output: O,
  { process, isFenced, invokedAt, at, height }: ReadTimes,
): Recorded<I, O> {
  const place = { height, index: undefined };
  return {
    process,
    key,
    input,
    invokedAt,
    returned: { at, output },
    id: undefined,
    place,
    isFenced,
    outputOf: () => output,
  };
}
