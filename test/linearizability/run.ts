import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../sim/random.ts';
import { type Chain, eventually, getJson } from '../support/processes.ts';
import { checkLinearizable } from './checker.ts';
import { Client, type World } from './client.ts';
import type { Cluster } from './cluster.ts';
import { type FaultKind, type FaultOptions, Faults } from './faults.ts';
import { byKey } from './history.ts';
import { type LedgerInput, type LedgerObject, type LedgerOutput, ledgerModel, totalOf } from './models.ts';
import {
  Author,
  HOLDERS,
  keyOf,
  outputOf,
  REGISTER_ACCOUNTS,
  REGISTER_ROLES,
  type RowAnswer,
  roleIn,
  roleKey,
} from './objects.ts';
import { type Placed, placeViolations, replay } from './places.ts';
import { type Recorded, Recorder } from './recorder.ts';
import { executedIn, type Fetch, type Outcome, Rest } from './rest.ts';

export interface RunOptions {
  readonly seed: number;
  readonly clients: number;
  /** Operations of all clients together, if the nodes are as fast. */
  readonly perSecond: number;
  readonly faults: FaultOptions | undefined;
  /** What clients ask with; another one plants what must be found. */
  readonly fetch?: Fetch;
}

type PlacedOperation = Placed<LedgerInput, LedgerOutput>;

/** The objects as they are when a part of a run begins. */
interface Start {
  readonly height: number;
  readonly objects: ReadonlyMap<string, LedgerObject>;
}

/** What one part of a run was, and what was wrong with it, in words. */
export interface Part {
  readonly seconds: number;
  readonly operations: number;
  /** Those of which the search decided: all writes, and reads behind a fence. */
  readonly searched: number;
  readonly writes: Readonly<Record<'done' | 'refused' | 'expired', number>>;
  /** Writes whose client went on without their outcome. */
  readonly abandoned: number;
  /** Answers of nodes that had not executed what the client knew already. */
  readonly lagging: number;
  readonly requests: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly heights: number;
  readonly violations: readonly string[];
  /** The search could not decide these. */
  readonly undecided: readonly string[];
}

const ASSETS = ['gold', 'silver', 'copper'];
const EACH = 12;
const SETTLE_MS = 90_000;
const NO_RECORD: LedgerObject = { kind: 'register', state: { value: undefined } };

/** A run in parts: clients and faults at the same time, then all is made whole, every outcome is settled, and checked. */
export class Run {
  readonly #cluster: Cluster;
  readonly #options: RunOptions;
  readonly #random: Random;
  /** Of this run alone. */
  readonly #assets: readonly string[];
  readonly #fence: string;
  #parts = 0;
  #start: Start | undefined;
  /** Transactions of earlier parts, all of which were executed or have expired. */
  readonly #ended = new Set<string>();

  constructor(cluster: Cluster, options: RunOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#assets = ASSETS.map((asset) => `${asset}-${options.seed}`);
    this.#fence = `fence-${options.seed}`;
  }

