import { equalBytes, toHex } from '../../ledger/bytes.ts';
import { type Certificate, type Checkpoint, checkpointCodec, verifyCertificate } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { SIGN_KINDS, type SignKind } from '../../ledger/sign-bytes.ts';
import { carryOf } from '../../node/pbft/carry.ts';
import type { Ordered } from '../../node/pbft/events.ts';
import { EVIDENCE_PER_MEMBER_MAX } from '../../node/pbft/evidence.ts';
import { type Vote, voteCodec } from '../../node/pbft/messages.ts';
import type { Executed, Head } from '../../node/ports.ts';
import type { SimChain } from './chain.ts';
import { type Epoch, Epochs, type NextEpoch } from './epochs.ts';
import type { SimNode } from './node.ts';
import { baseOf, isBlockDurable, isVoteDurable, storedBlock } from './stored.ts';

const KIND_NAMES: ReadonlyMap<number, SignKind> = new Map(
  Object.entries(SIGN_KINDS).map(([name, kind]) => [kind, name as SignKind]),
);
const PREFIX_BYTES = 'quorate/1'.length + 1 + 32;
/** Where the kind stands in sign bytes. */
const KIND_AT = 'quorate/1'.length;

/** A promise of the protocol was broken. */
export interface Violation {
  readonly invariant: string;
  readonly detail: string;
}

/** Signatures of correct members over one checkpoint. */
interface Signed {
  readonly epoch: Epoch;
  readonly signers: Set<string>;
}

interface NodeRecord {
  executed: number;
  /** What its state showed, since it was started. */
  shown: { epoch: number; low: number; view: number };
  /** Newest epoch whose beginning it has executed. */
  reached: number;
  /** E3: newest epoch that it signed in. */
  epoch: number;
  /** V5: the highest view there that it asked for by a signed VIEW-CHANGE. */
  asked: number;
}

/**
 * The invariants of the protocol, checked from outside: it recounts from signatures and results, and shares no code with
 * the core but codecs and the light client's verifier. Heights are those of one chain; everything else is of an epoch.
 */
export class Checker {
  readonly violations: Violation[] = [];
  readonly #chain: SimChain;
  readonly #epochs: Epochs;
  /** Machines whose promises are not checked: Byzantine, or with a disk that lost what it had promised. */
  readonly faulty: ReadonlySet<number>;
  /** I1: block hash and state root at each height, for ever. */
  readonly #blocks = new Map<number, { readonly hash: string; readonly root: string; readonly by: string }>();
  /** I8: first content signed for a slot, per key. */
  readonly #signed = new Map<string, string>();
  /** I2: by height and digest, which tells epochs apart, the correct members that signed it. */
  readonly #checkpoints = new Map<number, Map<string, Signed>>();
  readonly #nodes = new Map<number, NodeRecord>();
  /** N11: digests that a process executed, and in which epoch, by node and height. */
  readonly #executedDigests = new Map<string, { readonly epoch: number; readonly digest: string }>();
  #touches = 0;
  certificates = 0;
  checks = 0;
  highestView = 0;

  constructor(chain: SimChain, faulty: ReadonlySet<number>) {
    this.#chain = chain;
    this.faulty = faulty;
    this.#epochs = new Epochs(chain.genesis.validators, (key) => faulty.has(chain.machineOf(key)));
  }

  /** The newest epoch that a correct node has come to. */
  get newest(): Epoch {
    return this.#epochs.newest;
  }

  fail(invariant: string, detail: string): void {
    this.violations.push({ invariant, detail });
  }

  /** Every signature of a consensus key, before it leaves. */
  signed(node: SimNode, bytes: Uint8Array): void {
    if (this.faulty.has(node.machine)) return;
    const kind = KIND_NAMES.get(bytes[KIND_AT]!);
    const body = bytes.subarray(PREFIX_BYTES);
    switch (kind) {
      case 'checkpoint': {
        const checkpoint = decode(checkpointCodec, body);
        const epoch = this.#epochOf(node, checkpoint.epoch);
        if (epoch === undefined) return;
        this.#countCheckpoint(node, epoch, checkpoint);
        const isNew = this.#once(node, `checkpoint ${checkpoint.epoch} ${checkpoint.height}`, toHex(body));
        this.#epochsRise(node, epoch, kind, isNew);
        if (!isBlockDurable(node, checkpoint))
          this.fail('I9', `${node.name} signs CHECKPOINT of block ${checkpoint.height}, which is not durable`);
        return;
      }
      case 'prePrepare':
      case 'prepare':
      case 'commit':
      case 'viewChange':
      case 'newView': {
        const vote = decode(voteCodec, body);
        const epoch = this.#epochOf(node, vote.epoch);
        if (epoch !== undefined) this.#voted(node, epoch, kind, vote);
        return;
      }
      default:
        return;
    }
  }

