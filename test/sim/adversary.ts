import { type Batch, batchDigest, nullBatch } from '../../ledger/block.ts';
import { concatBytes } from '../../ledger/bytes.ts';
import { tryDecode } from '../../ledger/codec.ts';
import { decodeTransaction, packTransactions, unpackTransactions } from '../../ledger/transaction.ts';
import { leaderIndex, multiSignature, quorum, type ValidatorSet, validatorsHash } from '../../ledger/validators.ts';
import { stableOf } from '../../node/pbft/carry.ts';
import {
  type Message,
  messageCodec,
  type Signable,
  signableBytes,
  signMessage,
  type Unsigned,
  type ViewChangeBody,
  type Vote,
} from '../../node/pbft/messages.ts';
import {
  FRAME_MESSAGE,
  FRAME_OFFER,
  FRAME_TRANSACTIONS,
  messageFrame,
  offerFrame,
  transactionsFrame,
} from '../../node/wire.ts';
import type { SimChain } from './chain.ts';
import type { Loop } from './loop.ts';
import type { SimNetwork } from './network.ts';
import type { SimNode } from './node.ts';
import type { Random } from './random.ts';

/** Ways of a faulty member. Each runs the production validator and changes what it sends. */
export const STRATEGIES = [
  'silent',
  'selective',
  'equivocate',
  'viewChangeLiar',
  'newViewLiar',
  'replay',
  'statusLiar',
  'censor',
  'slow',
  'highViews',
  'checkpointLiar',
  'garbage',
  'forger',
  'withhold',
  'gaps',
  'emptyBatches',
  'wrongTimes',
  'duplicates',
  'invalidBatches',
  'doublePrepare',
  'staleLeader',
] as const;
export type Strategy = (typeof STRATEGIES)[number];

export interface AdversaryWorld {
  readonly loop: Loop;
  readonly network: SimNetwork;
  readonly random: Random;
  readonly chain: SimChain;
  readonly nodes: readonly SimNode[];
}

/** Where a member stands at the moment: its epoch, and its index there. */
interface Place {
  readonly epoch: number;
  readonly validators: ValidatorSet;
  readonly self: number;
}

/** One Byzantine machine: it sees every frame that is sent anywhere, and holds its own key. */
export class Adversary {
  readonly strategies: readonly Strategy[];
  readonly #world: AdversaryWorld;
  /** Its process, whose validator knows the epoch. */
  readonly #node: SimNode;
  /** What other half of the network was told, by epoch, view and height. */
  readonly #alternatives = new Map<string, Vote>();
  /** Frames of anybody, to be sent again. */
  readonly #seen: Uint8Array[] = [];
  #favoured: ReadonlySet<number> = new Set();
  /** Ids that it proposed before. */
  readonly #ids: Uint8Array[] = [];
  /** How often it did what a correct member would not, by strategy. */
  readonly acts = new Map<Strategy, number>();

  constructor(world: AdversaryWorld, node: SimNode, strategies: readonly Strategy[]) {
    this.#world = world;
    this.#node = node;
    this.strategies = strategies;
    this.#favour();
    this.#act();
  }