  async part(seconds: number): Promise<Part> {
    const { clients: count, perSecond, faults: faultOptions } = this.#options;
    const label = `${this.#options.seed}/${this.#parts++}`;
    const author = new Author(this.#cluster.genesisId, label);
    const rest = new Rest(this.#cluster.urls, this.#options.fetch);
    this.#start ??= await this.#prepare(author);
    const start = this.#start;
    const [stop, giveUp] = [new AbortController(), new AbortController()];
    const recorder = new Recorder();
    const world: World = {
      rest,
      author,
      recorder,
      assets: this.#assets,
      fence: this.#fence,
      label,
      unsettled: new Set(),
      giveUp: giveUp.signal,
      paceMs: (1_000 * count) / perSecond,
    };
    await rest.read('/v1/state/governance.epoch/current', 0, 0, giveUp.signal, () => undefined);
    const clients = Array.from(
      { length: count },
      (_, i) => new Client(`${label} c${i}`, world, new Random(this.#random.int(2 ** 31), i)),
    );
    const running = clients.map((client) => client.run(stop.signal));
    const faults = faultOptions && new Faults(this.#cluster, this.#random, faultOptions);
    const breaking = faults?.run(stop.signal);
    await Promise.race([delay(1_000 * seconds), ...running]);
    stop.abort();
    await breaking;
    await this.#cluster.untilReady();
    const timer = setTimeout(() => giveUp.abort(), SETTLE_MS);
    await Promise.all(running);
    while (world.unsettled.size > 0) await Promise.all(world.unsettled);
    clearTimeout(timer);
    const { part, end } = await this.#check(start, recorder);
    this.#start = end;
    return {
      ...part,
      seconds,
      requests: rest.requests,
      failures: Object.fromEntries(rest.failures),
      faults: faults?.counts ?? new Map(),
    };
  }

  /** Gives every holder as much of every asset, and sees which roles accounts have. */
  async #prepare(author: Author): Promise<Start> {
    const { signal } = new AbortController();
    const rest = new Rest(this.#cluster.urls);
    const { time } = await getJson<{ time: number }>(`${this.#cluster.urls[0]}/v1/chain`);
    const issue = (asset: string, to: string) =>
      ['assets', 'issue', { asset, to: keyOf(to), amount: String(EACH) }] as const;
    const calls = this.#assets.flatMap((asset) => HOLDERS.map((to) => issue(asset, to)));
    const issuing = author.sign('issuer', time + 60_000, ...calls, issue(this.#fence, 'alice'));
    const issued = await rest.submit(issuing, 0, 'final', signal);
    if (issued.kind === 'expired' || issued.code !== '') throw new Error('the assets could not be issued');
    const { height } = issued;
    const objects = new Map<string, LedgerObject>([[this.#fence, { kind: 'bank', state: { alice: EACH } }]]);
    const all = Object.fromEntries(HOLDERS.map((holder) => [holder, EACH]));
    for (const asset of this.#assets) objects.set(asset, { kind: 'bank', state: all });
    for (const account of REGISTER_ACCOUNTS) {
      const path = `/v1/state/members.accounts/${keyOf(account)}`;
      const { body } = await rest.read<RowAnswer>(path, 0, height, signal, () => undefined);
      for (const role of REGISTER_ROLES)
        objects.set(roleKey(account, role), { kind: 'register', state: { value: roleIn(body, role) } });
    }
    return { height, objects };
  }

  async #check(start: Start, recorder: Recorder) {
    const { height, executed } = await this.#executed(start.height);
    const violations = [
      ...recorder.errors.map((error) => `A client: ${error.stack}`),
      ...openViolations(recorder),
      ...answerViolations(recorder, executed),
      ...[...executed.keys()]
        .filter((id) => this.#ended.has(id))
        .map((id) => `${id} had ended before, and is executed`),
    ];
    for (const id of [...executed.keys(), ...recorder.expired]) this.#ended.add(id);
    const objects = new Map(start.objects);
    for (const { key } of recorder.operations) if (!objects.has(key)) objects.set(key, NO_RECORD);
    const operations = placed(recorder.operations, executed);
    violations.push(...placeViolations(ledgerModel, objects, operations));
    violations.push(...conservationViolations(objects, operations));
    const searched = search(objects, recorder.operations);
    violations.push(...searched.violations);
    // Records are not used again: the next part has others.
    const after = [...replay(ledgerModel, objects, operations)].filter(([key]) => start.objects.has(key));
    const end: Start = { height, objects: new Map(after) };
    const part = {
      operations: recorder.operations.length + recorder.expired.length,
      searched: searched.count,
      writes: countWrites(recorder),
      abandoned: recorder.abandoned,
      lagging: recorder.lagging,
      heights: height - start.height,
      violations,
      undecided: searched.undecided,
    };
    return { part, end };
  }

  /** Up to the highest block that any node has executed, from one that may have it only a moment later. */
  async #executed(from: number): Promise<{ height: number; executed: ReadonlyMap<string, Outcome> }> {
    const [url] = this.#cluster.urls as [string];
    const heightOf = async (one: string): Promise<number> => (await getJson<Chain>(`${one}/v1/chain`)).height;
    const height = Math.max(...(await Promise.all(this.#cluster.urls.map(heightOf))));
    await eventually(async () => (await heightOf(url)) >= height, `${url} has block ${height}`);
    return { height, executed: await executedIn(url, from, height) };
  }
}

/** With the place and output that the chain has where the client knows none; without what never took effect. */
function placed(operations: readonly Recorded[], executed: ReadonlyMap<string, Outcome>): PlacedOperation[] {
  return operations.flatMap((operation) => {
    const { id, place, returned, input } = operation;
    if (place !== undefined && returned !== undefined) return { ...operation, place, output: returned.output };
    const outcome = id === undefined ? undefined : executed.get(id);
    if (outcome?.kind !== 'executed') return [];
    const { height, index, code } = outcome;
    return { ...operation, place: { height, index }, output: outputOf(input, code) };
  });
}

/** With all nodes whole again, every transaction ends, as final, rejected or expired. */
function openViolations({ operations }: Recorder): string[] {
  const open = operations.filter(({ returned }) => returned === undefined);
  return open.map(({ id }) => `Nobody knows what became of ${id}, ${SETTLE_MS} ms after the last fault`);
}

/** Every answer about a transaction is what the chain has: once, there, so; or never. */
function answerViolations({ answers }: Recorder, executed: ReadonlyMap<string, Outcome>): string[] {
  return answers.flatMap(([id, outcome]) => {
    const found = executed.get(id) ?? { kind: 'expired' };
    const [said, is] = [JSON.stringify(outcome), JSON.stringify(found)];
    return said === is ? [] : `A node said of ${id}: ${said}; the chain has ${is}`;
  });
}

/** The sum of all balances at one height is always what was issued. */
function conservationViolations(
  objects: ReadonlyMap<string, LedgerObject>,
  operations: readonly PlacedOperation[],
): string[] {
  return operations.flatMap(({ key, output, place }) => {
    const object = objects.get(key);
    if (output.kind !== 'snapshot' || object?.kind !== 'bank') return [];
    const [is, was] = [totalOf(output.balances), totalOf(object.state)];
    return is === was ? [] : `There are ${is} of ${key} at height ${place.height}, and ${was} were issued`;
  });
}

/** Full linearizability, of every object apart, by the times alone. */
function search(objects: ReadonlyMap<string, LedgerObject>, operations: readonly Recorded[]) {
  const violations: string[] = [];
  const undecided: string[] = [];
  const strong = operations.filter(({ id, isFenced }) => id !== undefined || isFenced);
  for (const [key, history] of byKey(strong)) {
    const verdict = checkLinearizable(ledgerModel, [objects.get(key)!], history);
    if (verdict.kind === 'violation') violations.push(`Not linearizable: ${key}\n${verdict.counterexample.text}`);
    if (verdict.kind === 'undecided') undecided.push(`${key}: ${verdict.reason}`);
  }
  return { violations, undecided, count: strong.length };
}

function countWrites({ operations, expired }: Recorder): Part['writes'] {
  const outputs = operations.flatMap(({ id, returned }) => (id === undefined || !returned ? [] : returned.output.kind));
  const count = (...kinds: readonly string[]): number => outputs.filter((kind) => kinds.includes(kind)).length;
  return {
    done: count('transferred', 'written'),
    refused: count('insufficient', 'refused'),
    expired: expired.length,
  };
}
