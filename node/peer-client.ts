import { type Batch, batchDigest } from '../ledger/block.ts';
import { equalBytes } from '../ledger/bytes.ts';
import { encode, tryDecode } from '../ledger/codec.ts';
import type { Log, Network } from '../p2p/index.ts';
import { idKey } from './id-key.ts';
import { OFFER_IDS_MAX, OFFERS_FETCHED_MAX, REQUEST_TIMEOUT_MS } from './limits.ts';
import { batchAnswerCodec, requestCodec, type ShownAnswer, shownAnswerCodec } from './wire.ts';

export interface PeerClientContext {
  readonly network: Network;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Whether a transaction is here, was executed lately, or is being verified. */
  isKnown(key: string): boolean;
  /** Takes transactions that a member offered, as if it had forwarded them. */
  take(member: number, packed: Uint8Array): Promise<void>;
  blame(member: number, reason: string): void;
  fatal(error: unknown): void;
}

/** What one validator asks of another. Nothing is believed: what comes is checked by its hash or its signature. */
export class PeerClient {
  readonly #context: PeerClientContext;
  /** How many offers of each member are being fetched. */
  readonly #offers = new Map<number, number>();
  #turn = 0;

  constructor(context: PeerClientContext) {
    this.#context = context;
  }

  /** Packed transactions with these ids, as many as the member has; undefined without an answer. */
  bodies(member: number, ids: readonly Uint8Array[]): Promise<Uint8Array | undefined> {
    return this.ask(member, encode(requestCodec, { kind: 'bodies', value: { ids } }));
  }

  /** The batch at a height with this digest, if the member has it (V9). */
  async batch(member: number, height: number, digest: Uint8Array): Promise<Batch | undefined> {
    const answer = await this.ask(member, encode(requestCodec, { kind: 'batch', value: { height, digest } }));
    if (answer === undefined) return undefined;
    const decoded = tryDecode(batchAnswerCodec, answer);
    if (!decoded.ok) {
      this.#context.blame(member, `batch: ${decoded.problem}`);
      return undefined;
    }
    if (decoded.value.kind === 'nothing') return undefined;
    const batch = decoded.value.value;
    if (batch.height === height && equalBytes(batchDigest(batch), digest)) return batch;
    this.#context.blame(member, 'another batch than was asked for');
    return undefined;
  }

  /** R6: what a member holds of a key's signatures in an epoch, or that the epoch is over; undefined without an answer. */
  async shown(member: number, epoch: number, key: Uint8Array): Promise<ShownAnswer | undefined> {
    const answer = await this.ask(member, encode(requestCodec, { kind: 'shown', value: { epoch, key } }));
    if (answer === undefined) return undefined;
    const decoded = tryDecode(shownAnswerCodec, answer);
    if (decoded.ok) return decoded.value;
    this.#context.blame(member, `shown: ${decoded.problem}`);
    return undefined;
  }

  /** T9: hands packed transactions to so many members, which admit them; the next time to the next ones. */
  submit(transactions: Uint8Array, copies: number): void {
    const members = this.#context.network.connected();
    const request = encode(requestCodec, { kind: 'submit', value: { transactions } });
    for (let i = Math.min(copies, members.length); i > 0; i--)
      void this.ask(members[this.#turn++ % members.length]!, request);
  }

  /** The answer of a member, or undefined when it can't be reached or refuses. */
  async ask(member: number, body: Uint8Array, timeoutMs = REQUEST_TIMEOUT_MS): Promise<Uint8Array | undefined> {
    const { network, log, signal } = this.#context;
    try {
      return await network.request(member, body, { timeoutMs, signal });
    } catch (error) {
      log.debug({ member, reason: String(error) }, 'no answer');
      return undefined;
    }
  }

  /** T9: what lacks of an offer is asked for, a few offers of a member at a time. */
  onOffer(from: number, ids: Uint8Array): void {
    const { blame, isKnown, fatal, take } = this.#context;
    if (ids.length % 32 !== 0 || ids.length > 32 * OFFER_IDS_MAX) return blame(from, 'an offer out of form');
    const fetching = this.#offers.get(from) ?? 0;
    if (fetching >= OFFERS_FETCHED_MAX) return;
    const lacking: Uint8Array[] = [];
    for (let at = 0; at < ids.length; at += 32) {
      const id = ids.slice(at, at + 32);
      if (!isKnown(idKey(id))) lacking.push(id);
    }
    if (lacking.length === 0) return;
    this.#offers.set(from, fetching + 1);
    this.bodies(from, lacking)
      .then((packed) => (packed === undefined ? undefined : take(from, packed)))
      .finally(() => this.#offers.set(from, (this.#offers.get(from) ?? 1) - 1))
      .catch(fatal);
  }
}
