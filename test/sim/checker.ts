import type { Receipt } from '../../ledger/block.ts';
import { equalBytes, toHex } from '../../ledger/bytes.ts';
import { type Certificate, type Checkpoint, checkpointCodec, verifyCertificate } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { SIGN_KINDS, type SignKind } from '../../ledger/sign-bytes.ts';
import { baseCodec, blockCodec, placeCodec } from '../../node/ledger/records.ts';
import { carryOf } from '../../node/pbft/carry.ts';
import type { Ordered } from '../../node/pbft/events.ts';
import { EVIDENCE_PER_MEMBER_MAX } from '../../node/pbft/evidence.ts';
import { type Vote, viewChangeBodyCodec, voteCodec } from '../../node/pbft/messages.ts';
import type { Executed, Head } from '../../node/ports.ts';
import { heightKey, KINDS } from '../../node/store/store.ts';
import { type BlockIds, blockIdsCodec } from '../../node/wire.ts';
import type { SimChain } from './chain.ts';
import type { SimNode } from './node.ts';

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

interface NodeRecord {
  executed: number;
  low: number;
  view: number;
  starts: number;
  /** V5: the highest view asked for by a signed VIEW-CHANGE. */
  asked: number;
}

/**
 * The invariants of the protocol, checked from outside: it recounts from signatures and results, and shares no code with
 * the core but codecs and the light client's verifier.
 */
export class Checker {
  readonly violations: Violation[] = [];
  readonly #chain: SimChain;
  readonly #n: number;
  readonly #f: number;
  readonly #q: number;
  /** Members whose promises are not checked: Byzantine, or with a disk that lost what it had promised. */
  readonly faulty: Set<number>;
  /** I1: block hash and state root at each height, for ever. */
  readonly #blocks = new Map<number, { readonly hash: string; readonly root: string; readonly by: string }>();
  /** I8: first content signed for a slot, per member. */
  readonly #signed = new Map<string, string>();
  /** I2: by height and digest, the correct members that signed it. */
  readonly #checkpoints = new Map<number, Map<string, Set<number>>>();
  /** By height and digest, the correct members that sent COMMIT in each view. */
  readonly #commits = new Map<number, Map<string, Map<number, Set<number>>>>();
  /** What could be committed: the digest of a height and the lowest view in which it could. */
  readonly #committed = new Map<number, { readonly digest: string; readonly view: number }>();
  /** Correct members that signed PRE-PREPARE or PREPARE, by view, height and digest. */
  readonly #preparers = new Map<string, Set<number>>();
  readonly #asked = new Map<string, Set<number>>();
  readonly #nodes = new Map<number, NodeRecord>();
  /** N11: digests that a process executed, by node and height. */
  readonly #executedDigests = new Map<string, string>();
  /** The highest view in which a member sent COMMIT, by member and height. */
  readonly #commitViews = new Map<number, Map<number, number>>();
  #touches = 0;
  certificates = 0;
  checks = 0;
  highestView = 0;

  constructor(chain: SimChain, faulty: Set<number>) {
    this.#chain = chain;
    this.#n = chain.genesis.validators.length;
    // Written out here: a mistake in the product's formula must not be shared.
    this.#f = Math.floor((this.#n - 1) / 3);
    this.#q = Math.ceil((this.#n + this.#f + 1) / 2);
    this.faulty = faulty;
  }

  fail(invariant: string, detail: string): void {
    this.violations.push({ invariant, detail });
  }

