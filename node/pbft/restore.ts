import { equalBytes } from '../../ledger/bytes.ts';
import type { Certificate } from '../../ledger/checkpoint.ts';
import { signCheckpoint } from './checkpoints.ts';
import type { Effect, Head, Now } from './events.ts';
import type { Unsigned } from './messages.ts';
import type { StoredRecord } from './records.ts';
import { createState, isLeader, type ReplicaConfig, type ReplicaState, slotAt } from './state.ts';
import { sendStatus } from './status.ts';
import { tryExecute, tryPrepared } from './voting.ts';

/** What a validator finds on its own disk when it starts. */
export interface Restored {
  readonly head: Head;
  /** Newest certificate whose block is executed here. */
  readonly stable: Certificate | undefined;
  /** Journal records, oldest first; the bodies of proposals are back in the pool. */
  readonly records: readonly StoredRecord[];
}

/** The state as it was when the last fsync returned: everything that may ever have left this validator is in it. */
export function restoreState(config: ReplicaConfig, restored: Restored, now: Now): ReplicaState {
  const state = createState(config, restored.head, restored.stable, now);
  for (const record of restored.records) restoreRecord(state, record);
  return state;
}

function restoreRecord(state: ReplicaState, record: StoredRecord): void {
  const vote = record.kind === 'proposal' ? record.value.vote : record.value.certificate.vote;
  if (vote.epoch !== state.config.epoch || vote.height <= state.low) return;
  const slot = slotAt(state, vote.height);
  if (record.kind === 'proposal') {
    const { signature, batch } = record.value;
    const own = isLeader(state);
    slot.proposal = { vote, batch, signature: own ? undefined : signature, phase: 'accepted' };
    slot.bodiesOf = vote.digest;
    if (own) state.proposed = Math.max(state.proposed, vote.height);
    return;
  }
  const { certificate, batch } = record.value;
  slot.prepared = certificate;
  slot.proposal ??= { vote, batch, signature: certificate.prePrepareSignature, phase: 'held' };
  if (equalBytes(slot.proposal.vote.digest, vote.digest)) slot.proposal.signature ??= certificate.prePrepareSignature;
}

/** The replay is over: whatever was signed before is signed and sent again, the same content (N2), and voting begins. */
export function onStarted(state: ReplicaState, uncertified: readonly Head[], now: Now, effects: Effect[]): void {
  if (state.mode === 'starting') {
    state.mode = 'active';
    state.reason = '';
    const then: Unsigned[] = [];
    for (const { proposal, prepared } of state.slots.values()) {
      if (proposal?.phase === 'accepted') {
        const { vote, batch } = proposal;
        then.push(isLeader(state) ? { kind: 'prePrepare', vote, batch } : { kind: 'prepare', vote });
      }
      if (prepared !== undefined) then.push({ kind: 'commit', vote: prepared.vote });
    }
    effects.push({ type: 'persist', records: [], then });
    for (const head of uncertified) if (head.height > state.low) signCheckpoint(state, head, effects);
  }
  for (const slot of state.slots.values()) tryPrepared(state, slot, effects);
  tryExecute(state, effects);
  sendStatus(state, now, effects);
}
