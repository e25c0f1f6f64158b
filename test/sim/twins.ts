import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import { defaultParameters } from '../../ledger/parameters.ts';
import type { Validator } from '../../ledger/validators.ts';
import { installFastHashing } from '../../node/hashing.ts';
import { stableOf } from '../../node/pbft/carry.ts';
import type { Effect, Event, UncertifiedHead } from '../../node/pbft/events.ts';
import { type Message, type Signable, signableBytes, signMessage } from '../../node/pbft/messages.ts';
import { step } from '../../node/pbft/replica.ts';
import { batchOf, createState, type ReplicaState } from '../../node/pbft/state.ts';
import { executeBatch, genesisHead } from '../support/cluster.ts';
import { fakeCrypto } from './crypto.ts';

installFastHashing();

const N = 4;
const PROCESSES = N + 1;
const GENESIS = sha256(utf8Encode('twins'));
const SIGNERS = Array.from({ length: N }, (_, i) => fakeCrypto.signer(sha256(Uint8Array.of(i))));
const VALIDATORS: readonly Validator[] = SIGNERS.map(({ publicKey }, i) => {
  return { name: `v${i}`, organisation: `org${i}`, key: publicKey, peerKey: sha256(publicKey) };
});
/** Far from any heartbeat: a round takes no time but that of its timers. */
const PARAMETERS = { ...defaultParameters, heartbeatMs: 86_400_000, viewTimeoutMs: 1_000, window: 2 };

/** One process and all that it ever executed. */
interface Process {
  readonly member: number;
  state: ReplicaState;
  heads: UncertifiedHead[];
  pool: number;
  /** How often it was given something to order: no two batches are the same. */
  asked: number;
}

interface World {
  readonly processes: Process[];
  monotonic: number;
}

interface Sent {
  readonly to: number;
  readonly message: Message;
}

/** Every way to cut five processes in two; process 0 is always in the first group. */
const CUTS = Array.from({ length: 2 ** (PROCESSES - 1) }, (_, bits) => bits << 1);

export interface TwinsResult {
  /** Ways that were played, and different states that they led to. */
  readonly scenarios: number;
  readonly states: number;
  /** Nothing was left out for lack of room. */
  readonly complete: boolean;
  /** Of the worlds after the last round: how many reached which height. */
  readonly heights: Readonly<Record<number, number>>;
  readonly violations: readonly string[];
}

/**
 * Twins (Bano et al., 2021), enumerated: four members, of which one is two correct copies under one key. Each round cuts
 * the five processes into two groups, in every possible way, delivers everything inside them, and then either lets all
 * view timers end or not. What was reached by another way already is not gone through again.
 */
export function enumerateTwins(
  rounds: number,
  statesMax: number,
  tell: (text: string) => void = () => {},
): TwinsResult {
  let scenarios = 0;
  let complete = true;
  const violations: string[] = [];
  const reached = new Set<string>();
  const heights: Record<number, number> = {};
  for (let twin = 0; twin < N; twin++) {
    let frontier: { world: World; path: string }[] = [{ world: begin(twin), path: `twin v${twin}:` }];
    for (let round = 1; round <= rounds; round++) {
      const next: { world: World; path: string }[] = [];
      for (const { world, path } of frontier) {
        for (const cut of CUTS) {
          if (reached.size >= statesMax * (twin + 1)) {
            complete = false;
            break;
          }
          const after: World = { processes: world.processes.map(copy), monotonic: world.monotonic };
          play(after, cut);
          scenarios++;
          const here = `${path} ${cut.toString(2).padStart(PROCESSES, '0')}`;
          const problem = problemOf(after, twin);
          if (problem !== undefined) violations.push(`${here}: ${problem}`);
          const print = `${twin} ${fingerprint(after)}`;
          if (reached.has(print)) continue;
          reached.add(print);
          next.push({ world: after, path: here });
        }
      }
      tell(`twin v${twin}, round ${round}: ${next.length} states after ${scenarios} scenarios`);
      frontier = next;
    }
    for (const { world } of frontier) {
      const height = Math.max(...world.processes.map(({ heads }) => heads.length - 1));
      heights[height] = (heights[height] ?? 0) + 1;
    }
  }
  return { scenarios, states: reached.size, complete, heights, violations };
}