  #voted(node: SimNode, epoch: Epoch, kind: SignKind, vote: Vote): void {
    const slot = `${vote.epoch}/${vote.view}/${vote.height}`;
    if (kind === 'commit') {
      const two = epoch.countCommit(node.key, vote);
      if (two !== undefined && !this.#epochs.isVoid(vote.epoch, vote.height)) this.fail('I2', two);
      if (!epoch.suffices(epoch.preparers(vote)))
        this.fail('I12', `${node.name} signs COMMIT at ${slot}, which too few have prepared`);
    }
    if (kind === 'prePrepare' || kind === 'prepare') epoch.preparers(vote).add(node.key);
    if (kind === 'viewChange') {
      this.#showsItsCommits(node, epoch);
      epoch.askers(vote.view).add(node.key);
    }
    if (kind === 'newView' && !epoch.suffices(epoch.askers(vote.view)))
      this.fail('I12', `${node.name} begins view ${vote.view} of epoch ${vote.epoch}, which too few asked for`);
    const isNew = this.#once(node, `${kind} ${slot}`, toHex(vote.digest));
    this.#epochsRise(node, epoch, kind, isNew);
    this.#viewsRise(node, kind, vote);
    if (isNew) this.#isWhatWasExecuted(node, kind, vote);
    if (!isVoteDurable(node, kind, vote))
      this.fail('I9', `${node.name} signs ${kind} at ${slot}, which is not durable`);
  }

