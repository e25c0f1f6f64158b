import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../../ledger/hash.ts';
import type { JournalMark, JournalPort } from '../../node/ports.ts';
import { open } from '../support/journals.ts';
import { MemoryFiles } from '../support/memory-files.ts';

/** What a validator does with its journal, one after the other. */
type Step = 'append' | 'block' | 'prune' | 'doubt' | 'epoch' | 'key';
const STEP = fc.oneof(fc.constant<Step>('append'), fc.constantFrom<Step>('block', 'prune', 'doubt', 'epoch', 'key'));
const CRASH = fc.constantFrom('killed' as const, 'removed names are back' as const, 'removed names are gone' as const);

/** One validator with its disk and ledger, and what it knows to be true of its journal. */
class Life {
  readonly files = new MemoryFiles();
  journal: JournalPort | undefined;
  epoch = 1;
  #keys = 1;
  #mark: JournalMark | undefined;
  #count = 0;
  /** Numbers of what must be there: appended durably since the journal began, and not pruned. */
  #kept: number[] = [];
  /** What must not be there is at or below it: it was appended before the journal began. */
  #void = 0;
  #through = 0;
  /** What may have been written when it crashed. */
  #throughMaybe = 0;

  get isInDoubt(): boolean {
    return this.#through >= this.epoch;
  }

  /** A start, at which all that is known must hold. */
  async start(): Promise<void> {
    const keys = Array.from({ length: this.#keys }, (_, i) => sha256(Uint8Array.of(100 + i)));
    const validatorKey = keys.pop()!;
    const options = { epoch: this.epoch, validatorKey, formerKeys: keys, mark: this.#mark };
    const { journal, records, doubt } = await open(this.files, options);
    this.journal = journal;
    if (this.isInDoubt || doubt !== undefined) {
      const through = doubt?.through ?? 0;
      assert(through === this.#through || through === this.#throughMaybe, `${doubt?.reason}`);
      assert(typeof through === 'number');
      this.#through = through;
      return;
    }
    const numbers = records.map((bytes) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
    assert(
      numbers.every((number) => number > this.#void),
      `${numbers} are of before ${this.#void}`,
    );
    assert.deepEqual(
      numbers.filter((number) => this.#kept.includes(number)),
      this.#kept,
    );
  }

  async act(step: Step): Promise<void> {
    switch (step) {
      case 'append':
        return this.#append();
      case 'block':
        this.#mark = this.journal!.mark();
        return;
      case 'prune':
        if (this.isInDoubt || this.#mark === undefined) return;
        this.#kept = this.#kept.filter((number) => number > this.#count - 3);
        return this.journal!.prune(Math.max(this.#count - 3, 0));
      case 'doubt':
        this.#throughMaybe = this.epoch + (this.#count % 2);
        await this.journal!.doubt('shown', this.#throughMaybe);
        this.#through = Math.max(this.#through, this.#throughMaybe);
        return;
      case 'epoch':
      case 'key':
        return this.#enter(step === 'key');
    }
  }

  async #append(): Promise<void> {
    const bytes = new Uint8Array(150);
    const number = ++this.#count;
    new DataView(bytes.buffer).setUint32(0, number);
    const appended = this.journal!.append([{ height: number, bytes }]);
    if (this.isInDoubt) return assert.rejects(appended, { code: 'JOURNAL_IN_DOUBT' });
    await appended;
    this.#kept.push(number);
  }

  /** The ledger is in the next epoch, durably; then the journal may follow. */
  async #enter(anotherKey: boolean): Promise<void> {
    const wasInDoubt = this.isInDoubt;
    this.epoch++;
    if (anotherKey) this.#keys++;
    if (!anotherKey && !wasInDoubt) return;
    const validatorKey = sha256(Uint8Array.of(99 + this.#keys));
    if (this.isInDoubt)
      return assert.rejects(this.journal!.renew({ epoch: this.epoch, validatorKey }), { code: 'JOURNAL_IN_DOUBT' });
    this.#kept = [];
    this.#void = this.#count;
    await this.journal!.renew({ epoch: this.epoch, validatorKey });
  }
}

it('D01: whatever a validator does and wherever it crashes: what was durable is there, what was void is gone, doubt holds', async () => {
  const lives = fc.array(fc.record({ steps: fc.array(STEP, { maxLength: 12 }), failIn: fc.nat(25), crash: CRASH }));
  await fc.assert(
    fc.asyncProperty(lives, async (parts) => {
      const life = new Life();
      for (const { steps, failIn, crash } of parts) {
        await life.start();
        life.files.failIn = failIn;
        for (const step of steps) {
          const failed = await life.act(step).then(
            () => false,
            (error: Error) => {
              if ((error as { code?: string }).code !== 'JOURNAL_FAILED') throw error;
              return true;
            },
          );
          if (failed) break;
        }
        life.files.failIn = 0;
        await life.journal!.close();
        if (crash !== 'killed') life.files.powerCut(crash);
      }
      await life.start();
    }),
    { numRuns: 150 },
  );
});