function begin(twin: number): World {
  const members = [...VALIDATORS.keys(), twin];
  const processes = members.map((member) => {
    const head = { ...genesisHead(GENESIS, VALIDATORS), ordered: undefined };
    const config = {
      genesisId: GENESIS,
      epoch: 0,
      firstHeight: 1,
      validators: VALIDATORS,
      self: member,
      parameters: PARAMETERS,
      statusIntervalMs: 500,
      catchUpDelayMs: 100,
    };
    return {
      member,
      state: createState(config, head, undefined, { wall: 1_000_000, monotonic: 0 }),
      heads: [head],
      pool: 0,
      asked: 0,
    };
  });
  const world = { processes, monotonic: 0 };
  const wire: Sent[] = [];
  for (const one of processes) {
    feed(world, one, { type: 'started', uncertified: [] }, wire, () => true);
    for (const from of [0, 1, 2, 3]) feed(world, one, { type: 'shown', from, shown: [] }, wire, () => true);
  }
  return world;
}

/** One round: the groups, everything inside them delivered, then perhaps the end of all view timers. */
function play(world: World, cut: number): void {
  const { processes } = world;
  const group = (index: number): number => (cut >> index) & 1;
  const together = (a: number, b: number): boolean => group(a) === group(b);
  const wire: Sent[] = [];
  for (const [index, one] of processes.entries()) {
    for (const [other, { member }] of processes.entries()) {
      if (member === one.member) continue;
      const isOpen = processes.some((peer, at) => peer.member === member && together(index, at));
      if (other === processes.findIndex((peer) => peer.member === member))
        feed(world, one, { type: 'channel', member, open: isOpen }, wire, together);
    }
  }
  // Each round brings something to order, so that every leader has a choice.
  for (const one of processes) {
    one.pool = 2;
    one.asked++;
    feed(world, one, { type: 'pool', view: { orderable: one.pool, full: true } }, wire, together);
  }
  deliver(world, wire, together);
  // STATUS and what it makes others send again, twice.
  for (let i = 0; i < 2; i++) pass(world, 600, wire, together, false);
  for (let i = 0; i < 26; i++) pass(world, 50, wire, together, true);
  pass(world, 600, wire, together, false);
}

function pass(world: World, ms: number, wire: Sent[], together: Together, tick: boolean): void {
  world.monotonic += ms;
  for (const one of world.processes) {
    const waiting = { handed: true, overdue: false };
    if (tick) feed(world, one, { type: 'tick', waiting }, wire, together);
    else feed(world, one, { type: 'timer', timer: 'status' }, wire, together);
  }
  deliver(world, wire, together);
}

type Together = (a: number, b: number) => boolean;

function deliver(world: World, wire: Sent[], together: Together): void {
  for (let next = wire.shift(); next !== undefined; next = wire.shift()) {
    // Signed by correct code, and nobody here makes anything up: verified by construction.
    feed(world, world.processes[next.to]!, { type: 'message', message: next.message as never }, wire, together);
  }
}

function feed(world: World, one: Process, event: Event, wire: Sent[], together: Together): void {
  const now = { wall: 1_000_000 + world.monotonic, monotonic: world.monotonic };
  const index = world.processes.indexOf(one);
  const queue: Event[] = [event];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const effect of step(one.state, next, now)) carryOut(world, one, index, effect, queue, wire, together);
  }
}

function carryOut(
  world: World,
  one: Process,
  index: number,
  effect: Effect,
  queue: Event[],
  wire: Sent[],
  together: Together,
): void {
  const send = (member: number, message: Message): void => {
    for (const [to, other] of world.processes.entries()) {
      if (other.member === member && to !== index && together(index, to)) wire.push({ to, message });
    }
  };
  const others = [...VALIDATORS.keys()].filter((member) => member !== one.member);
  switch (effect.type) {
    case 'persist':
      for (const unsigned of effect.then) {
        const sign = (part: Signable): Uint8Array => SIGNERS[one.member]!.sign(signableBytes(GENESIS, part));
        const message = signMessage(unsigned, one.member, sign);
        for (const member of others) send(member, message);
        queue.push({ type: 'signed', message });
      }
      return;
    case 'send':
      return send(effect.to, effect.message);
    case 'relay':
      for (const member of others) send(member, effect.message);
      return;
    case 'chooseBatch': {
      // Two copies choose different transactions: that is how a twin equivocates.
      const id = sha256(utf8Encode(`${index} ${one.asked} ${one.pool} ${effect.height} ${one.state.view}`));
      const batch = one.pool === 0 ? undefined : { height: effect.height, timestamp: 1_000_000, transactions: [id] };
      one.pool = Math.max(0, one.pool - 1);
      const pool = { orderable: one.pool, full: one.pool > 0 };
      queue.push({ type: 'batchReady', height: effect.height, batch, pool, governs: false });
      return;
    }
    case 'requestBodies':
      queue.push({
        type: 'bodies',
        height: effect.batch.height,
        digest: effect.digest,
        problem: undefined,
        governs: false,
      });
      return;
    case 'requestBatch': {
      for (const [at, { state }] of world.processes.entries()) {
        const slot = together(index, at) ? state.slots.get(effect.height) : undefined;
        const batch = slot && batchOf(slot, effect.digest);
        if (batch === undefined) continue;
        queue.push({ type: 'batch', batch, digest: effect.digest });
        return;
      }
      one.state.slots.get(effect.height)?.batchAsked.clear();
      return;
    }
    case 'execute': {
      const head = executeBatch(one.heads.at(-1)!, effect.batch);
      one.heads.push({ ...head, ordered: effect.ordered });
      queue.push({ type: 'executed', head, transactions: effect.batch.transactions.length, ordered: effect.ordered });
      return;
    }
    case 'startSync': {
      const target = effect.certificate.checkpoint.height;
      const source = world.processes.find(({ heads }, at) => together(index, at) && heads.length > target);
      for (const head of source?.heads.slice(one.heads.length, target + 1) ?? []) {
        one.heads.push({ ...head, ordered: undefined });
        queue.push({ type: 'executed', head, transactions: 1, ordered: undefined });
      }
      queue.push({ type: 'syncEnded' });
      return;
    }
    case 'startTimer':
      if (effect.timer === 'catchUp') queue.push({ type: 'timer', timer: 'catchUp' });
      return;
    default:
      return;
  }
}