  /** N1, E3: the epoch that a member signs in; it has executed the block before it, which can be final. */
  #epochOf(node: SimNode, number: number): Epoch | undefined {
    const epoch = this.#epochs.of(number);
    if (epoch === undefined || number > this.#record(node).reached) {
      this.fail('E3', `${node.name} signs in epoch ${number}, whose beginning it has not executed`);
      return undefined;
    }
    if (!epoch.has(node.key)) {
      this.fail('N1', `${node.name} signs in epoch ${number}, of which it is no member`);
      return undefined;
    }
    const signed = this.#checkpoints.get(epoch.firstHeight - 1)?.values() ?? [];
    if (number > 0 && ![...signed].some((one) => one.epoch.suffices(one.signers)))
      this.fail('E3', `${node.name} signs in epoch ${number}, while the block before it can't be final`);
    return epoch;
  }

  executed(node: SimNode, executed: Executed, ordered: Ordered | undefined): void {
    if (this.faulty.has(node.machine)) return;
    const { height } = executed;
    const epoch = this.#epochs.at(height);
    const record = this.#record(node);
    if (ordered !== undefined) {
      this.#isCommitted(node, epoch, height, ordered);
      this.#executedDigests.set(`${node.id} ${height}`, { epoch: epoch.number, digest: toHex(ordered.digest) });
    }
    this.checks++;
    if (height !== record.executed + 1) this.fail('I4', `${node.name} executes ${height} after ${record.executed}`);
    if (record.reached < epoch.number)
      this.fail('I12', `${node.name} executes ${height} of epoch ${epoch.number}, and is in ${record.reached}`);
    record.executed = Math.max(record.executed, height);
    this.#isAgreed(node, executed);
  }

  /** E2, I12: executing this height ended an epoch at a node, which must be so at every other one. */
  epochEnded(node: SimNode, height: number, next: NextEpoch): void {
    if (this.faulty.has(node.machine)) return;
    this.checks++;
    const problem = this.#epochs.ended(height, next);
    if (problem !== undefined) this.fail('I12', `${node.name}: ${problem}`);
    else this.#record(node).reached = Math.max(this.#record(node).reached, next.number);
  }

  /** R8: a snapshot is of a height above the own one, and is what the others have executed there. */
  installed(node: SimNode, head: Head): void {
    if (this.faulty.has(node.machine)) return;
    this.checks++;
    const record = this.#record(node);
    if (head.height <= record.executed) this.fail('I10', `${node.name} takes ${head.height} after ${record.executed}`);
    record.executed = Math.max(record.executed, head.height);
    if (!this.#blocks.has(head.height)) this.fail('I12', `${node.name} takes ${head.height}, which nobody executed`);
    this.#isAgreed(node, head);
  }

  /** I1, I5. */
  #isAgreed(node: SimNode, head: Head): void {
    const { height } = head;
    const block = { hash: toHex(head.blockHash), root: toHex(head.stateRoot), by: node.name };
    const known = this.#blocks.get(height);
    if (known === undefined) this.#blocks.set(height, block);
    else if (known.hash !== block.hash)
      this.fail('I1', `height ${height}: ${node.name} has block ${block.hash}, ${known.by} has ${known.hash}`);
    else if (known.root !== block.root)
      this.fail('I5', `height ${height}: ${node.name} has root ${block.root}, ${known.by} has ${known.root}`);
  }

  /**
   * I16: what a correct node keeps as final is accepted by a light client that follows, and is the block that everybody has.
   */
  certificate(node: SimNode, certificate: Certificate): void {
    if (this.faulty.has(node.machine)) return;
    this.certificates++;
    const { genesis, crypto } = this.#chain;
    const { checkpoint } = certificate;
    const { height, blockHash } = checkpoint;
    const epoch = this.#epochs.trusted(checkpoint.epoch);
    if (epoch === undefined)
      return this.fail('I16', `${node.name} keeps one of epoch ${checkpoint.epoch}, to which no certificate leads`);
    const trust = { genesisId: genesis.id, epoch: epoch.number, validators: epoch.validators };
    const checked = verifyCertificate(certificate, trust, crypto.verify);
    if (!checked.ok) return this.fail('I16', `${node.name} keeps a certificate that is none: ${checked.problem}`);
    if (new Set(checked.signers).size < epoch.q) this.fail('I12', `${node.name}: ${checked.signers.length} signers`);
    const problem = this.#epochs.accepted(checkpoint);
    if (problem !== undefined) this.fail('I16', `${node.name} keeps a certificate of ${problem}`);
    const known = this.#blocks.get(height);
    if (known !== undefined && known.hash !== toHex(blockHash))
      this.fail('I2', `height ${height}: certified ${toHex(blockHash)}, executed ${known.hash}`);
  }

  started(node: SimNode): void {
    const record = this.#record(node);
    record.shown = { epoch: 0, low: 0, view: 0 };
    const executed = node.validator?.state.executed.height ?? 0;
    if (this.faulty.has(node.machine)) {
      record.executed = executed;
      return;
    }
    if (executed < record.executed)
      this.fail('I10', `${node.name} has executed ${executed} after a restart, ${record.executed} before`);
    record.executed = Math.max(record.executed, executed);
  }

  /** After anything reached a process. */
  touched(node: SimNode): void {
    const state = node.validator?.state;
    if (state === undefined || this.faulty.has(node.machine)) return;
    const { shown } = this.#record(node);
    const { epoch, validators } = state.config;
    if (epoch < shown.epoch) this.fail('I10', `${node.name}: epoch from ${shown.epoch} back to ${epoch}`);
    // Views of an epoch begin with 0.
    if (epoch > shown.epoch) shown.view = 0;
    shown.epoch = epoch;
    if (state.low < shown.low) this.fail('I10', `${node.name}: low from ${shown.low} back to ${state.low}`);
    shown.low = state.low;
    if (state.view < shown.view) this.fail('I10', `${node.name}: view from ${shown.view} back to ${state.view}`);
    if (state.view > shown.view) {
      shown.view = state.view;
      this.highestView = Math.max(this.highestView, state.view);
      this.#carriesCommitted(node);
      this.#isBounded(node);
    }
    if (++this.#touches % 64 === 0) this.#isBounded(node);
    if (state.mode === 'halted') this.fail('C3', `${node.name} halted: ${state.reason}`);
    for (const [member, kept] of state.evidence) {
      if (kept.length > 0 && !this.faulty.has(this.#chain.machineOf(toHex(validators[member]!.key))))
        this.fail('I18', `${node.name} holds evidence against correct member ${member} of epoch ${epoch}`);
    }
  }

  /** I1, I5, also of what catch-up brought: every block a node has now is the one that everybody has. */
  finalHeads(nodes: readonly SimNode[]): void {
    for (const node of nodes) {
      const head = node.validator?.state.executed;
      if (head === undefined || head.height === 0 || this.faulty.has(node.machine)) continue;
      const known = this.#blocks.get(head.height);
      if (known !== undefined && known.hash !== toHex(head.blockHash))
        this.fail('I1', `${node.name} ends at another block ${head.height}`);
    }
  }

  /** I6, I3: no transaction twice in a chain, none that nobody submitted; below a snapshot, in what it carries. */
  chainOf(node: SimNode, submitted: ReadonlySet<string>): number {
    const seen = new Set<string>();
    let parent: Uint8Array | undefined;
    const last = node.validator?.state.executed.height ?? 0;
    const base = baseOf(node);
    for (let height = 1; height <= last; height++) {
      const block = storedBlock(node, height);
      if (block === undefined && height > base) {
        this.fail('I4', `${node.name} lacks block ${height}`);
        return seen.size;
      }
      if (block === undefined) {
        parent = undefined;
        continue;
      }
      const { header, ids } = block;
      const known = this.#blocks.get(height);
      if (parent !== undefined && !equalBytes(header.parent, parent))
        this.fail('I4', `${node.name}: block ${height} does not follow block ${height - 1}`);
      parent = known === undefined ? undefined : Buffer.from(known.hash.slice(2), 'hex');
      for (const id of ids) {
        const key = toHex(id);
        if (seen.has(key)) this.fail('I6', `${node.name}: transaction ${key} is executed twice`);
        if (!submitted.has(key)) this.fail('I3', `${node.name}: transaction ${key} was never submitted`);
        seen.add(key);
      }
    }
    return seen.size;
  }

  /** I2 over every signature ever made: a second certificate of a height must be impossible, in whichever epochs. */
  #countCheckpoint(node: SimNode, epoch: Epoch, checkpoint: Checkpoint): void {
    const { height } = checkpoint;
    const ofHeight = this.#checkpoints.get(height) ?? new Map<string, Signed>();
    this.#checkpoints.set(height, ofHeight);
    const digest = toHex(encode(checkpointCodec, checkpoint));
    const signed = ofHeight.get(digest) ?? { epoch, signers: new Set() };
    ofHeight.set(digest, signed);
    signed.signers.add(node.key);
    const possible = [...ofHeight.values()].filter((one) => one.epoch.suffices(one.signers));
    if (possible.length > 1) {
      const epochs = possible.map((one) => one.epoch.number);
      this.fail('I2', `two certificates for height ${height} can be made, of epochs ${epochs}`);
    }
  }

  /**
   * V4, V10: a VIEW-CHANGE shows a certificate for each COMMIT its member ever sent above the base it shows, but for what it
   * knows to be void.
   */
  #showsItsCommits(node: SimNode, epoch: Epoch): void {
    const body = node.validator?.state.asking;
    if (body === undefined) return;
    const stable = body.stable.kind === 'certificate' ? body.stable.value.checkpoint : undefined;
    const base = stable?.height ?? 0;
    // E2: whoever has not executed the last block may hold its certificate, which says that it is the last one.
    const knowsEnd = this.#record(node).reached > epoch.number || stable?.nextEpoch === epoch.number + 1;
    for (const [height, view] of epoch.commitViewsOf(node.key)) {
      if (height <= base || view >= body.view) continue;
      if (knowsEnd && this.#epochs.isVoid(epoch.number, height)) continue;
      const shown = body.prepared.find(({ vote }) => vote.height === height);
      if (shown !== undefined && shown.vote.view >= view) continue;
      const what = shown === undefined ? 'nothing' : `view ${shown.vote.view}`;
      const asks = `VIEW-CHANGE ${body.view} of ${node.name}`;
      this.fail('V10', `${asks} shows ${what} at height ${height}, it sent COMMIT there in view ${view}; base ${base}`);
    }
  }

  /** I12: recounted from the signatures, not from what the core says. */
  #isCommitted(node: SimNode, epoch: Epoch, height: number, { digest, view }: Ordered): void {
    const signers = epoch.committers(height, toHex(digest), view);
    if (epoch.suffices(signers)) return;
    const by = `committed by ${signers.size} in view ${view} of epoch ${epoch.number}`;
    this.fail('I12', `${node.name} executes height ${height}, ${by}`);
  }

  /** I8: one content per slot, over the whole life of a key. True for the first signature. */
  #once(node: SimNode, slot: string, content: string): boolean {
    this.checks++;
    const key = `${node.key} ${slot}`;
    const first = this.#signed.get(key);
    if (first === undefined) this.#signed.set(key, content);
    else if (first !== content) this.fail('I8', `${node.name} signs a second content for ${slot}`);
    return first === undefined;
  }

  /** E3: nothing new in an epoch that it has left; what was signed before may be signed again. */
  #epochsRise(node: SimNode, { number }: Epoch, kind: SignKind, isNew: boolean): void {
    const record = this.#record(node);
    if (number > record.epoch) {
      record.epoch = number;
      record.asked = 0;
    }
    if (isNew && number < record.epoch)
      this.fail('E3', `${node.name} signs ${kind} in epoch ${number}, and has signed in ${record.epoch}`);
  }

  /** V5: nothing but its own view after a VIEW-CHANGE. */
  #viewsRise(node: SimNode, kind: SignKind, { epoch, view }: Vote): void {
    const record = this.#record(node);
    if (epoch < record.epoch) return;
    if (kind === 'viewChange') record.asked = Math.max(record.asked, view);
    else if (view < record.asked)
      this.fail('V5', `${node.name} signs ${kind} in view ${view} after a VIEW-CHANGE for view ${record.asked}`);
  }

  /**
   * N11: at an executed height nothing else is voted for; what was signed before may be signed again. What an older epoch had
   * above its last height is void, and another matter.
   */
  #isWhatWasExecuted(node: SimNode, kind: SignKind, { epoch, view, height, digest }: Vote): void {
    const executed = kind === 'newView' ? undefined : this.#executedDigests.get(`${node.id} ${height}`);
    if (executed !== undefined && executed.epoch === epoch && executed.digest !== toHex(digest))
      this.fail('N11', `${node.name} signs ${kind} ${toHex(digest)} at ${view}/${height}, executed ${executed.digest}`);
  }

  /** I11: whatever can have been committed below the view is what the view carries. */
  #carriesCommitted(node: SimNode): void {
    const state = node.validator?.state;
    const viewChanges = state?.newView?.body.viewChanges ?? state?.leading?.viewChanges;
    if (state === undefined || viewChanges === undefined) return;
    const { epoch } = state.config;
    const carry = carryOf(epoch, state.view, viewChanges, state.config.firstHeight - 1);
    for (const [height, { digest, view }] of this.#epochs.of(epoch)?.committed ?? []) {
      if (view >= state.view || height <= carry.base || this.#epochs.isVoid(epoch, height)) continue;
      const carried = carry.votes.find((vote) => vote.height === height);
      if (carried === undefined || toHex(carried.digest) !== digest) {
        const what = carried === undefined ? 'nothing' : toHex(carried.digest);
        this.fail(
          'I11',
          `view ${state.view} of epoch ${epoch} carries ${what} at height ${height}, committed in view ${view} is ${digest}`,
        );
      }
    }
  }

  /** I15: nothing that peers can fill grows without bound. */
  #isBounded(node: SimNode): void {
    const state = node.validator!.state;
    const { parameters, validators } = state.config;
    const { window } = parameters;
    const n = validators.length;
    // A restart in the middle of a catch-up has blocks whose certificates come again.
    const ahead = Math.abs(state.low - state.executed.height);
    const bounds: readonly [string, number, number][] = [
      ['slots', state.slots.size, 2 * window + ahead],
      ['checkpoints', state.checkpoints.size, 2 * window + ahead],
      ['viewChanges', state.viewChanges.size, n],
      ['evidence', Math.max(0, ...[...state.evidence.values()].map((kept) => kept.length)), EVIDENCE_PER_MEMBER_MAX],
      ['future', Math.max(...state.peers.map(({ future }) => future.messages.size)), 4 * window],
      ['unwritten', state.unwritten.size, n * (6 + 4 * (2 * window + ahead))],
      ['proven', state.proven.size, EVIDENCE_PER_MEMBER_MAX * Math.floor((n - 1) / 3) + n],
    ];
    for (const [name, size, most] of bounds) {
      if (size > most) this.fail('I15', `${node.name}: ${size} ${name}, at most ${most}`);
    }
  }

  #record(node: SimNode): NodeRecord {
    let record = this.#nodes.get(node.id);
    if (record === undefined) {
      record = { executed: 0, shown: { epoch: 0, low: 0, view: 0 }, reached: 0, epoch: 0, asked: 0 };
      this.#nodes.set(node.id, record);
    }
    return record;
  }
}
