import { type Handoff, updatesCodec } from '../ledger/bundle.ts';
import { type Certificate, type Checkpoint, checkpointCodec, type Trust } from '../ledger/checkpoint.ts';
import { decode, encode, sameEncoding, tryDecode } from '../ledger/codec.ts';
import { UPDATES_MAX } from '../ledger/limits.ts';
import type { RecoveryRule, RecoveryTrust } from '../ledger/recovery-rule.ts';
import { followHandoffs } from '../light/handoffs.ts';
import type { Log, Network } from '../p2p/index.ts';
import { CURRENT_MS, FOLLOW_INTERVAL_MS, HANDOFF_RETRY_MS, HANDOFF_TOLD_MS } from './limits.ts';
import type { Event, Now } from './pbft/events.ts';
import type { Message } from './pbft/messages.ts';
import { connectedCount, type ReplicaState } from './pbft/state.ts';
import { type MessageContext, type Verified, verifyMessage } from './pbft/verify.ts';
import type { PeerClient } from './peer-client.ts';
import type { LedgerPort, Scheduler } from './ports.ts';
import { certificateAnswerCodec, messageFrame, requestCodec } from './wire.ts';

export interface FollowContext {
  readonly network: Network;
  readonly peers: PeerClient;
  readonly ledger: LedgerPort;
  readonly log: Log;
  readonly scheduler: Scheduler;
  readonly signal: AbortSignal;
  messages(): MessageContext;
  /** The epoch before, as far as the ledger knows it. */
  previous(): Trust | undefined;
  state(): ReplicaState;
  now(): Now;
  dispatch(event: Event): void;
  blame(member: number, reason: string): void;
  fatal(error: unknown): void;
  /** R10: what this chain allows, and this node was told to accept. */
  readonly recoveryRule: RecoveryRule;
}

/** Recoveries that the log tells of. */
const REFUSED_MAX = 16;

/** The set of a later epoch, and the certificate that hands over to it. */
interface Known extends RecoveryTrust {
  readonly certificate: Certificate;
}

/**
 * E7, R9: the way to certificates that nobody sends by itself. Whoever speaks of a later epoch, or is silent because this
 * node is no member of it, is asked for hand-offs, which are verified one by one; a node without a vote also asks for the
 * newest certificate again and again.
 */
export class FollowEpochs {
  readonly #context: FollowContext;
  /** Sets of later epochs than ours that hand-offs have led to, by epoch. */
  readonly #known = new Map<number, Known>();
  /** R10: ends of epochs by recoveries that were verified and accepted, by epoch. */
  readonly #recovered = new Map<number, Checkpoint>();
  /** R10: recoveries that the log has told of, since they are not accepted here. */
  readonly #refused = new Set<string>();
  /** The height at which the newest of them begins. */
  #newest = 0;
  /** When members were told that their epoch is over, on the monotonic clock. */
  readonly #told = new Map<number, number>();
  #asking = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #turn = 0;
  /** When a member last had no later epoch and no newer certificate than is executed here, on the monotonic clock. */
  #currentAt = Number.NEGATIVE_INFINITY;

  constructor(context: FollowContext) {
    this.#context = context;
  }

  start(): void {
    const { scheduler, signal, state, now } = this.#context;
    if (signal.aborted) return;
    scheduler.setTimer(FOLLOW_INTERVAL_MS, () => {
      this.start();
      const { config, quorum, lastHeight, executed, low } = state();
      const isCut = connectedCount(state(), now()) < quorum || (lastHeight !== undefined && executed.height > low);
      if (config.self === undefined) this.#askSomebody();
      else if (isCut) this.#askSomebody(HANDOFF_RETRY_MS);
    });
  }