/** I1 over the correct members, and nobody halts. */
function problemOf({ processes }: World, twin: number): string | undefined {
  const correct = processes.filter(({ member }) => member !== twin);
  for (const { state } of correct) if (state.mode === 'halted') return state.reason;
  const longest = correct.reduce((a, b) => (a.heads.length >= b.heads.length ? a : b));
  for (const { heads, member } of correct) {
    const last = heads.length - 1;
    if (toHex(heads[last]!.blockHash) !== toHex(longest.heads[last]!.blockHash)) return `fork: v${member} at ${last}`;
  }
  return undefined;
}

/**
 * Equal for worlds that go on in the same way: views, votes and chains, without clocks and counters. Digests count by
 * where they are equal, heights from the lowest chain on, views from the lowest on in steps of all leaders, and which of
 * the two copies is which makes no difference.
 */
function fingerprint({ processes }: World): string {
  const twin = processes.at(-1)!.member;
  const swapped = [...processes];
  [swapped[twin], swapped[PROCESSES - 1]] = [processes[PROCESSES - 1]!, processes[twin]!];
  const [smaller] = [describe(processes), describe(swapped)].sort();
  return toHex(sha256(utf8Encode(smaller!)));
}

function describe(processes: readonly Process[]): string {
  const height = Math.min(...processes.map(({ heads, state }) => Math.min(heads.length - 1, state.low)));
  const view = N * Math.floor(Math.min(...processes.map(({ state }) => state.view)) / N);
  const names = new Map<string, number>();
  const name = (digest: Uint8Array | undefined): number => {
    if (digest === undefined) return -1;
    const key = toHex(digest);
    if (!names.has(key)) names.set(key, names.size);
    return names.get(key)!;
  };
  const parts = processes.map(({ state, heads }) => {
    const slots = [...state.slots.values()]
      .sort((x, y) => x.height - y.height)
      .map((slot) => {
        const votes = [...slot.prepares.values(), ...[...slot.commits.values()].flat()]
          .sort((x, y) => x.sender - y.sender || x.vote.view - y.vote.view)
          .map(({ vote, sender }) => [sender, vote.view - view, name(vote.digest)]);
        const { proposal, prepared, committed } = slot;
        const certificates = [prepared, committed].map((one) => one && [one.vote.view - view, name(one.vote.digest)]);
        return [slot.height - height, proposal?.phase, name(proposal?.vote.digest), certificates, votes];
      });
    const asked = [...state.viewChanges.values()]
      .sort((x, y) => x.sender - y.sender)
      .map(({ sender, body }) => [
        sender,
        body.view - view,
        (stableOf(body)?.checkpoint.height ?? 0) - height,
        ...body.prepared.map(({ vote }) => [vote.height - height, vote.view - view, name(vote.digest)]),
      ]);
    const chain = heads.slice(height).map(({ blockHash }) => name(blockHash));
    const { timeoutMs, waited, silent } = state.timer;
    const timer = [timeoutMs, Math.round(waited / 100), silent, state.proven.size];
    return [state.view - view, state.asked - view, state.low - height, state.mode, timer, chain, slots, asked];
  });
  return JSON.stringify(parts);
}

function copy({ member, state, heads, pool, asked }: Process): Process {
  const { config, ...rest } = state;
  return { asked, member, state: { ...structuredClone(rest), config }, heads: [...heads], pool };
}