  saw(frame: Uint8Array): void {
    if (!this.strategies.includes('replay')) return;
    const { random } = this.#world;
    if (this.#seen.length < 400) this.#seen.push(frame);
    else this.#seen[random.int(400)] = frame;
  }

  /** Instead of `frame`. */
  corrupt(from: SimNode, to: SimNode, frame: Uint8Array): readonly Uint8Array[] {
    if (this.strategies.includes('silent')) return this.#did('silent', []);
    if (this.strategies.includes('selective') && !this.#favoured.has(to.id)) return this.#did('selective', []);
    if (this.strategies.includes('slow')) {
      const { loop, network, random } = this.#world;
      loop.after(random.between(50, 900), () => network.inject(from, to, frame));
      return this.#did('slow', []);
    }
    // L05, R24: what clients gave to it goes nowhere.
    if (frame[0] === FRAME_TRANSACTIONS && this.strategies.includes('withhold')) return this.#did('withhold', []);
    const decoded = frame[0] === FRAME_MESSAGE ? tryDecode(messageCodec, frame.subarray(1)) : undefined;
    if (decoded === undefined || !decoded.ok) return [frame];
    const messages = this.#change(to, decoded.value);
    if (messages === undefined) return [frame];
    return messages.map(messageFrame);
  }

  /**
   * L10, L11: what it hears: nothing of transactions that it does not like. So it never orders them, and others all the
   * time.
   */
  hears(frame: Uint8Array): readonly Uint8Array[] {
    if (!this.strategies.includes('censor')) return [frame];
    const body = frame.subarray(1);
    if (frame[0] === FRAME_OFFER) {
      const ids = Array.from({ length: body.length / 32 }, (_, i) => body.subarray(32 * i, 32 * i + 32));
      return [offerFrame(concatBytes(...ids.filter(isLiked)))];
    }
    const unpacked = frame[0] === FRAME_TRANSACTIONS ? unpackTransactions(body, 10_000) : undefined;
    if (unpacked?.ok !== true) return [frame];
    const { genesis } = this.#world.chain;
    const liked = unpacked.value.filter((bytes) => {
      const decoded = decodeTransaction(genesis.id, bytes);
      return !decoded.ok || isLiked(decoded.value.id);
    });
    if (liked.length === unpacked.value.length) return [frame];
    return this.#did('censor', [transactionsFrame(packTransactions(liked))]);
  }

  /** An answer to a question, or what it says instead. */
  answer(bytes: Uint8Array): Uint8Array {
    const { random } = this.#world;
    if (this.strategies.includes('withhold')) return this.#did('withhold', new Uint8Array(0));
    if (!this.strategies.includes('garbage') || bytes.length === 0) return bytes;
    this.#did('garbage', undefined);
    const changed = bytes.slice(0, random.chance(0.3) ? random.int(bytes.length) : bytes.length);
    if (changed.length > 0) changed[random.int(changed.length)]! ^= 1 << random.int(8);
    return changed;
  }

  #did<T>(strategy: Strategy, result: T): T {
    this.acts.set(strategy, (this.acts.get(strategy) ?? 0) + 1);
    return result;
  }

  #change(to: SimNode, message: Message): readonly Message[] | undefined {
    const other = !this.#favoured.has(to.id);
    const has = (strategy: Strategy): boolean => this.strategies.includes(strategy);
    switch (message.kind) {
      case 'prePrepare':
        if (has('equivocate') && other)
          return this.#did('equivocate', [this.#alternative(message.value.vote, message.value.batch)]);
        if (has('doublePrepare')) {
          // R04: a leader that also PREPAREs.
          const { vote } = message.value;
          return this.#did('doublePrepare', [message, this.#sign({ kind: 'prepare', vote })]);
        }
        return this.#otherProposal(message.value.vote, message.value.batch);
      case 'prepare':
      case 'commit': {
        if (!has('equivocate') || !other) return undefined;
        const { vote } = message.value;
        const told = this.#alternatives.get(slotOf(vote));
        if (told !== undefined) return this.#did('equivocate', [this.#sign({ kind: message.kind, vote: told })]);
        const { random } = this.#world;
        if (!random.chance(0.3)) return undefined;
        // Both contents of one slot, to the same member.
        const second = { ...vote, digest: random.bytes(32) };
        return this.#did('equivocate', [message, this.#sign({ kind: message.kind, vote: second })]);
      }
      case 'checkpoint': {
        if (!has('checkpointLiar') || !other) return undefined;
        const checkpoint = { ...message.value.checkpoint, stateRoot: this.#world.random.bytes(32) };
        return this.#did('checkpointLiar', [this.#sign({ kind: 'checkpoint', checkpoint })]);
      }
      case 'viewChange': {
        if (!has('viewChangeLiar')) return undefined;
        const { body } = message.value;
        const prepared = body.prepared.filter(() => this.#world.random.chance(0.5));
        if (this.#world.random.chance(0.3)) {
          // R09: a certificate that nobody made, of a higher view.
          const view = Math.max(0, body.view - 1);
          const forged = { ...body, prepared: this.#forgedPrepared(body, view) };
          return this.#did('viewChangeLiar', [this.#sign({ kind: 'viewChange', body: forged })]);
        }
        return this.#did('viewChangeLiar', [this.#sign({ kind: 'viewChange', body: { ...body, prepared } })]);
      }
      case 'newView':
        return has('newViewLiar') ? this.#did('newViewLiar', [this.#otherNewView(message)]) : undefined;
      case 'status': {
        if (!has('statusLiar')) return undefined;
        const { random } = this.#world;
        const { body } = message.value;
        const view = random.chance(0.5) ? body.view : random.int(12);
        const viewAsked = random.chance(0.5) ? view : view + random.int(1_000);
        const executed = random.chance(0.5) ? body.executed : random.int(40);
        const lie = { ...body, view, viewAsked, executed, suspects: true };
        return this.#did('statusLiar', [this.#sign({ kind: 'status', body: lie })]);
      }
      default:
        return undefined;
    }
  }

  #alternative(vote: Vote, batch: Batch): Message {
    const { random } = this.#world;
    const transactions = random.chance(0.5) ? batch.transactions.slice(0, -1) : batch.transactions;
    const changed = { ...batch, transactions, timestamp: batch.timestamp + 1 };
    const told = { ...vote, digest: batchDigest(changed) };
    this.#alternatives.set(slotOf(told), told);
    return this.#sign({ kind: 'prePrepare', vote: told, batch: changed });
  }

  /** L03, L06, L13, L14, L16, L19: the same for everybody, and not what a leader should propose. */
  #otherProposal(vote: Vote, batch: Batch): readonly Message[] | undefined {
    const { random, chain } = this.#world;
    const strategy = random.pick(this.strategies);
    const propose = (changed: Batch): readonly Message[] =>
      this.#did(strategy, [
        this.#sign({ kind: 'prePrepare', vote: { ...vote, digest: batchDigest(changed) }, batch: changed }),
      ]);
    switch (strategy) {
      case 'gaps':
        return batch.height % 3 === 0 ? this.#did('gaps', []) : undefined;
      case 'emptyBatches':
        return propose({ ...batch, transactions: [] });
      case 'wrongTimes':
        return propose({ ...batch, timestamp: random.pick([0, 1, chain.genesis.time, batch.timestamp + 86_400_000]) });
      case 'duplicates': {
        // Twice in one batch, or again in every batch: the ids are the adversary's to repeat.
        this.#ids.push(...batch.transactions.slice(0, 2));
        const twice = random.chance(0.3) ? batch.transactions : this.#ids.slice(-3);
        return propose({ ...batch, transactions: [...batch.transactions, ...twice] });
      }
      case 'invalidBatches':
        return propose({ ...batch, transactions: [...batch.transactions, random.bytes(32)] });
      default:
        return undefined;
    }
  }

  /** L20, L21, L22: a carry that it was not its to choose. */
  #otherNewView(message: Extract<Message, { kind: 'newView' }>): Message {
    const { random } = this.#world;
    const { epoch, view, viewChanges, prePrepares } = message.value.body;
    const votes = prePrepares.map(({ vote }) => vote);
    const at = random.int(votes.length + 1);
    const first = votes[at];
    if (first === undefined) votes.pop();
    else votes[at] = { ...first, digest: random.chance(0.5) ? batchDigest(nullBatch(first.height)) : random.bytes(32) };
    const subset = random.chance(0.3) ? viewChanges.slice(1) : viewChanges;
    return this.#sign({ kind: 'newView', epoch, view, viewChanges: subset, votes });
  }

  get #place(): Place {
    const { epoch, validators, self } = this.#node.validator!.state.config;
    // Whoever has no vote does nothing that is told from a correct node's.
    return { epoch, validators, self: self ?? 0 };
  }

  #sign(unsigned: Unsigned): Message {
    const { chain } = this.#world;
    const signer = chain.signerOf(this.#node.machine);
    const sign = (one: Signable): Uint8Array => signer.sign(signableBytes(chain.genesis.id, one));
    return signMessage(unsigned, this.#place.self, sign);
  }

  /** N11: to whoever is in a view of ours: something else at the heights that it has executed already. */
  #proposeBelow(others: readonly SimNode[]): void {
    const { epoch, validators, self } = this.#place;
    for (const other of others) {
      const state = other.validator?.state;
      if (state === undefined || state.config.epoch !== epoch) continue;
      if (leaderIndex(epoch, state.view, validators.length) !== self) continue;
      for (let height = state.low + 1; height <= state.executed.height; height++) {
        const batch = nullBatch(height);
        const vote = { epoch, view: state.view, height, digest: batchDigest(batch) };
        this.#tell([other], this.#sign({ kind: 'prePrepare', vote, batch }));
        this.#did('staleLeader', undefined);
      }
    }
  }

  #tell(others: readonly SimNode[], message: Message): void {
    for (const other of others) this.#world.network.inject(this.#node, other, messageFrame(message));
  }

  /** Whom it treats well, for a while. */
  #favour(): void {
    const { loop, random, nodes } = this.#world;
    this.#favoured = new Set(nodes.filter(() => random.chance(0.5)).map(({ id }) => id));
    loop.after(random.between(300, 3_000), () => this.#favour());
  }

  #forgedPrepared(body: ViewChangeBody, view: number): ViewChangeBody['prepared'] {
    const { random } = this.#world;
    const { epoch, validators } = this.#place;
    const n = validators.length;
    const base = stableOf(body)?.checkpoint.height ?? 0;
    const vote = { epoch, view, height: base + 1, digest: random.bytes(32) };
    const leader = leaderIndex(epoch, view, n);
    const others = Array.from({ length: n }, (_, i) => i).filter((member) => member !== leader);
    const signatures = new Map(others.slice(0, quorum(n) - 1).map((member) => [member, random.bytes(64)]));
    return [{ vote, prePrepareSignature: random.bytes(64), prepares: multiSignature(n, signatures) }];
  }

  /** R06, R15: messages and certificates under the names of others, with signatures that are none. */
  #forged(): Message {
    const { random, chain } = this.#world;
    const { epoch, validators } = this.#place;
    const n = validators.length;
    const { executed, view } = this.#node.validator!.state;
    const height = executed.height + 1 + random.int(3);
    const batch = nullBatch(height);
    const vote = { epoch, view, height, digest: random.chance(0.5) ? batchDigest(batch) : random.bytes(32) };
    const all = new Map(validators.map((_, member) => [member, random.bytes(64)] as const));
    const sender = random.int(n);
    const set = validatorsHash(validators);
    const root = random.bytes(32);
    const roots = { blockHash: root, stateRoot: root, historyRoot: root, timestamp: chain.genesis.time + height };
    const checkpoint = { epoch, validatorsHash: set, height, ...roots, nextEpoch: epoch, nextValidatorsHash: set };
    switch (random.int(5)) {
      case 0:
        return { kind: 'prepare', value: { vote, sender, signature: random.bytes(64) } };
      case 1:
        return { kind: 'commit', value: { vote, sender, signature: random.bytes(64) } };
      case 2: {
        const digest = batchDigest(batch);
        const commits = multiSignature(n, all);
        return { kind: 'commitCertificate', value: { vote: { ...vote, digest }, commits, batch } };
      }
      case 3:
        return { kind: 'checkpoint', value: { checkpoint, sender, signature: random.bytes(64) } };
      default: {
        const proof = multiSignature(n, all);
        return { kind: 'certificate', value: { scheme: 'ed25519-list', checkpoint, proof } };
      }
    }
  }

  /** What it sends without being asked. */
  #act(): void {
    const { loop, random, nodes, network } = this.#world;
    loop.after(random.between(50, 600), () => this.#act());
    const others = nodes.filter(({ machine }) => machine !== this.#node.machine);
    if (!this.#node.isUp() || others.length === 0) return;
    if (this.strategies.includes('replay') && this.#seen.length > 0) {
      for (let i = 0; i < 3; i++) network.inject(this.#node, random.pick(others), random.pick(this.#seen));
      this.#did('replay', undefined);
    }
    if (this.strategies.includes('forger')) {
      for (const other of others) this.#tell([other], this.#forged());
      this.#did('forger', undefined);
    }
    if (this.strategies.includes('staleLeader')) this.#proposeBelow(others);
    if (this.strategies.includes('highViews')) this.#jump(others);
  }

  /** R13: into a view far away, and there with a proposal far away. */
  #jump(others: readonly SimNode[]): void {
    const { random } = this.#world;
    const { epoch, validators, self } = this.#place;
    const { low } = this.#node.validator!.state;
    const view = random.pick([1, 2, 5, 1_000, 2 ** 31, Number.MAX_SAFE_INTEGER - 200]) + random.int(2);
    // V4: it shows less than it has.
    const base = { kind: 'beginning', value: {} } as const;
    this.#tell(others, this.#sign({ kind: 'viewChange', body: { epoch, view, stable: base, prepared: [] } }));
    const n = validators.length;
    const led = view + random.int(1_000) * n - (leaderIndex(epoch, view, n) - self);
    const height = random.pick([low + 1, low + 2, low + 3, 2 ** 31, Number.MAX_SAFE_INTEGER]);
    if (led >= 0 && Number.isSafeInteger(led) && leaderIndex(epoch, led, n) === self) {
      const batch = nullBatch(height);
      const vote = { epoch, view: led, height, digest: batchDigest(batch) };
      this.#tell(others, this.#sign({ kind: 'prePrepare', vote, batch }));
    }
    this.#did('highViews', undefined);
  }
}

function slotOf({ epoch, view, height }: Vote): string {
  return `${epoch} ${view} ${height}`;
}

function isLiked(id: Uint8Array): boolean {
  return (id[0]! & 1) === 0;
}

/** What a frame holds, from the tag byte of its message (docs/formats.md, Message); 0 for what is no message. */
export function tagOf(frame: Uint8Array): number {
  return frame[0] === FRAME_MESSAGE ? (frame[1] ?? 0) : 0;
}

export const TAGS = { prePrepare: 1, prepare: 2, commit: 3, checkpoint: 4, viewChange: 5, newView: 6 } as const;