  /**
   * A member spoke of another epoch. What it says of a later one is not believed, but asked for; who is in an earlier one
   * is told how that ended.
   */
  otherEpoch(from: number, epoch: number, { kind }: Message): void {
    const { messages, ledger, network, now, fatal } = this.#context;
    const own = messages().epoch;
    if (epoch > own) {
      if (this.#isDue(HANDOFF_RETRY_MS)) this.#begin(from);
      return;
    }
    const { monotonic } = now();
    if (kind !== 'status' || monotonic - (this.#told.get(from) ?? Number.NEGATIVE_INFINITY) < HANDOFF_TOLD_MS) return;
    this.#told.set(from, monotonic);
    ledger.query('handoffs', { from: epoch }).then((encoded) => {
      const [ended] = decode(updatesCodec, encoded).handoffs;
      // Indexes are of another set once the epoch has changed.
      if (ended !== undefined && messages().epoch === own)
        network.send(from, messageFrame({ kind: 'certificate', value: ended.certificate }));
    }, fatal);
  }

  /** Our epoch is another one now, and how that one ended may be known already. */
  entered(): void {
    const { epoch } = this.#context.messages();
    for (const known of this.#known.keys()) if (known <= epoch) this.#known.delete(known);
    this.#told.clear();
    this.#askedAt = Number.NEGATIVE_INFINITY;
    const next = this.#known.get(epoch + 1);
    if (next !== undefined) this.take(next.certificate);
  }

  /** Whether a member was asked a moment ago, and knew nothing that is not executed here. */
  get isCurrent(): boolean {
    return this.#context.now().monotonic - this.#currentAt <= CURRENT_MS;
  }

  /** The height that the newest known epoch begins above. */
  get newest(): number {
    return this.#newest;
  }

  /** A certificate of this or a known later epoch, verified; or what is wrong with it. */
  verify(value: Certificate): Verified<Message> | string {
    const { epoch } = value.checkpoint;
    const messages = this.#context.messages();
    const trust = epoch === messages.epoch ? messages : this.#known.get(epoch);
    if (trust === undefined) return `a certificate of epoch ${epoch}, known are ${messages.epoch} and its successors`;
    if (value.scheme === 'recovery') return this.#verifyRecovered(value);
    const judged = verifyMessage({ kind: 'certificate', value }, { ...messages, ...trust });
    return judged.ok ? judged.message : judged.reject.detail;
  }

  /** R10: nobody signs it; a hand-off that was verified has shown it. */
  #verifyRecovered(value: Certificate): Verified<Message> | string {
    const { checkpoint, proof } = value;
    const shown = this.#recovered.get(checkpoint.epoch);
    const isShown = shown !== undefined && sameEncoding(checkpointCodec, shown, checkpoint);
    if (!isShown || proof.signatures.length > 0)
      return `block ${checkpoint.height} by a recovery that is not known here`;
    return { kind: 'certificate', value } as Verified<Message>;
  }

  /** Hands a certificate to the core, if it is one. */
  take(certificate: Certificate): void {
    const verified = this.verify(certificate);
    if (typeof verified !== 'string') this.certified(verified);
  }

  /** Hands a verified certificate to the core, if it is of its epoch. */
  certified(message: Verified<Message>): void {
    const { messages, dispatch } = this.#context;
    if (message.kind === 'certificate' && message.value.checkpoint.epoch === messages().epoch)
      dispatch({ type: 'message', message });
  }

  #askSomebody(pauseMs = 0): void {
    const members = this.#context.network.connected();
    const member = members[this.#turn++ % members.length];
    if (member !== undefined && this.#isDue(pauseMs)) this.#begin(member);
  }

  #isDue(pauseMs: number): boolean {
    return !this.#asking && this.#context.now().monotonic - this.#askedAt >= pauseMs;
  }

  #begin(member: number): void {
    this.#asking = true;
    this.#askedAt = this.#context.now().monotonic;
    this.#ask(member)
      .catch((error: unknown) => {
        if (!this.#context.signal.aborted) this.#context.fatal(error);
      })
      .finally(() => {
        this.#asking = false;
      });
  }

  async #ask(member: number): Promise<void> {
    const { epoch } = this.#context.messages();
    let answer = await this.#askNewest(member);
    if (answer === 'later') {
      const known = this.#newestTrust().epoch;
      while (await this.#askHandoffs(member));
      // R10: a recovery that is not accepted here leads nowhere.
      if (this.#newestTrust().epoch > known) answer = await this.#askNewest(member);
    }
    if (answer === 'current' && this.#context.messages().epoch === epoch && !this.#known.has(epoch + 1))
      this.#currentAt = this.#context.now().monotonic;
  }

  #newestTrust(): RecoveryTrust {
    const { messages, previous } = this.#context;
    return this.#known.get(Math.max(...this.#known.keys())) ?? { ...messages(), previous: previous() };
  }

  /** One page of hand-offs from the newest known epoch on; true if there may be more. */
  async #askHandoffs(member: number): Promise<boolean> {
    const { peers, ledger, messages, blame, signal } = this.#context;
    const trust = this.#newestTrust();
    const answer = await peers.ask(member, encode(requestCodec, { kind: 'handoffs', value: { from: trust.epoch } }));
    if (answer === undefined || signal.aborted) return false;
    const decoded = tryDecode(updatesCodec, answer);
    if (!decoded.ok) {
      blame(member, `hand-offs: ${decoded.problem}`);
      return false;
    }
    const { handoffs } = decoded.value;
    const [first] = handoffs;
    if (first === undefined) return false;
    const { genesisId, verify } = messages();
    const { epoch, validators, previous } = trust;
    let reached: RecoveryTrust = { genesisId, epoch, validators, previous };
    const learned: [Known, Handoff][] = [];
    for (const handoff of handoffs) {
      const next = followHandoffs([handoff], reached, verify, this.#context.recoveryRule);
      if (typeof next === 'string') {
        this.#refuse(member, next, handoff);
        break;
      }
      reached = next;
      learned.push([{ ...next, certificate: handoff.certificate }, handoff]);
    }
    if (learned.length === 0) return false;
    // First: a block that a recovery put there is executed by what its hand-off says.
    await ledger.storeHandoffs(encode(updatesCodec, { handoffs: learned.map(([, handoff]) => handoff) }));
    for (const [known, handoff] of learned) this.#learn(known, handoff);
    return learned.length === UPDATES_MAX;
  }

  /** R10: that a recovery was not accepted is for the operator to know, once, and nobody's fault. */
  #refuse(member: number, problem: string, { certificate }: Handoff): void {
    const { log, blame } = this.#context;
    if (certificate.scheme !== 'recovery') return blame(member, problem);
    if (this.#refused.size >= REFUSED_MAX || this.#refused.has(problem)) return;
    this.#refused.add(problem);
    log.error({ problem }, 'a recovery that this node does not take: it stays in the epoch before');
  }

  #learn(known: Known, { certificate }: Handoff): void {
    this.#newest = Math.max(this.#newest, certificate.checkpoint.height);
    if (certificate.scheme === 'recovery') this.#recovered.set(certificate.checkpoint.epoch, certificate.checkpoint);
    if (known.epoch > this.#context.messages().epoch) this.#known.set(known.epoch, known);
    this.take(certificate);
  }

  /**
   * `current`: the member has none that is far above what is executed here. `later`: it is in an epoch whose set is not known
   * here.
   */
  async #askNewest(member: number): Promise<'current' | 'later' | undefined> {
    const { peers, state, blame, signal } = this.#context;
    const value = { epoch: this.#newestTrust().epoch, above: state().low };
    const answer = await peers.ask(member, encode(requestCodec, { kind: 'newest', value }));
    if (answer === undefined || signal.aborted) return undefined;
    const decoded = tryDecode(certificateAnswerCodec, answer);
    if (!decoded.ok) {
      blame(member, `newest certificate: ${decoded.problem}`);
      return undefined;
    }
    if (decoded.value.kind === 'later') return 'later';
    const { stable, executed } = state();
    let newest = stable?.checkpoint.timestamp ?? 0;
    if (decoded.value.kind === 'certificate') {
      const verified = this.verify(decoded.value.value);
      if (typeof verified === 'string') {
        blame(member, `newest certificate: ${verified}`);
        return undefined;
      }
      const { height, timestamp } = decoded.value.value.checkpoint;
      this.#newest = Math.max(this.#newest, height);
      this.certified(verified);
      newest = timestamp;
    }
    // Under load there is always a newer one on its way.
    return newest - executed.timestamp <= CURRENT_MS ? 'current' : undefined;
  }
}
