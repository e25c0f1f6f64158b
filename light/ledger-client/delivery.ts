import type { ShownProof } from '../client.ts';
import { QuorateError } from './errors.ts';
import type { Answer, Nodes, Refusal } from './nodes.ts';

/** How long a node is asked to wait for an end before it answers, and the next one is asked. */
const WAIT_MS = 10_000;
/** A node that asks for the same again is asked so often before the next one. */
const SAME_MAX = 3;
/** Where a refusal does not say when to try again. */
const RETRY_AFTER_MS = 1_000;
const PAUSE_MS = 100;
const PAUSE_MAX_MS = 2_000;
/** After `validUntil`: a block and its certificate, or on an idle chain a heartbeat, until nodes can say `expired`. */
const GRACE_MS = 30_000;

/** Codes that say no more than that time is over, or may be: whether it executed has to be asked otherwise. */
const OVER: readonly string[] = ['expired', 'too-late'];

export type Wait = 'none' | 'committed' | 'final';

/** A signed transaction, and what is known of where it has been. */
export interface Parcel {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly validUntil: number;
  /** A node has it, or may have it: an answer was lost. */
  mayBeKnown: boolean;
}

/** What the sender of a parcel makes of what nodes say; each is asked with the nodes' word only, which proves nothing. */
export interface Judge<T> {
  /** A node has it, with this status, or shows this proof that it is final. Undefined: that is not enough, ask on. */
  accept(status: string, shown?: ShownProof): Promise<T | undefined>;
  /** Time may be over: resolves or throws if the end can be proven, else undefined. */
  decide(): Promise<T | undefined>;
}

/**
 * Sends the same bytes to one node after the other until `judge` has what it wants. Retries as the refusals say. Throws what
 * `judge` throws; the nodes' refusal, when all that have an opinion refuse; `unknown` when time is over; and what the signal
 * gives as its reason.
 */
export async function deliver<T>(
  nodes: Nodes,
  parcel: Parcel,
  wait: Wait,
  judge: Judge<T>,
  signal?: AbortSignal,
): Promise<T> {
  const path = wait === 'none' ? '/v1/transactions' : `/v1/transactions?wait=${wait}&timeoutMs=${WAIT_MS}`;
  const waitMs = wait === 'none' ? 0 : WAIT_MS;
  let pauseMs = PAUSE_MS;
  let refusedRounds = 0;
  for (;;) {
    const round = new Round();
    const first = nodes.preferred;
    for (let node = first, asked = 0, same = 0; asked < nodes.urls.length; ) {
      const answer = await nodes.ask(node, { path, body: parcel.bytes, takesProof: wait === 'final', waitMs, signal });
      round.hear(answer);
      if (answer.kind === 'ok') {
        parcel.mayBeKnown = true;
        nodes.preferred = node;
        const { body, proof } = answer;
        const accepted = proof ? judge.accept('final', { from: node, proof }) : judge.accept(String(body.status));
        const result = await accepted;
        if (result !== undefined) return result;
      } else if (answer.kind === 'lost') {
        parcel.mayBeKnown ||= answer.arrived;
      } else {
        const isSame = answer.retry === 'same';
        if (isSame || answer.retry === 'later') {
          await nodes.timers.sleep(answer.retryAfterMs ?? RETRY_AFTER_MS, signal);
        }
        if (isSame && ++same < SAME_MAX && !isOver(nodes, parcel, 0)) continue;
      }
      node = nodes.after(node);
      asked++;
      same = 0;
      if (isOver(nodes, parcel, GRACE_MS)) break;
    }
    nodes.preferred = nodes.after(nodes.preferred);
    if (round.isOver || isOver(nodes, parcel, 0)) {
      const result = await judge.decide();
      if (result !== undefined) return result;
      if (isOver(nodes, parcel, GRACE_MS)) throw unknown(parcel, round);
    }
    const verdict = round.verdict();
    refusedRounds = verdict === undefined ? 0 : refusedRounds + 1;
    // A node that is a moment behind may say so of what it does not know yet: asked twice.
    if (verdict !== undefined && (verdict.retry === 'never' || refusedRounds > 1)) throw refused(parcel, verdict);
    await nodes.timers.sleep(pauseMs, signal);
    pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
  }
}

/** What the nodes said when each was asked once. */
class Round {
  /** Some node said that time is over. */
  isOver = false;
  #isOpen = false;
  #verdict: Refusal | undefined;
  #problems: string[] = [];

  hear(answer: Answer): void {
    if (answer.kind === 'lost') this.#problems.push(answer.detail);
    if (answer.kind === 'ok') this.#isOpen = true;
    if (answer.kind !== 'refused') return;
    const { code, retry, status, detail } = answer;
    this.#problems.push(`${code}: ${detail}`);
    if (OVER.includes(code)) this.isOver = true;
    else if (retry === 'same' || retry === 'later') this.#isOpen = true;
    // What has to do with the node's own state is no opinion about the transaction.
    else if (status < 500) this.#verdict = this.#verdict?.retry === 'never' ? this.#verdict : answer;
  }

  /** The refusal of all that have an opinion. One that refuses, among others that take it, is no obstacle. */
  verdict(): Refusal | undefined {
    return this.#isOpen ? undefined : this.#verdict;
  }

  describe(): string {
    return this.#problems.length === 0 ? 'no node has a proof' : this.#problems.join('; ');
  }
}

function isOver(nodes: Nodes, { validUntil }: Parcel, graceMs: number): boolean {
  return (nodes.chainTime() ?? 0) > validUntil + graceMs;
}

function refused({ id, mayBeKnown }: Parcel, { code, retry, detail }: Refusal): QuorateError {
  // Some node may order it all the same, so nobody is told to sign another one.
  if (mayBeKnown) return new QuorateError(code, `${detail}; but a node may have it`, { id, retry: 'same' });
  return new QuorateError(code, detail, { id, retry });
}

function unknown({ id, validUntil }: Parcel, round: Round): QuorateError {
  const detail = `validUntil ${validUntil} has passed and its end could not be proven: ${round.describe()}`;
  return new QuorateError('unknown', detail, { id });
}