  /** Every signature of a consensus key, before it leaves. */
  signed(node: SimNode, bytes: Uint8Array): void {
    const kind = KIND_NAMES.get(bytes[KIND_AT]!);
    const body = bytes.subarray(PREFIX_BYTES);
    const correct = !this.faulty.has(node.member);
    switch (kind) {
      case 'checkpoint': {
        const checkpoint = decode(checkpointCodec, body);
        this.#countCheckpoint(node, checkpoint, correct);
        if (!correct) return;
        this.#once(node, `checkpoint ${checkpoint.height}`, toHex(body));
        this.#checkpointIsDurable(node, checkpoint);
        return;
      }
      case 'prePrepare':
      case 'prepare':
      case 'commit':
      case 'viewChange':
      case 'newView': {
        const vote = decode(voteCodec, body);
        if (kind === 'commit') this.#countCommit(node, vote, correct);
        if (!correct) return;
        if (kind === 'commit') this.#rememberCommit(node, vote);
        if (kind === 'viewChange') this.#showsItsCommits(node);
        if (kind === 'prePrepare' || kind === 'prepare') this.#prepared(vote).add(node.member);
        if (kind === 'viewChange') this.#askers(vote.view).add(node.member);
        if (kind === 'commit' && !this.#suffices(this.#prepared(vote)))
          this.fail('I12', `${node.name} signs COMMIT at ${vote.view}/${vote.height}, which too few have prepared`);
        if (kind === 'newView' && !this.#suffices(this.#askers(vote.view)))
          this.fail('I12', `${node.name} begins view ${vote.view}, which too few asked for`);
        const isNew = this.#once(node, `${kind} ${vote.view} ${vote.height}`, toHex(vote.digest));
        this.#viewsRise(node, kind, vote);
        if (isNew) this.#isWhatWasExecuted(node, kind, vote);
        this.#voteIsDurable(node, kind, vote);
        return;
      }
      default:
        return;
    }
  }

  executed(node: SimNode, executed: Executed, ordered: Ordered | undefined): void {
    if (this.faulty.has(node.member)) return;
    if (ordered !== undefined) {
      this.#isCommitted(node, executed.height, ordered);
      this.#executedDigests.set(`${node.id} ${executed.height}`, toHex(ordered.digest));
    }
    this.checks++;
    const { height } = executed;
    const record = this.#record(node);
    if (height !== record.executed + 1) this.fail('I4', `${node.name} executes ${height} after ${record.executed}`);
    record.executed = Math.max(record.executed, height);
    this.#isAgreed(node, executed);
  }

  /** R8: a snapshot is of a height above the own one, and is what the others have executed there. */
  installed(node: SimNode, head: Head): void {
    if (this.faulty.has(node.member)) return;
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

  /** I16: what a correct node keeps as final is accepted by the light client, and is the block that everybody has. */
  certificate(node: SimNode, certificate: Certificate): void {
    if (this.faulty.has(node.member)) return;
    this.certificates++;
    const { genesis, crypto } = this.#chain;
    const trust = { genesisId: genesis.id, epoch: 0, validators: genesis.validators };
    const checked = verifyCertificate(certificate, trust, crypto.verify);
    if (!checked.ok) return this.fail('I16', `${node.name} keeps a certificate that is none: ${checked.problem}`);
    if (new Set(checked.signers).size < this.#q) this.fail('I12', `${node.name}: ${checked.signers.length} signers`);
    const { height, blockHash } = certificate.checkpoint;
    const known = this.#blocks.get(height);
    if (known !== undefined && known.hash !== toHex(blockHash))
      this.fail('I2', `height ${height}: certified ${toHex(blockHash)}, executed ${known.hash}`);
  }

  started(node: SimNode): void {
    const record = this.#record(node);
    record.starts = node.starts;
    record.low = 0;
    record.view = 0;
    const executed = node.validator?.state.executed.height ?? 0;
    if (this.faulty.has(node.member)) {
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
    if (state === undefined || this.faulty.has(node.member)) return;
    const record = this.#record(node);
    if (state.low < record.low) this.fail('I10', `${node.name}: low from ${record.low} back to ${state.low}`);
    record.low = state.low;
    if (state.view < record.view) this.fail('I10', `${node.name}: view from ${record.view} back to ${state.view}`);
    if (state.view > record.view) {
      record.view = state.view;
      this.highestView = Math.max(this.highestView, state.view);
      this.#carriesCommitted(node);
      this.#isBounded(node);
    }
    if (++this.#touches % 64 === 0) this.#isBounded(node);
    if (state.mode === 'halted') this.fail('C3', `${node.name} halted: ${state.reason}`);
    for (const [member, kept] of state.evidence) {
      if (kept.length > 0 && !this.faulty.has(member))
        this.fail('I18', `${node.name} holds evidence against correct member ${member}`);
    }
  }

  /** I1, I5, also of what catch-up brought: every block a node has now is the one that everybody has. */
  finalHeads(nodes: readonly SimNode[]): void {
    for (const node of nodes) {
      const head = node.validator?.state.executed;
      if (head === undefined || head.height === 0 || this.faulty.has(node.member)) continue;
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

  /** I2 over every signature ever made: a second certificate of a height must be impossible to put together. */
  #countCheckpoint(node: SimNode, checkpoint: Checkpoint, correct: boolean): void {
    const ofHeight = this.#checkpoints.get(checkpoint.height) ?? new Map<string, Set<number>>();
    this.#checkpoints.set(checkpoint.height, ofHeight);
    const digest = toHex(encode(checkpointCodec, checkpoint));
    const signers = ofHeight.get(digest) ?? new Set();
    ofHeight.set(digest, signers);
    if (correct) signers.add(node.member);
    const possible = [...ofHeight.values()].filter((members) => this.#suffices(members));
    if (possible.length > 1) this.fail('I2', `two certificates for height ${checkpoint.height} can be made`);
  }

  /** The same for commit certificates, of any two views: they must be for one digest. */
  #countCommit(node: SimNode, { height, view, digest }: Vote, correct: boolean): void {
    if (!correct) return;
    const ofHeight = this.#commits.get(height) ?? new Map<string, Map<number, Set<number>>>();
    this.#commits.set(height, ofHeight);
    const name = toHex(digest);
    const ofDigest = ofHeight.get(name) ?? new Map<number, Set<number>>();
    ofHeight.set(name, ofDigest);
    const signers = ofDigest.get(view) ?? new Set();
    ofDigest.set(view, signers);
    signers.add(node.member);
    if (!this.#suffices(signers)) return;
    const known = this.#committed.get(height);
    if (known === undefined) this.#committed.set(height, { digest: name, view });
    else if (known.digest !== name)
      this.fail('I2', `height ${height}: ${known.digest} committed in view ${known.view}, ${name} in view ${view}`);
    else if (view < known.view) this.#committed.set(height, { digest: name, view });
  }

  #rememberCommit({ member }: SimNode, { height, view }: Vote): void {
    const views = this.#commitViews.get(member) ?? new Map<number, number>();
    this.#commitViews.set(member, views);
    views.set(height, Math.max(view, views.get(height) ?? 0));
  }

  /** V4, V10: a VIEW-CHANGE shows a certificate for each COMMIT its member ever sent above the base it shows. */
  #showsItsCommits(node: SimNode): void {
    const body = node.validator?.state.asking;
    if (body === undefined) return;
    const base = body.stable.kind === 'certificate' ? body.stable.value.checkpoint.height : 0;
    for (const [height, view] of this.#commitViews.get(node.member) ?? []) {
      if (height <= base || view >= body.view) continue;
      const shown = body.prepared.find(({ vote }) => vote.height === height);
      if (shown !== undefined && shown.vote.view >= view) continue;
      const what = shown === undefined ? 'nothing' : `view ${shown.vote.view}`;
      const asks = `VIEW-CHANGE ${body.view} of ${node.name}`;
      this.fail('V10', `${asks} shows ${what} at height ${height}, it sent COMMIT there in view ${view}; base ${base}`);
    }
  }

  /** I12: recounted from the signatures, not from what the core says. */
  #isCommitted(node: SimNode, height: number, { digest, view }: Ordered): void {
    const signers = this.#commits.get(height)?.get(toHex(digest))?.get(view) ?? new Set();
    if (!this.#suffices(signers))
      this.fail('I12', `${node.name} executes height ${height}, committed by ${signers.size} in view ${view}`);
  }

  #prepared({ view, height, digest }: Vote): Set<number> {
    return setAt(this.#preparers, `${view} ${height} ${toHex(digest)}`);
  }

  #askers(view: number): Set<number> {
    return setAt(this.#asked, `${view}`);
  }

  /** With the signatures that all faulty members would give. */
  #suffices(correct: ReadonlySet<number>): boolean {
    const members = new Set([...correct, ...this.faulty]);
    return correct.size > 0 && members.size >= this.#q;
  }

  /** I8: one content per slot, over the whole life of a key. True for the first signature. */
  #once(node: SimNode, slot: string, content: string): boolean {
    this.checks++;
    const key = `${node.member} ${slot}`;
    const first = this.#signed.get(key);
    if (first === undefined) this.#signed.set(key, content);
    else if (first !== content) this.fail('I8', `${node.name} signs a second content for ${slot}`);
    return first === undefined;
  }

  /** V5: nothing but its own view after a VIEW-CHANGE. */
  #viewsRise(node: SimNode, kind: SignKind, { view }: Vote): void {
    const record = this.#record(node);
    if (kind === 'viewChange') record.asked = Math.max(record.asked, view);
    else if (view < record.asked)
      this.fail('V5', `${node.name} signs ${kind} in view ${view} after a VIEW-CHANGE for view ${record.asked}`);
  }

  /** N11: at an executed height nothing else is voted for; what was signed before may be signed again. */
  #isWhatWasExecuted(node: SimNode, kind: SignKind, { view, height, digest }: Vote): void {
    const executed = kind === 'newView' ? undefined : this.#executedDigests.get(`${node.id} ${height}`);
    if (executed !== undefined && executed !== toHex(digest))
      this.fail('N11', `${node.name} signs ${kind} ${toHex(digest)} at ${view}/${height}, executed ${executed}`);
  }

  /** I9: what the vote rests on is on the disk, not in a cache. Searched as bytes, as a reader after a power cut would. */
  #voteIsDurable(node: SimNode, kind: SignKind, vote: Vote): void {
    const record = (tag: number, content: Uint8Array): Uint8Array => Buffer.concat([Uint8Array.of(tag), content]);
    const encoded = encode(voteCodec, vote);
    const state = node.validator?.state;
    let needed: Uint8Array | undefined;
    if (kind === 'prePrepare' || kind === 'prepare') needed = record(1, encoded);
    if (kind === 'commit') needed = record(2, encoded);
    if (kind === 'viewChange' && state?.asking !== undefined) needed = encode(viewChangeBodyCodec, state.asking);
    if (kind === 'newView') return;
    // A PRE-PREPARE of a carried height stands in the NEW-VIEW record; its batch may still have to be fetched.
    const carried = kind === 'prePrepare' && state !== undefined && vote.height <= state.carryTop;
    if (needed === undefined || carried) return;
    if (!node.disk.isInJournal(needed))
      this.fail('I9', `${node.name} signs ${kind} of view ${vote.view}, height ${vote.height}, which is not durable`);
  }

  #checkpointIsDurable(node: SimNode, { height, blockHash, stateRoot }: Checkpoint): void {
    const row = node.disk.durableRow(Buffer.from(rowKey('block', heightKey(height)), 'latin1'));
    const root = row && decode(blockCodec, row.subarray(4)).stateRoot;
    if (root === undefined || !equalBytes(root, stateRoot))
      this.fail('I9', `${node.name} signs CHECKPOINT of block ${height} ${toHex(blockHash)}, which is not durable`);
  }

