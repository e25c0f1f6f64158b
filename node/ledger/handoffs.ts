import { type Handoff, handoffCodec } from '../../ledger/bundle.ts';
import { equalBytes, utf8Encode } from '../../ledger/bytes.ts';
import type { Certificate } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { CURRENT, validatorsTable } from '../../ledger/modules/governance.ts';
import { validatorSetCodec, validatorsHash } from '../../ledger/validators.ts';
import { heightKey, type Store, type StoreBatch } from '../store/store.ts';
import { LedgerError } from './error.ts';
import type { LedgerState } from './state.ts';

/** E2: the certificate of an epoch's last block, and the set that its execution gave. */
export function putHandoff(batch: StoreBatch, certificate: Certificate, state: LedgerState): void {
  const { epoch, height, nextValidatorsHash } = certificate.checkpoint;
  const row = state.getAt(validatorsTable.name, utf8Encode(CURRENT), height);
  const next = row && decode(validatorSetCodec, row);
  if (next === undefined || !equalBytes(validatorsHash(next), nextValidatorsHash)) {
    throw new LedgerError('DIVERGED', `the set after height ${height} is not the one that its certificate names`);
  }
  batch.put('handoff', heightKey(epoch), encode(handoffCodec, { certificate, next }));
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
