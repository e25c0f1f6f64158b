import type { Genesis } from '../genesis/genesis.ts';
import { blockHash } from '../ledger/block.ts';
import { bundleCodec } from '../ledger/bundle.ts';
import { equalBytes, fromHex, toHex } from '../ledger/bytes.ts';
import { type Certificate, type Trust, verifyCertificate } from '../ledger/checkpoint.ts';
import { decode } from '../ledger/codec.ts';
import { type ForkEvidence, forkEvidenceCodec } from '../ledger/fork.ts';
import { HANDOFFS_MAX, UPDATES_MAX } from '../ledger/limits.ts';
import { listRootFromProof } from '../ledger/list-tree.ts';
import type { EpochRecovery, RecoveryRule, RecoveryTrust } from '../ledger/recovery-rule.ts';
import { type CheckedReplies, checkReplies } from '../ledger/reply.ts';
import { decodeTransaction } from '../ledger/transaction.ts';
import type { ValidatorSet } from '../ledger/validators.ts';
import { readGenesisAsync, verifyBundleAsync } from './async.ts';
import { withEngine } from './engine.ts';
import { findFork, lastOf, newestOf, sameCheckpoint, type View } from './fork.ts';
import { followHandoffs, loadRecovery } from './handoffs.ts';
import type { Facts, Report } from './report.ts';
import { bundleOf, createSource, type Source } from './source.ts';
import { decodeView, encodeView, type LightStore } from './store.ts';
import type { Question } from './verify-bundle.ts';

const TIMEOUT_MS = 10_000;

export interface LightClientOptions {
  /** The genesis file's text, or what `readGenesis` made of it: all that is trusted. */
  readonly genesis: string | Genesis;
  /** REST addresses of nodes, like `https://node.example`. None of them is trusted; several are compared. */
  readonly urls: readonly string[];
  /** Where the way from genesis is kept, so that it need not be asked for again. Checked again when it is read. */
  readonly store?: LightStore;
  /** In ms: how old the newest certificate's block time may be. None: any age, which the answers tell. */
  readonly maxAge?: number;
  /** R10: hashes (0x hex) of recoveries that the caller was told of by people it trusts. None: every recovery is refused. */
  readonly acceptRecovery?: readonly string[];
  /** In ms, for one request. Default 10,000. */
  readonly timeout?: number;
  readonly fetch?: typeof fetch;
  /** This machine's clock in ms; only ages are judged by it, and by what is known to be certified. */
  readonly now?: () => number;
}

/** How far the chain is known; never less far than before. */
export interface Position {
  readonly epoch: number;
  readonly validators: ValidatorSet;
  /** The newest; that of the end of the epoch before while no block of this one is known to be final. */
  readonly certificate: Certificate;
  /** By this machine's clock, from the certified block time; negative if the clock is behind. */
  readonly ageMs: number;
  /** The certificate known before is shown to be on this chain; true if there was none. */
  readonly continues: boolean;
  /** R10: epochs on the way from genesis that were ended by a recovery, which the caller accepts. */
  readonly recoveries: readonly EpochRecovery[];
  /** What each node had, in the order of `urls`. `compared`: its block is shown to be on the chain of `certificate`. */
  readonly sources: readonly SourceState[];
}

export interface SourceState {
  readonly url: string;
  readonly height?: number;
  readonly compared: boolean;
  readonly problem?: string;
}

/** A proven answer. `proof`: the bundle's canonical bytes, for whoever wants to check it again. */
export interface Proven<T> {
  readonly value: T;
  readonly facts: Facts;
  /** Block time of the certificate against this machine's clock. */
  readonly ageMs: number;
  readonly proof: Uint8Array;
}

/**
 * unreachable: no node gave a certificate that can be verified. unproven: to a question no node gave an answer that can be
 * verified, and not all said that they have none. stale: what is newest is older than `maxAge`. fork: more than f validators
 * signed two chains, see `evidence`. genesis, store: what the caller gave is not sound.
 */
export type LightErrorCode = 'unreachable' | 'unproven' | 'stale' | 'fork' | 'genesis' | 'store';

export class LightError extends Error {
  readonly code: LightErrorCode;
  /** Only for `fork`: anybody can check it with the genesis file (`verifyForkEvidence`). */
  readonly evidence: ForkEvidence | undefined;

  constructor(code: LightErrorCode, message: string, evidence?: ForkEvidence) {
    super(message);
    this.code = code;
    this.evidence = evidence;
  }
}

