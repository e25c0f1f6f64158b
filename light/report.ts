import type { Header, Receipt } from '../ledger/block.ts';
import type { EpochRecovery } from '../ledger/recovery-rule.ts';

/** One check of a verification. `not-reached`: an earlier one failed. */
export interface Step {
  readonly name: StepName;
  readonly status: 'passed' | 'failed' | 'not-reached';
  /** What was found, or what was expected and what came. */
  readonly detail: string;
}

export type StepName =
  | 'genesis'
  | 'format'
  | 'chain'
  | 'epochs'
  | 'certificate'
  | 'block'
  | 'transaction'
  | 'signature'
  | 'receipt'
  | 'state'
  | 'question'
  | 'first'
  | 'second'
  | 'conflict';

/** What a verified bundle shows. Times in ms of block time. */
export interface Facts {
  readonly chain: string;
  readonly genesisId: Uint8Array;
  /** Names of the validators that signed the certificate. */
  readonly signedBy: readonly string[];
  readonly validators: number;
  readonly certified: { readonly height: number; readonly time: number; readonly epoch: number };
  /** R10: epochs on the way from genesis that their validators did not end. */
  readonly recoveries: readonly EpochRecovery[];
  readonly block?: {
    readonly height: number;
    readonly time: number;
    readonly hash: Uint8Array;
    readonly header: Header;
  };
  readonly transaction?: {
    readonly id: Uint8Array;
    readonly sender: Uint8Array;
    readonly calls: readonly { readonly module: string; readonly action: string; readonly args: Uint8Array }[];
    /** Existence is not success: a failed transaction is in a block and changed nothing (V21). */
    readonly receipt: Receipt;
  };
  readonly state?: { readonly table: string; readonly key: Uint8Array; readonly value: Uint8Array | undefined };
}

/** The result of a verification: never just yes or no. `facts` only when every step passed. */
export interface Report {
  readonly ok: boolean;
  readonly steps: readonly Step[];
  readonly facts: Facts | undefined;
}

/** Named checks in order, until one fails. */
export class Steps {
  #names: readonly StepName[];
  readonly #done: Step[] = [];

  constructor(names: readonly StepName[]) {
    this.#names = names;
  }

  /** The whole way, once it is known. */
  expect(names: readonly StepName[]): void {
    this.#names = names;
  }

  passed(name: StepName, detail: string): void {
    this.#done.push({ name, status: 'passed', detail });
  }

  /** The report of a verification that ends at `name`. */
  failed(name: StepName, detail: string): Report {
    const rest = this.#names.slice(this.#names.indexOf(name) + 1);
    const steps: readonly Step[] = [
      ...this.#done,
      { name, status: 'failed', detail },
      ...rest.map((left): Step => ({ name: left, status: 'not-reached', detail: '' })),
    ];
    return { ok: false, steps, facts: undefined };
  }

  get done(): readonly Step[] {
    return this.#done;
  }

  complete(facts: Facts): Report {
    return { ok: true, steps: this.#done, facts };
  }
}

/** The report as lines of text, one a step. */
export function printSteps(report: Pick<Report, 'steps'>): string[] {
  const marks = { passed: '✓', failed: '✗', 'not-reached': '·' };
  return report.steps.map(
    ({ name, status, detail }) => `${marks[status]} ${name.padEnd(11)} ${detail || 'not reached'}`,
  );
}
