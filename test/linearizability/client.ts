import { setTimeout as delay } from 'node:timers/promises';
import type { Transaction } from '../../ledger/transaction.ts';
import type { Random } from '../sim/random.ts';
import type { LedgerInput } from './models.ts';
import {
  type Author,
  balanceIn,
  balancesIn,
  casOfRole,
  digestIn,
  digestOf,
  HOLDERS,
  keyOf,
  REGISTER_ACCOUNTS,
  REGISTER_ROLES,
  type RowAnswer,
  type RowsAnswer,
  recordKey,
  roleIn,
  roleKey,
} from './objects.ts';
import type { ReadTimes, Recorder } from './recorder.ts';
import { idOf, type Outcome, type Rest } from './rest.ts';

/** What the clients of a run share. */
export interface World {
  readonly rest: Rest;
  readonly author: Author;
  readonly recorder: Recorder;
  readonly assets: readonly string[];
  /** An asset of alice's that nobody reads: to move it to herself changes nothing, but has a place in the chain. */
  readonly fence: string;
  /** Begins the keys of records, so that no run finds those of another. */
  readonly label: string;
  /** Writes whose client does not wait for them any more. */
  readonly unsettled: Set<Promise<unknown>>;
  /** No more requests, for good: what is not known then stays unknown. */
  readonly giveUp: AbortSignal;
  readonly paceMs: number;
}

/** What a client does, and how often of a hundred times. */
const ACTIONS = [
  ['transfer', 38],
  ['register', 10],
  ['change', 6],
  ['readBalance', 10],
  ['readRecord', 8],
  ['readRole', 6],
  ['readAll', 10],
  ['readAllFenced', 6],
  ['readRecordFenced', 3],
  ['readRoleFenced', 3],
] as const;
type Action = (typeof ACTIONS)[number][0];

const PATIENCE_MS = 5_000;
const LIFETIMES_MS = [2_500, 20_000, 60_000];
/** Records that clients fight for at one time, and how many registrations before the next takes the place of the first. */
const CONTENDED = 4;
const USES = 3;

/** How a read is asked and recorded. */
interface ReadOptions<T> {
  readonly path: string;
  readonly isFenced: boolean;
  record(body: T, read: ReadTimes): void;
}

/** Does one thing after the other, at nodes that it chooses anew each time, and remembers the newest height it has seen. */
export class Client {
  readonly #name: string;
  readonly #world: World;
  readonly #random: Random;
  /** An outcome that is not known makes another process of it. */
  #generation = 0;
  #height = 0;

  constructor(name: string, world: World, random: Random) {
    this.#name = name;
    this.#world = world;
    this.#random = random;
  }