  /** I11: whatever can have been committed below the view is what the view carries. */
  #carriesCommitted(node: SimNode): void {
    const state = node.validator?.state;
    const viewChanges = state?.newView?.body.viewChanges ?? state?.leading?.viewChanges;
    if (state === undefined || viewChanges === undefined) return;
    const carry = carryOf(0, state.view, viewChanges);
    for (const [height, { digest, view }] of this.#committed) {
      if (view >= state.view || height <= carry.base) continue;
      const carried = carry.votes.find((vote) => vote.height === height);
      if (carried === undefined || toHex(carried.digest) !== digest) {
        const what = carried === undefined ? 'nothing' : toHex(carried.digest);
        this.fail(
          'I11',
          `view ${state.view} carries ${what} at height ${height}, ${digest} is committed in view ${view}`,
        );
      }
    }
  }

  /** I15: nothing that peers can fill grows without bound. */
  #isBounded(node: SimNode): void {
    const state = node.validator!.state;
    const window = state.config.parameters.window;
    // A restart in the middle of a catch-up has blocks whose certificates come again.
    const ahead = Math.abs(state.low - state.executed.height);
    const bounds: readonly [string, number, number][] = [
      ['slots', state.slots.size, 2 * window + ahead],
      ['checkpoints', state.checkpoints.size, 2 * window + ahead],
      ['viewChanges', state.viewChanges.size, this.#n],
      ['evidence', Math.max(0, ...[...state.evidence.values()].map((kept) => kept.length)), EVIDENCE_PER_MEMBER_MAX],
      ['future', Math.max(...state.peers.map(({ future }) => future.messages.size)), 4 * window],
      ['unwritten', state.unwritten.size, this.#n * (6 + 4 * (2 * window + ahead))],
      ['proven', state.proven.size, EVIDENCE_PER_MEMBER_MAX * this.#f + this.#n],
    ];
    for (const [name, size, most] of bounds) {
      if (size > most) this.fail('I15', `${node.name}: ${size} ${name}, at most ${most}`);
    }
  }

  #record(node: SimNode): NodeRecord {
    let record = this.#nodes.get(node.id);
    if (record === undefined) {
      record = { executed: 0, low: 0, view: 0, starts: 0, asked: 0 };
      this.#nodes.set(node.id, record);
    }
    return record;
  }
}