/** A proof that a node gave before it was asked for: it is checked as if asked for. */
export interface ShownProof {
  /** The node's place in `urls`. */
  readonly from: number;
  /** Canonical bytes of the bundle. */
  readonly proof: Uint8Array;
}

/** Follows a chain from its genesis file and asks nodes for facts with their proofs. Methods reject with LightError. */
export interface LightClient {
  /** Of the last `follow`. */
  readonly position: Position | undefined;
  /** Asks all nodes for the newest certificate and for the hand-offs to its epoch, and compares what they say. */
  follow(): Promise<Position>;
  /**
   * A final transaction by its id, 32 bytes or 0x hex; undefined if no node has a proof of it, which proves nothing. With `shown`,
   * which `POST /v1/transactions?wait=final` answers in bytes, a node is asked only if that is not sound.
   */
  transaction(
    id: Uint8Array | string,
    shown?: ShownProof,
  ): Promise<Proven<NonNullable<Facts['transaction']>> | undefined>;
  /** The value of a row as of the newest certificate of the node that answers, or undefined: proven not to exist. */
  state(table: string, key: Uint8Array): Promise<Proven<Uint8Array | undefined>>;
  block(height: number): Promise<Proven<NonNullable<Facts['block']>> | undefined>;
  /**
   * C5: what f+1 validators of the newest epoch say in the same words about a signed transaction's bytes, for instance that
   * it can never execute any more. The newest certificate is asked for first; give `maxAge`, else nobody knows how new.
   */
  replies(transaction: Uint8Array): Promise<CheckedReplies>;
}

/** A light client over any number of nodes. Nothing is asked before the first call. */
export function createLightClient(options: LightClientOptions): LightClient {
  return new Client(options);
}

/** A verified way, and the node that shows what lies on it. */
interface Heard {
  readonly source: Source;
  readonly view: View;
}

class Client implements LightClient {
  position: Position | undefined;
  readonly #options: LightClientOptions;
  readonly #sources: readonly Source[];
  #genesis: Genesis | undefined;
  #view: View = { handoffs: [], certificate: undefined };
  #fork: LightError | undefined;
  #following: Promise<Position> | undefined;

  constructor(options: LightClientOptions) {
    const { urls, fetch = globalThis.fetch.bind(globalThis), timeout: timeoutMs = TIMEOUT_MS } = options;
    if (urls.length === 0) throw new RangeError('expected at least one url');
    this.#options = options;
    this.#sources = urls.map((url) => createSource(url, { fetch, timeoutMs }));
  }