  /** Until the signal; what is under way then is finished. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const start = performance.now();
      await this.#act(this.#choose());
      await delay(Math.max(0, this.#world.paceMs * this.#random.between(0.5, 1.5) - (performance.now() - start)));
    }
  }

  get #process(): string {
    return `${this.#name}.${this.#generation}`;
  }

  #choose(): Action {
    let left = this.#random.int(100);
    for (const [action, weight] of ACTIONS) {
      left -= weight;
      if (left < 0) return action;
    }
    return 'transfer';
  }

  async #act(action: Action): Promise<void> {
    switch (action) {
      case 'transfer':
        return this.#transfer();
      case 'register':
        return this.#register();
      case 'change':
        return this.#change();
      case 'readBalance':
        return this.#readBalance();
      case 'readRecord':
      case 'readRecordFenced':
        return this.#readRecord(action === 'readRecordFenced');
      case 'readRole':
      case 'readRoleFenced':
        return this.#readRole(action === 'readRoleFenced');
      case 'readAll':
      case 'readAllFenced':
        return this.#readAll(action === 'readAllFenced');
    }
  }

  async #transfer(): Promise<void> {
    const [asset, from, to] = [
      this.#random.pick(this.#world.assets),
      this.#random.pick(HOLDERS),
      this.#random.pick(HOLDERS),
    ];
    const input = { kind: 'transfer', from, to, amount: 1 + this.#random.int(14) } as const;
    await this.#write(asset, input, this.#world.author.transfer(asset, input, this.#validUntil()));
  }

  async #register(): Promise<void> {
    const { key, turn } = this.#contended(this.#world.recorder.registrations++);
    const digest = digestOf(`${this.#process} ${turn}`);
    const transaction = this.#world.author.register(key, digest, this.#validUntil());
    await this.#write(recordKey(key), { kind: 'cas', from: undefined, to: digest }, transaction);
  }

  async #change(): Promise<void> {
    const [account, role] = [this.#random.pick(REGISTER_ACCOUNTS), this.#random.pick(REGISTER_ROLES)];
    const isGrant = this.#random.chance(0.5);
    const transaction = this.#world.author.change(account, role, isGrant, this.#validUntil());
    await this.#write(roleKey(account, role), casOfRole(isGrant), transaction);
  }

  async #readBalance(): Promise<void> {
    const [asset, account] = [this.#random.pick(this.#world.assets), this.#random.pick(HOLDERS)];
    await this.#read<RowAnswer>({
      path: `/v1/state/assets.balances/${keyOf(account)}:${asset}?at=${this.#at()}`,
      isFenced: false,
      record: (body, read) =>
        this.#world.recorder.read(
          asset,
          { kind: 'balance', account },
          { kind: 'balance', amount: balanceIn(body) },
          read,
        ),
    });
  }

  /** All accounts' balances of all assets at one height. */
  async #readAll(isFenced: boolean): Promise<void> {
    await this.#read<RowsAnswer>({
      path: '/v1/state/assets.balances?limit=200',
      isFenced,
      record: (body, read) => {
        if (body.cursor !== undefined) throw new Error('the balances are more than one page');
        for (const [asset, balances] of balancesIn(body, this.#world.assets))
          this.#world.recorder.read(asset, { kind: 'snapshot' }, { kind: 'snapshot', balances }, read);
      },
    });
  }

  async #readRecord(isFenced: boolean): Promise<void> {
    const { key } = this.#contended(this.#world.recorder.registrations);
    await this.#read<RowAnswer>({
      path: `/v1/state/records.entries/${encodeURIComponent(key)}?at=${this.#at()}`,
      isFenced,
      record: (body, read) =>
        this.#world.recorder.read(recordKey(key), { kind: 'read' }, { kind: 'value', value: digestIn(body) }, read),
    });
  }

  async #readRole(isFenced: boolean): Promise<void> {
    const account = this.#random.pick(REGISTER_ACCOUNTS);
    await this.#read<RowAnswer>({
      path: `/v1/state/members.accounts/${keyOf(account)}?at=${this.#at()}`,
      isFenced,
      record: (body, read) => {
        for (const role of REGISTER_ROLES)
          this.#world.recorder.read(
            roleKey(account, role),
            { kind: 'read' },
            { kind: 'value', value: roleIn(body, role) },
            read,
          );
      },
    });
  }

  /** One of the records that clients fight for at this turn. */
  #contended(turn: number): { readonly key: string; readonly turn: number } {
    const newest = Math.floor(turn / USES);
    return { key: `${this.#world.label}/${newest + this.#random.int(CONTENDED)}`, turn };
  }

  #at(): 'final' | 'latest' {
    return this.#random.chance(0.7) ? 'final' : 'latest';
  }

  #validUntil(): number {
    return this.#world.rest.chainTime + this.#random.pick(LIFETIMES_MS);
  }

  /** The height at which it was executed; undefined if that is not known soon, or if it expired. */
  async #write(key: string, input: LedgerInput, transaction: Transaction): Promise<number | undefined> {
    const { rest, recorder, unsettled, giveUp } = this.#world;
    const [process, id, invokedAt] = [this.#process, idOf(transaction), performance.now()];
    const submit = (): Promise<Outcome | undefined> =>
      rest
        .submit(
          transaction,
          this.#random.int(rest.urls.length),
          this.#random.chance(0.3) ? 'committed' : 'final',
          giveUp,
        )
        .then(
          (outcome) => recorder.answered(id, outcome),
          (error) => (giveUp.aborted ? undefined : recorder.broke(error as Error)),
        );
    // The same bytes to two nodes at once are still one transaction.
    if (this.#random.chance(0.1)) track(unsettled, submit());
    const settled = submit().then((outcome) => {
      recorder.write(key, input, { process, id, invokedAt, at: performance.now() }, outcome);
      return { outcome };
    });
    const soon = await Promise.race([settled, delay(PATIENCE_MS, undefined, { ref: false })]);
    if (soon === undefined) {
      this.#generation++;
      recorder.abandoned++;
      track(unsettled, settled);
      return undefined;
    }
    if (soon.outcome?.kind !== 'executed') return undefined;
    this.#height = Math.max(this.#height, soon.outcome.height);
    return soon.outcome.height;
  }

  /**
   * Reads at or above every height that this client has seen. Fenced: it first writes something that changes nothing, and
   * so learns a height that is above all blocks whose writes had returned before.
   */
  async #read<T extends { readonly height: number }>({ path, isFenced, record }: ReadOptions<T>): Promise<void> {
    const { rest, recorder, author, fence, giveUp } = this.#world;
    let invokedAt: number | undefined;
    if (isFenced) {
      invokedAt = performance.now();
      const input = { kind: 'transfer', from: 'alice', to: 'alice', amount: 1 } as const;
      const height = await this.#write(fence, input, author.transfer(fence, input, this.#validUntil()));
      if (height === undefined) return;
    }
    const signal = AbortSignal.any([giveUp, AbortSignal.timeout(PATIENCE_MS)]);
    const first = this.#random.int(rest.urls.length);
    const answer = await rest
      .read<T>(path, first, this.#height, signal, () => void recorder.lagging++)
      .catch((error) => {
        // A read without an answer says nothing.
        return signal.aborted ? undefined : recorder.broke(error as Error);
      });
    if (answer === undefined) return;
    const { height, body } = answer;
    this.#height = Math.max(this.#height, height);
    record(body, {
      process: this.#process,
      isFenced,
      invokedAt: invokedAt ?? answer.invokedAt,
      at: performance.now(),
      height,
    });
  }
}

function track(all: Set<Promise<unknown>>, one: Promise<unknown>): void {
  const kept = one.finally(() => all.delete(kept));
  all.add(kept);
}
