import { type Handoff, handoffCodec, handoffOf, updatesCodec } from '../../ledger/bundle.ts';
import { equalBytes, utf8Encode } from '../../ledger/bytes.ts';
import { type Certificate, certificateCodec } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { validatorsTable } from '../../ledger/modules/epoch.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import { type ValidatorSet, validatorSetCodec, validatorsHash } from '../../ledger/validators.ts';
import type { EpochPlace } from '../ports.ts';
import { heightKey, type Store, type StoreBatch } from '../store/store.ts';
import { LedgerError } from './error.ts';
import type { Epochs } from './membership.ts';
import type { LedgerState } from './state.ts';

/** E2: the certificate of an epoch's last block, and the set that its execution gave. R10: with a recovery it is there already. */
export function putHandoff(batch: StoreBatch, certificate: Certificate, next: ValidatorSet): void {
  if (certificate.scheme === 'recovery') return;
  const { epoch, height, nextValidatorsHash } = certificate.checkpoint;
  if (!equalBytes(validatorsHash(next), nextValidatorsHash)) {
    throw new LedgerError('DIVERGED', `the set after height ${height} is not the one that its certificate names`);
  }
  batch.put('handoff', heightKey(epoch), encode(handoffCodec, handoffOf(certificate, next)));
}

/** R10: a recovery with the certificate that stands for its block. */
export function putRecovery(batch: StoreBatch, handoff: Handoff): void {
  const { epoch, height } = handoff.certificate.checkpoint;
  batch.put('handoff', heightKey(epoch), encode(handoffCodec, handoff));
  batch.put('certificate', heightKey(height), encode(certificateCodec, handoff.certificate));
}

/** Hand-offs that were verified one by one, of epochs whose blocks may lack here: encoded `updatesCodec`. */
export async function writeHandoffs(store: Store, updates: Uint8Array): Promise<void> {
  const batch = store.batch();
  for (const handoff of decode(updatesCodec, updates).handoffs)
    batch.put('handoff', heightKey(handoff.certificate.checkpoint.epoch), encode(handoffCodec, handoff));
  await batch.write({ sync: true });
}

/** The set of the block above `height`. */
export function setAfter(state: LedgerState, height: number): ValidatorSet {
  const row = state.getAt(validatorsTable.name, utf8Encode(CURRENT), height);
  if (row === undefined) throw new LedgerError('STATE_DAMAGED', 'the state has no validators');
  return decode(validatorSetCodec, row);
}

/** The last height of the epoch that `height` is in, if a later one has begun; as far as hand-offs are here. */
export async function endOfEpoch(store: Store, height: number): Promise<number | undefined> {
  let end: number | undefined;
  for await (const { value } of store.range('handoff', { reverse: true })) {
    const last = decode(handoffCodec, value).certificate.checkpoint.height;
    if (last < height) break;
    end = last;
  }
  return end;
}

/**
 * Where an executed block is among the epochs. A certificate may be known before its hand-off is written: what the state says
 * of the newest two epochs is asked first, and hand-offs of older ones were durable before the newest began (E3).
 */
export async function epochAt(
  store: Store,
  { current, previous }: Pick<Epochs, 'current' | 'previous'>,
  height: number,
): Promise<EpochPlace> {
  if (height === 0) return { epoch: undefined, next: undefined };
  if (height >= current.firstHeight) return { epoch: current.number, next: undefined };
  const { number, validators } = current;
  if (height === current.firstHeight - 1) return { epoch: number - 1, next: { number, validators } };
  if (previous !== undefined && height >= previous.firstHeight) return { epoch: number - 1, next: undefined };
  // The first epoch that does not end below.
  let epoch = 0;
  for (let above = number - 1; epoch < above; ) {
    const middle = (epoch + above) >> 1;
    if ((await handoffAt(store, middle)).certificate.checkpoint.height < height) epoch = middle + 1;
    else above = middle;
  }
  const { certificate, next } = await handoffAt(store, epoch);
  const isLast = certificate.checkpoint.height === height;
  return { epoch, next: isLast ? { number: epoch + 1, validators: next } : undefined };
}

async function handoffAt(store: Store, epoch: number): Promise<Handoff> {
  const record = await store.getAsync('handoff', heightKey(epoch));
  if (record === undefined) throw new LedgerError('STATE_DAMAGED', `the hand-off of epoch ${epoch} lacks`);
  return decode(handoffCodec, record);
}

/** The ends of consecutive epochs from `from` on, at most `limit`. */
export async function readHandoffs(store: Store, from: number, limit: number): Promise<readonly Handoff[]> {
  const found: Handoff[] = [];
  if (limit === 0) return found;
  for await (const { value } of store.range('handoff', { from: heightKey(from), limit })) {
    const handoff = decode(handoffCodec, value);
    if (handoff.certificate.checkpoint.epoch !== from + found.length) break;
    found.push(handoff);
  }
  return found;
}
