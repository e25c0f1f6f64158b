import type { EventData, Module } from '../../ledger/application.ts';
import type { Receipt } from '../../ledger/block.ts';
import { toHex } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import type { LightClient, ShownProof } from '../client.ts';
import type { Facts } from '../report.ts';
import type { Hex } from './calls.ts';
import { deliver, type Judge, type Parcel, type Wait } from './delivery.ts';
import { asQuorateError, QuorateError } from './errors.ts';
import type { Nodes } from './nodes.ts';
import { abortable, type CallOptions } from './timers.ts';

/** A transaction that was executed. From `committed` and `final` its receipt says `ok`; what failed is `rejected`. */
export interface Executed {
  readonly id: Hex;
  readonly height: number;
  readonly receipt: Receipt;
  /** Data of its events of one name, in order: `events(assets, 'transferred')`. */
  events<M extends Module, K extends keyof M['events'] & string>(module: M, name: K): EventData<M, K>[];
}

/** One that is under a certificate: for ever. */
export interface Final extends Executed {
  /** Block time in ms. */
  readonly time: number;
  readonly facts: Facts;
  /** The bundle's canonical bytes: verifies with the genesis file alone. */
  readonly proof: Uint8Array;
}

/**
 * A transaction on its way. Nothing is sent before the first call of a method; each sends the same bytes, so they can be called in
 * any order and again. All reject with QuorateError: `rejected` and `expired` are proven, `unknown` when `validUntil` has
 * passed and nothing is, the nodes' refusal, `signer`, `aborted`, and the light client's `fork`, `genesis` and `store`.
 */
export interface Submission {
  /** 0x hex; known before anything is sent. */
  readonly id: Hex;
  /** In ms of chain time; executed until then or never. */
  readonly validUntil: number;
  /** Signed, as it is sent. Keep them to go on after a crash (`resume`). */
  bytes(options?: CallOptions): Promise<Uint8Array>;
  /** Until one node holds it; gives what that node says of it. Not proven. */
  submit(options?: CallOptions): Promise<'pending' | 'committed' | 'final' | 'rejected'>;
  /** Until f+1 validators signed that it is executed (C5), or there is a proof. */
  committed(options?: CallOptions): Promise<Executed>;
  /** Until it is proven to be final. */
  final(options?: CallOptions): Promise<Final>;
}

/** What submissions of one connection share. */
export interface Desk {
  readonly nodes: Nodes;
  readonly light: LightClient;
  /** A block of this height is known to be executed: reads must not be of an older state. */
  saw(height: number): void;
}

const STATUSES = ['pending', 'committed', 'final', 'rejected'] as const;

/** `sign` gives the signed bytes, the same every time. */
export function createSubmission(
  desk: Desk,
  { id, validUntil }: { readonly id: Hex; readonly validUntil: number },
  sign: () => Promise<Uint8Array>,
): Submission {
  let parcel: Promise<Parcel> | undefined;
  const signed = async (): Promise<Parcel> => {
    parcel ??= sign().then((bytes) => ({ id, validUntil, bytes, mayBeKnown: false }));
    try {
      return await parcel;
    } catch (error) {
      // A signer that was away may be there the next time.
      parcel = undefined;
      throw asQuorateError(error, id);
    }
  };
  const send = async <T>(wait: Wait, judge: (of: Prover) => Judge<T>, { signal }: CallOptions = {}): Promise<T> => {
    const work = async (): Promise<T> => {
      const ready = await signed();
      return deliver(desk.nodes, ready, wait, judge(new Prover(desk, ready)), signal);
    };
    return abortable(work(), signal, id);
  };
  return {
    id,
    validUntil,
    bytes: ({ signal } = {}) =>
      abortable(
        signed().then(({ bytes }) => bytes.slice()),
        signal,
        id,
      ),
    submit: (options) =>
      send(
        'none',
        (prover) => ({
          accept: async (status) => STATUSES.find((one) => one === status),
          decide: async () => ((await prover.final()) === undefined ? prover.expired() : 'final'),
        }),
        options,
      ),
    committed: (options) =>
      send<Executed>(
        'committed',
        (prover) => ({
          accept: async (status) =>
            status === 'pending'
              ? undefined
              : ((await prover.replied()) ?? (status === 'committed' ? undefined : prover.final())),
          decide: async () => (await prover.final()) ?? prover.replied(),
        }),
        options,
      ),
    final: (options) =>
      send<Final>(
        'final',
        (prover) => ({
          accept: async (status, shown) =>
            status === 'final' || status === 'rejected' ? prover.final(shown) : undefined,
          decide: async () => (await prover.final()) ?? prover.expired(),
        }),
        options,
      ),
  };
}