function setAt(sets: Map<string, Set<number>>, key: string): Set<number> {
  let found = sets.get(key);
  if (found === undefined) {
    found = new Set();
    sets.set(key, found);
  }
  return found;
}

/** Height of the snapshot that the node has installed last. */
function baseOf(node: SimNode): number {
  const row = node.disk.rows.get(rowKey('base', NO_KEY));
  return row === undefined ? 0 : decode(baseCodec, row.subarray(4)).height;
}

/** A block as executed, or as a snapshot carries it. */
function storedBlock(node: SimNode, height: number): BlockIds | undefined {
  const row = node.disk.rows.get(rowKey('block', heightKey(height)));
  if (row !== undefined) return decode(blockCodec, row.subarray(4));
  const carried = height > baseOf(node) ? undefined : node.disk.rows.get(rowKey('blockIds', heightKey(height)));
  return carried && decode(blockIdsCodec, carried.subarray(4));
}

const carriedIds = new WeakMap<SimNode, { readonly base: number; readonly ids: ReadonlySet<string> }>();

/** Whether a node has this transaction behind it. */
export function hasExecuted(node: SimNode, id: string): boolean {
  if (node.disk.rows.has(rowKey('transaction', Buffer.from(id.slice(2), 'hex')))) return true;
  const base = baseOf(node);
  let carried = carriedIds.get(node);
  if (carried?.base !== base) {
    const ids = new Set<string>();
    for (let height = 1; height <= base; height++)
      for (const one of storedBlock(node, height)?.ids ?? []) ids.add(toHex(one));
    carried = { base, ids };
    carriedIds.set(node, carried);
  }
  return carried.ids.has(id);
}

/** The receipt of a transaction in a block that the node has executed itself. */
export function receiptOf(node: SimNode, id: string): Receipt | undefined {
  const row = node.disk.rows.get(rowKey('transaction', Buffer.from(id.slice(2), 'hex')));
  if (row === undefined) return undefined;
  const { height, index } = decode(placeCodec, row.subarray(4));
  const block = node.disk.rows.get(rowKey('block', heightKey(height)));
  return block && decode(blockCodec, block.subarray(4)).receipts[index];
}

const NO_KEY = new Uint8Array(0);

function rowKey(kind: keyof typeof KINDS, key: Uint8Array): string {
  return Buffer.concat([Uint8Array.of(KINDS[kind]), key]).toString('latin1');
}