  follow(): Promise<Position> {
    this.#following ??= this.#follow().finally(() => {
      this.#following = undefined;
    });
    return this.#following;
  }

  async transaction(id: Uint8Array | string, shown?: ShownProof) {
    const bytes = typeof id === 'string' ? fromHex(id) : id;
    if (bytes?.length !== 32) throw new RangeError('expected an id of 32 bytes');
    const first = shown && this.#sources[shown.from];
    if (shown !== undefined && first === undefined) throw new RangeError(`there is no node ${shown.from}`);
    const sources = first === undefined ? this.#sources : [first, ...this.#sources.filter((one) => one !== first)];
    const ask = async (one: Source) => (one === first ? shown!.proof : one.transaction(toHex(bytes)));
    const found = await this.#prove({ kind: 'transaction', id: bytes }, ask, sources);
    return found && { ...found, value: found.facts.transaction! };
  }

  async block(height: number) {
    const found = await this.#prove({ kind: 'block', height }, (one) => one.block(height));
    return found && { ...found, value: found.facts.block! };
  }

  async state(table: string, key: Uint8Array) {
    const found = await this.#prove({ kind: 'state', table, key }, (one) => one.state(table, toHex(key)));
    if (found === undefined) throw new LightError('unproven', 'no node has a proof about this row');
    return { ...found, value: found.facts.state!.value };
  }

  async replies(transaction: Uint8Array): Promise<CheckedReplies> {
    const { epoch, validators } = await this.follow();
    const { id: genesisId } = await this.#readGenesis();
    const decoded = decodeTransaction(genesisId, transaction);
    if (!decoded.ok) throw new RangeError(decoded.problem);
    const answers = await Promise.allSettled(this.#sources.map((source) => source.reply(transaction)));
    const replies = answers.flatMap((one) => (one.status === 'fulfilled' && one.value ? [one.value] : []));
    const trust = { genesisId, epoch, validators };
    return withEngine((verify) => checkReplies(replies, decoded.value.id, trust, verify));
  }

  async #follow(): Promise<Position> {
    if (this.#fork !== undefined) throw this.#fork;
    const { id: genesisId } = await this.#readGenesis();
    const heard = await Promise.all(this.#sources.map((source) => this.#hear(source)));
    const [furthest, ...found] = heard.filter((one) => typeof one !== 'string').toSorted(furtherFirst);
    if (furthest === undefined) {
      const said = heard.map((problem, i) => `${this.#sources[i]!.url}: ${problem}`);
      throw new LightError('unreachable', `no node gave a certificate that can be verified: ${said.join('; ')}`);
    }
    // Never back: what is known is one of the ways, and comes first among equals.
    const known: Heard = { source: furthest.source, view: this.#view };
    const ways = [known, furthest, ...found].toSorted(furtherFirst);
    const onChain = await this.#compare(genesisId, ways);
    const best = ways[0]!;
    if (best !== known) {
      await this.#stored((store) => store.save(encodeView(genesisId, best.view)));
      this.#view = best.view;
    }
    const sources = heard.map((one, i): SourceState => {
      const { url } = this.#sources[i]!;
      if (typeof one === 'string') return { url, compared: false, problem: one };
      return { url, height: heightOf(one.view), compared: onChain.has(one) };
    });
    const { epoch, validators } = await this.#trustOf(best.view.handoffs);
    const certificate = newestOf(best.view)!;
    const ageMs = this.#age(certificate.checkpoint.timestamp);
    const recoveries = (await loadRecovery(best.view.handoffs))?.recoveriesOf(best.view.handoffs) ?? [];
    this.position = { epoch, validators, certificate, ageMs, continues: onChain.has(known), recoveries, sources };
    return this.position;
  }

  /** What a node has, verified from where the client stands; or what is wrong with it. */
  async #hear(source: Source): Promise<Heard | string> {
    try {
      // One hand-off again: whoever is on another chain since then shows it.
      const known = this.#view.handoffs.slice(0, -1);
      let handoffs = known;
      let trust: RecoveryTrust = await this.#trustOf(known);
      for (let page = UPDATES_MAX; page === UPDATES_MAX; ) {
        const more = await source.updates(trust.epoch);
        const rule = await this.#rule(more);
        page = more.length;
        const from = trust;
        const next = await withEngine((verify) => followHandoffs(more, from, verify, rule));
        if (typeof next === 'string') return next;
        trust = next;
        handoffs = [...handoffs, ...more];
        if (handoffs.length > HANDOFFS_MAX) return `more than ${HANDOFFS_MAX} hand-offs`;
      }
      const certificate = await source.latest();
      if (certificate === undefined) return 'nothing is final there';
      // Of an earlier epoch where the last one has just ended, or a node is behind.
      const { epoch } = certificate.checkpoint;
      const view = { handoffs: handoffs.slice(0, epoch), certificate };
      const end = handoffs[epoch]?.certificate;
      // R10: nobody signs a certificate by recovery; the hand-off shows it.
      if (certificate.scheme === 'recovery' && end !== undefined && sameCheckpoint(end, certificate))
        return { source, view: { handoffs, certificate: undefined } };
      const reached = await this.#trustOf(view.handoffs);
      const checked = await withEngine((verify) => verifyCertificate(certificate, reached, verify));
      if (!checked.ok) return checked.problem;
      if (epoch >= handoffs.length || handoffs.length === known.length) return { source, view };
      const ended = { handoffs, certificate: undefined };
      const fork = findFork(reached.genesisId, ended, view);
      if (fork !== undefined) throw this.#forked(fork);
      return { source, view: ended };
    } catch (error) {
      if (error instanceof LightError) throw error;
      return error instanceof Error ? error.message : 'no answer';
    }
  }

  async #trustOf(handoffs: View['handoffs']): Promise<RecoveryTrust> {
    const { id: genesisId, validators } = await this.#readGenesis();
    const of = (epoch: number): Trust => ({
      genesisId,
      epoch,
      validators: handoffs[epoch - 1]?.next ?? validators,
    });
    const epoch = handoffs.length;
    return { ...of(epoch), previous: epoch === 0 ? undefined : of(epoch - 1) };
  }

  async #rule(handoffs: View['handoffs'], genesis?: Genesis): Promise<RecoveryRule> {
    const { recovery: percent } = genesis ?? (await this.#readGenesis());
    return {
      percent,
      accepted: this.#options.acceptRecovery ?? [],
      judge: (await loadRecovery(handoffs))?.verifyRecovery,
    };
  }

  /**
   * Which of these ways, the furthest first, are shown to be on the chain of the first one. Throws when two of them are of two
   * chains; nothing is answered any more from then on.
   */
  async #compare(genesisId: Uint8Array, ways: readonly Heard[]): Promise<ReadonlySet<Heard>> {
    for (const [one, other] of pairsOf(ways)) {
      const fork = findFork(genesisId, one.view, other.view);
      if (fork !== undefined) throw this.#forked(fork);
    }
    const links = await Promise.all(ways.map((one) => one === ways[0] || this.#link(genesisId, ways[0]!, one.view)));
    // What the first one's node does not show, others may.
    const apart = ways.filter((_, i) => !links[i]);
    await Promise.all(pairsOf(apart).map(([one, other]) => this.#link(genesisId, one, other.view)));
    return new Set(ways.filter((_, i) => links[i]));
  }

  /** Whether the last block of `other` is shown to be in the history that a way further on certified; throws if another is. */
  async #link(genesisId: Uint8Array, { source, view }: Heard, other: View): Promise<boolean> {
    const lower = newestOf(other);
    if (lower === undefined) return true;
    const { epoch, height } = lower.checkpoint;
    const above = lastOf(view, epoch);
    if (above === undefined) return false;
    if (above.checkpoint.height <= height) return sameCheckpoint(above, lower);
    const shown = await blockUnder(source, above, height);
    if (shown === undefined) return false;
    const { header, historyProof } = shown;
    const hash = blockHash(header);
    // Of what else a checkpoint says, the block's hash covers the time.
    if (equalBytes(hash, lower.checkpoint.blockHash)) return header.timestamp === lower.checkpoint.timestamp;
    throw this.#forked({
      format: 'quorate-fork-1',
      genesisId,
      handoffs: view.handoffs.slice(0, epoch),
      first: lower,
      second: above,
      conflict: { kind: 'otherHistory', value: { blockHash: hash, historyProof } },
    });
  }

  #forked(fork: ForkEvidence): LightError {
    // R10: who signed a recovery are not the validators, so it shows nothing against them.
    const isRecovery = fork.first.scheme === 'recovery' || fork.second.scheme === 'recovery';
    this.#fork = new LightError('fork', describeFork(fork), isRecovery ? undefined : fork);
    return this.#fork;
  }

  /** The first sound answer to a question, from whichever node. */
  async #prove(
    question: Question,
    ask: (source: Source) => Promise<Uint8Array | undefined>,
    sources = this.#sources,
  ): Promise<{ facts: Facts; ageMs: number; proof: Uint8Array } | undefined> {
    if (this.#fork !== undefined) throw this.#fork;
    if (this.position === undefined) await this.follow();
    const genesis = await this.#readGenesis();
    const problems: string[] = [];
    let stale: LightError | undefined;
    for (const source of sources) {
      try {
        const proof = await ask(source);
        if (proof === undefined) continue;
        const report = await verifyBundleAsync(proof, genesis, {
          question,
          acceptRecovery: this.#options.acceptRecovery ?? [],
        });
        if (report.facts === undefined) {
          problems.push(`${source.url}: ${failedStep(report)}`);
          continue;
        }
        const problem = await this.#otherChain(source, proof);
        if (problem !== undefined) {
          problems.push(`${source.url}: ${problem}`);
          continue;
        }
        const ageMs = this.#age(report.facts.certified.time, question.kind === 'state');
        return { facts: report.facts, ageMs, proof };
      } catch (error) {
        if (error instanceof LightError && error.code === 'fork') throw error;
        if (error instanceof LightError && error.code === 'stale') stale = error;
        problems.push(`${source.url}: ${error instanceof Error ? error.message : 'no answer'}`);
      }
    }
    if (problems.length === 0) return undefined;
    throw stale ?? new LightError('unproven', problems.join('; '));
  }

  /**
   * V20: the set of the newest known epoch, and those that follow from it, are believed; of a set of before only what is shown
   * to be in the chain. The chain shows blocks: the state after one is what its signers say.
   */
  async #otherChain(source: Source, proof: Uint8Array): Promise<string | undefined> {
    const { genesisId, handoffs, certificate, fact } = decode(bundleCodec, proof);
    const known = this.#view;
    const fork = findFork(genesisId, known, { handoffs, certificate });
    if (fork !== undefined) throw this.#forked(fork);
    const { epoch } = certificate.checkpoint;
    const above = lastOf(known, epoch);
    if (epoch >= known.handoffs.length || above === undefined || sameCheckpoint(above, certificate)) return undefined;
    if (fact.kind === 'state') return 'the state is under a certificate of an old epoch';
    const isLinked = await this.#link(genesisId, { source, view: known }, { handoffs, certificate });
    const { header } = fact.value;
    const shown = await blockUnder(source, above, header.height);
    if (isLinked && shown && equalBytes(blockHash(shown.header), blockHash(header))) return undefined;
    return 'the certificate is of an old epoch, and the block is not shown to be in the chain';
  }

  #age(time: number, judged = true): number {
    const { maxAge, now = Date.now } = this.#options;
    const ageMs = now() - time;
    // A clock that is behind makes nothing younger than what is certified since.
    const oldMs = Math.max(ageMs, (newestOf(this.#view)?.checkpoint.timestamp ?? time) - time);
    if (judged && maxAge !== undefined && !(oldMs <= maxAge)) {
      throw new LightError('stale', `the newest certificate is ${oldMs} ms old, at most ${maxAge}`);
    }
    return ageMs;
  }

  async #readGenesis(): Promise<Genesis> {
    if (this.#genesis !== undefined) return this.#genesis;
    const given = this.#options.genesis;
    const read = typeof given === 'string' ? await readGenesisAsync(given) : { ok: true as const, genesis: given };
    if (!read.ok) throw new LightError('genesis', read.problem);
    const stored = await this.#stored((store) => store.load());
    // A copy: what was checked stays as it was, whatever the store does with its bytes.
    if (stored !== undefined) this.#view = await this.#checkStored(stored.slice(), read.genesis);
    // Last: nothing goes on without what is stored, also when it can not be read the first time.
    this.#genesis = read.genesis;
    return this.#genesis;
  }

  async #stored<T>(work: (store: LightStore) => Promise<T>): Promise<T | undefined> {
    const { store } = this.#options;
    try {
      return store && (await work(store));
    } catch (error) {
      throw new LightError('store', `the store failed: ${error instanceof Error ? error.message : 'no reason given'}`);
    }
  }

  async #checkStored(stored: Uint8Array, genesis: Genesis): Promise<View> {
    const { id: genesisId, validators } = genesis;
    const view = decodeView(genesisId, stored);
    if (typeof view === 'string') throw new LightError('store', view);
    const rule = await this.#rule(view.handoffs, genesis);
    const problem = await withEngine((verify) => {
      const trust = followHandoffs(view.handoffs, { genesisId, epoch: 0, validators }, verify, rule);
      if (typeof trust === 'string') return trust;
      const checked = view.certificate && verifyCertificate(view.certificate, trust, verify);
      return checked?.ok === false ? checked.problem : undefined;
    });
    if (problem !== undefined) throw new LightError('store', `what was stored is not sound: ${problem}`);
    return view;
  }
}