/** Proves the end of one transaction, by the light client. */
class Prover {
  readonly #desk: Desk;
  readonly #parcel: Parcel;

  constructor(desk: Desk, parcel: Parcel) {
    this.#desk = desk;
    this.#parcel = parcel;
  }

  /** Undefined while no node has a proof that is sound; throws `rejected`, and what no other node can heal. */
  async final(shown?: ShownProof): Promise<Final | undefined> {
    const { id } = this.#parcel;
    const proven = await this.#tried(() => proofOf(this.#desk, id as Hex, shown));
    if (proven === undefined) return undefined;
    const { receipt, proof } = proven;
    if (receipt.status === 'failed') throw rejected(id, receipt, proof);
    return proven;
  }

  /** What f+1 validators sign; throws if that is `rejected` or `expired`. */
  async replied(): Promise<Executed | undefined> {
    const { id, bytes, validUntil } = this.#parcel;
    const checked = await this.#tried(() => this.#desk.light.replies(bytes));
    if (checked?.ok !== true) return undefined;
    const { status, height, receipt } = checked.reply;
    if (status === 'expired') {
      // C5: the set has to be that of a time when it was too late already; correct members say it no sooner.
      const certified = this.#desk.light.position?.certificate.checkpoint.timestamp ?? 0;
      if (certified <= validUntil) return undefined;
      throw new QuorateError('expired', `${checked.signers.length} validators signed that it never executes`, { id });
    }
    if (receipt.kind === 'none') return undefined;
    if (receipt.value.status === 'failed') throw rejected(id, receipt.value);
    this.#desk.saw(height);
    return executed(id as Hex, height, receipt.value);
  }

  /** Throws `expired` if that is what f+1 validators sign. */
  async expired(): Promise<undefined> {
    await this.replied();
    return undefined;
  }

  /** Undefined where asking on may help. */
  async #tried<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      const known = asQuorateError(error, this.#parcel.id);
      if (['unreachable', 'unproven', 'stale'].includes(known.code)) return undefined;
      throw known;
    }
  }
}

/** A proven transaction, also one whose receipt says `failed`; undefined if no node has a proof, which proves nothing. */
export async function proofOf(
  { light, saw }: Pick<Desk, 'light' | 'saw'>,
  id: Hex,
  shown?: ShownProof,
): Promise<Final | undefined> {
  const proven = await light.transaction(id, shown);
  if (proven === undefined) return undefined;
  const { facts, proof, value } = proven;
  const { height, time } = facts.block!;
  saw(height);
  return { ...executed(id, height, value.receipt), time, facts, proof };
}

/** What a receipt says, as applications read it. */
export function executed(id: Hex, height: number, receipt: Receipt): Executed {
  return {
    id,
    height,
    receipt,
    events<M extends Module, K extends keyof M['events'] & string>(module: M, name: K) {
      const codec = module.events[name];
      if (codec === undefined) throw new QuorateError('invalid-args', `module ${module.name} has no event ${name}`);
      const own = receipt.events.filter((event) => event.module === module.name && event.name === name);
      return own.map(({ data }) => decode(codec, data) as EventData<M, K>);
    },
  };
}

function rejected(id: string, receipt: Receipt, proof?: Uint8Array): QuorateError {
  return new QuorateError('rejected', `the application says ${receipt.code}`, { id, receipt, ...(proof && { proof }) });
}

/** The id's text. */
export function idText(id: Uint8Array): Hex {
  return toHex(id) as Hex;
}
