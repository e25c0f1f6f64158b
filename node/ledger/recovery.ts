import { blockHash } from '../../ledger/block.ts';
import { type Handoff, handoffCodec } from '../../ledger/bundle.ts';
import { utf8Decode } from '../../ledger/bytes.ts';
import type { Certificate } from '../../ledger/checkpoint.ts';
import { decode } from '../../ledger/codec.ts';
import type { BatchResult } from '../../ledger/execution.ts';
import { appendHistory, type History, historyRoot } from '../../ledger/history.ts';
import { expelled, organisations } from '../../ledger/modules/accounts.ts';
import { summary } from '../../ledger/modules/node-keys.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import { recoveryHeader } from '../../ledger/recovery.ts';
import { type Recovery, type RecoveryFile, recoveryCodec } from '../../ledger/recovery-form.ts';
import { runRecovery } from '../../ledger/run-recovery.ts';
import { encodeStateProof } from '../../ledger/state-proof.ts';
import type { Table, TableKey } from '../../ledger/table.ts';
import { multiSignature, validatorsHash } from '../../ledger/validators.ts';
import type { Head, RecoveryDraft } from '../ports.ts';
import { heightKey, type Store } from '../store/store.ts';
import { LedgerError } from './error.ts';
import { type Epochs, readerOf } from './membership.ts';
import { rowsOf } from './senders.ts';
import type { LedgerState } from './state.ts';

/** R10: the accepted recovery whose block this is, if it is one. */
export function recoveryOf(store: Store, epoch: number, height: number): Handoff | undefined {
  const record = store.get('handoff', heightKey(epoch));
  const handoff = record && decode(handoffCodec, record);
  const isIt = handoff?.certificate.scheme === 'recovery' && handoff.certificate.checkpoint.height === height;
  return isIt ? handoff : undefined;
}

/** What its block executes to. */
export function recoveredResult(
  { certificate, next, recovery }: Handoff,
  state: LedgerState,
  genesisId: Uint8Array,
): BatchResult {
  const { epoch, height, timestamp: time } = certificate.checkpoint;
  const { reason } = decode(recoveryCodec, recovery).body;
  const changes = runRecovery({ genesisId, state, epoch, height, time, next, reason });
  return { timestamp: time, executed: [], receipts: [], changes, outcomes: [] };
}

export interface Newest {
  readonly genesisId: Uint8Array;
  readonly store: Store;
  readonly state: LedgerState;
  readonly history: History;
  readonly epochs: Epochs;
  readonly head: Head;
  readonly certificate: Certificate | undefined;
}

/**
 * R10: a recovery on top of the newest block, for administrators to sign, with the proofs of all of them. The state's tree is
 * that of its block afterwards: nothing else may be asked of the ledger.
 */
export async function draftRecovery(newest: Newest, { next, reason, time }: RecoveryDraft): Promise<RecoveryFile> {
  const { genesisId, store, state, history, epochs, head, certificate: basis } = newest;
  if (basis?.checkpoint.height !== head.height) {
    const certified = basis === undefined ? 'no block' : `block ${basis.checkpoint.height}`;
    throw new LedgerError(
      'NOT_CERTIFIED',
      `block ${head.height} is executed here, certified is ${certified}; a recovery goes on from the last certified block`,
    );
  }
  if (time <= head.timestamp)
    throw new LedgerError('BAD_INPUT', `time ${time} is not after that of block ${head.height}, ${head.timestamp}`);
  const { number: epoch, validators } = epochs.current;
  const height = head.height + 1;
  const total = await proven(newest, summary, [CURRENT]);
  const approvals: Recovery['approvals'][number][] = [];
  for (const name of await namesOf(store, state)) {
    const absence = await state.row(expelled.name, expelled.encodeKey([name]), head.height, true);
    if (absence!.value !== undefined) continue;
    const row = await proven(newest, organisations, [name]);
    approvals.push({
      organisation: name,
      row,
      notExpelled: encodeStateProof(absence!.proof!),
      signatures: [],
    });
  }
  const changes = runRecovery({ genesisId, state, epoch, height, time, next, reason });
  const after = epochs.after(changes, readerOf(changes, state));
  const hash = blockHash(recoveryHeader(head, time));
  const checkpoint = {
    epoch,
    validatorsHash: validatorsHash(validators),
    height,
    blockHash: hash,
    stateRoot: state.prepare(changes, store.batch()),
    historyRoot: historyRoot(appendHistory(history, hash).next),
    timestamp: time,
    ...after.next,
  };
  const recovery = { body: { checkpoint, reason }, basis, summary: total, approvals };
  return {
    // Nobody of the epoch that it ends signs it.
    certificate: { scheme: 'recovery', checkpoint, proof: multiSignature(validators.length, new Map()) },
    next,
    recovery,
  };
}

async function proven<K extends TableKey>({ state, head }: Newest, table: Table<K>, key: NoInfer<K>) {
  const { value, proof } = (await state.row(table.name, table.encodeKey(key), head.height, true))!;
  return { value: value!, proof: encodeStateProof(proof!) };
}

async function namesOf(store: Store, state: LedgerState): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { key } of rowsOf(store, state.kind, organisations.name)) names.push(utf8Decode(key)!);
  return names;
}