function heightOf(view: View): number {
  return newestOf(view)?.checkpoint.height ?? -1;
}

function furtherFirst({ view: a }: Heard, { view: b }: Heard): number {
  return b.handoffs.length - a.handoffs.length || heightOf(b) - heightOf(a);
}

function pairsOf<T>(items: readonly T[]): readonly (readonly [T, T])[] {
  return items.flatMap((one, i) => items.slice(i + 1).map((other) => [one, other] as const));
}

/** The block at a height of the history that a certificate covers, if the node shows it. */
async function blockUnder(source: Source, above: Certificate, height: number) {
  const bundle = bundleOf(await source.block(height, above.checkpoint.height).catch(() => undefined));
  if (bundle?.fact.kind !== 'block' || !sameCheckpoint(bundle.certificate, above)) return undefined;
  const { header, historyProof: siblings } = bundle.fact.value;
  const place = { count: above.checkpoint.height + 1, index: height, content: blockHash(header), siblings };
  const root = listRootFromProof(place);
  return root !== undefined && equalBytes(root, above.checkpoint.historyRoot) ? bundle.fact.value : undefined;
}

function failedStep({ steps }: Report): string {
  const failed = steps.find(({ status }) => status === 'failed');
  return `${failed?.name}: ${failed?.detail}`;
}

function describeFork({ first, second, conflict }: ForkEvidence): string {
  const recovery = [first, second].find(({ scheme }) => scheme === 'recovery');
  if (recovery !== undefined) {
    const { epoch, height } = recovery.checkpoint;
    return `epoch ${epoch} was ended by a recovery at height ${height}, and its validators certified another block: they had a quorum after all`;
  }
  const heights = `heights ${first.checkpoint.height} and ${second.checkpoint.height}`;
  return `two certificates can not both be of one chain (${conflict.kind}, ${heights}): more than f validators signed both`;
}

/** Fork evidence as the text of a file. */
export function printForkEvidence(evidence: ForkEvidence): string {
  return `${JSON.stringify(forkEvidenceCodec.toJson(evidence), undefined, 2)}\n`;
}
