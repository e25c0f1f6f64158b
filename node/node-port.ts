import type {
  BlockView,
  ConsensusView,
  EvidenceView,
  HeaderView,
  NodeInfo,
  NodePort,
  SubmitOutcome,
  TransactionOutcome,
  TransactionState,
  TransactionStatus,
  Watcher,
} from '../api/ports.ts';
import { headerCodec, type Receipt, receiptCodec } from '../ledger/block.ts';
import { updatesCodec } from '../ledger/bundle.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { decode, encode } from '../ledger/codec.ts';
import { decodeTransaction } from '../ledger/transaction.ts';
import type { Network } from '../p2p/index.ts';
import { idKey } from './id-key.ts';
import { RECENT_IDS_MAX } from './limits.ts';
import { allEvidence, culpritOf } from './pbft/evidence.ts';
import { type Evidence, evidenceCodec } from './pbft/messages.ts';
import { inFlight, leaderOf } from './pbft/state.ts';
import type { LedgerPort, StoredOutcome } from './ports.ts';
import { RecentIds } from './recent-ids.ts';
import { isExpired, signedReply } from './replies.ts';
import type { Validator } from './validator.ts';
import { Waiters } from './waiters.ts';
import { why } from './why.ts';

/** What the REST API sees of a running validator. Closing it wakes every waiting call. */
export function createNodePort(
  info: NodeInfo,
  validator: Validator,
  ledger: LedgerPort,
  network: Network,
): NodePort & { close(): void } {
  const waiters = new Waiters();
  const watchers = new Set<Watcher>();
  const expired = new RecentIds(RECENT_IDS_MAX);
  validator.observe({
    executed: (height, keys) => waiters.executed(height, keys),
    final(height) {
      waiters.final(height);
      for (const watcher of watchers) watcher.final(height);
    },
    viewEntered(epoch, view, leader) {
      for (const watcher of watchers) watcher.viewEntered({ epoch, view, leader });
    },
    expired(keys) {
      for (const key of keys) expired.add(key);
      waiters.expired(keys);
    },
  });

  const unseen = (key: string): TransactionState => (expired.has(key) ? 'expired' : 'unknown');

  const statusOf = async (id: Uint8Array): Promise<TransactionStatus> => {
    const key = idKey(id);
    // The pool is asked before the ledger: what executes in between is in the ledger by the time that answers.
    const pending = validator.pool.body(key);
    const stored = await ledger.query('transaction', { id });
    if (stored !== undefined) {
      const receipt = decode(receiptCodec, stored.receipt);
      const block = { height: stored.height, index: stored.index };
      const status = stateOf(receipt.status, stored.height <= validator.finalHeight);
      return { id, status, block, receipt, transaction: stored.transaction };
    }
    if (pending !== undefined) return { id, status: 'pending', transaction: pending.bytes };
    return { id, status: unseen(key) };
  };

  const finality = async (height: number, timeoutMs: number, signal: AbortSignal): Promise<void> => {
    if (height > validator.finalHeight) await waiters.reach(height, 'final', timeoutMs, signal)?.woken;
  };

  /**
   * Asks for transactions (`idKey`, no two alike), and again for those that `ask` gives back as not executed when all of them that
   * were in the pool are executed or never will be, or the time is over. Resolves to those that wait there still.
   */
  const settle = async (
    keys: readonly string[],
    timeoutMs: number,
    signal: AbortSignal,
    ask: (keys: readonly string[]) => Promise<readonly string[]>,
  ): Promise<readonly string[]> => {
    const deadline = performance.now() + timeoutMs;
    for (let open = keys; ; ) {
      const pending = open.filter((key) => validator.pool.body(key) !== undefined);
      // Waiting begins before the ledger is asked, so that nothing falls between the two.
      const held = waiters.outcomes(pending, deadline - performance.now(), signal);
      try {
        open = await ask(open);
        const unexecuted = new Set(open);
        const waiting = pending.filter((key) => unexecuted.has(key));
        if (waiting.length === 0 || held === undefined) return waiting;
        // What came again after it had executed is in the pool, and nobody will say so: then only the others are waited for.
        if (waiting.length === pending.length) await held.woken;
      } finally {
        held?.leave();
      }
    }
  };

  const outcomes: NodePort['outcomes'] = async (ids, until, timeoutMs, signal) => {
    const deadline = performance.now() + timeoutMs;
    const keys = ids.map(idKey);
    const idOf = new Map(keys.map((key, i) => [key, ids[i]!]));
    const stored = new Map<string, StoredOutcome>();
    const pending = await settle([...idOf.keys()], timeoutMs, signal, async (open) => {
      const asked = Buffer.concat(open.map((key) => idOf.get(key)!));
      const found = open.length === 0 ? [] : await ledger.query('outcomes', { ids: asked });
      for (const [i, outcome] of found.entries()) if (outcome !== undefined) stored.set(open[i]!, outcome);
      return open.filter((key) => !stored.has(key));
    });
    const height = Math.max(0, ...[...stored.values()].map((outcome) => outcome.height));
    if (until === 'final') await finality(height, deadline - performance.now(), signal);
    const waiting = new Set(pending);
    return ids.map((id, i): TransactionOutcome => {
      const key = keys[i]!;
      const outcome = stored.get(key);
      if (outcome === undefined) return { id, status: waiting.has(key) ? 'pending' : unseen(key) };
      const { status, ...block } = outcome;
      return { id, status: stateOf(status, block.height <= validator.finalHeight), block };
    });
  };

  /** C4: a clock past validUntil is a reason not to take it. It may be on its way with others, and execute. */
  const outcomeOf = async <T extends SubmitOutcome>(outcome: T, bytes: Uint8Array): Promise<T> => {
    if (outcome.kind !== 'refused' || outcome.code !== 'expired') return outcome;
    const decoded = decodeTransaction(info.genesisId, bytes);
    if (!decoded.ok) return outcome;
    const { id, body } = decoded.value;
    return (await isExpired(() => validator.state, ledger, id, body.validUntil))
      ? outcome
      : { ...outcome, code: 'too-late' };
  };

  let { name } = info;
  return {
    // By its name of now: a node may start before the set names it, and runs on when it is removed.
    get info() {
      const { self, validators } = validator.state.config;
      if (self !== undefined) name = validators[self]!.name;
      return { ...info, name };
    },
    index: () => validator.state.config.self,
    chain() {
      const { state, finalHeight } = validator;
      const { executed, stable, config } = state;
      return {
        epoch: config.epoch,
        height: executed.height,
        blockHash: executed.blockHash,
        stateRoot: executed.stateRoot,
        finalHeight,
        finalStateRoot:
          stable !== undefined && stable.checkpoint.height === finalHeight
            ? stable.checkpoint.stateRoot
            : executed.stateRoot,
        time: validator.chainNow(),
        maxLifetimeMs: config.parameters.maxLifetimeMs,
      };
    },
    overload: () => validator.intake.overload(),
    async submit(transactions) {
      const outcomes = await validator.intake.fromClient(transactions);
      return Promise.all(outcomes.map((outcome, i) => outcomeOf(outcome, transactions[i]!)));
    },
    async dryRun(bytes) {
      const decoded = decodeTransaction(info.genesisId, bytes);
      if (!decoded.ok) return { kind: 'refused', id: undefined, code: 'malformed', detail: decoded.problem };
      const problem = validator.intake.problem(decoded.value);
      if (problem !== undefined) return outcomeOf(problem, bytes);
      const timestamp = validator.chainNow();
      const { height, time, receipt } = await ledger.query('dryRun', { transaction: bytes, timestamp });
      return { kind: 'ran', height, time, receipt: receipt && decode(receiptCodec, receipt) };
    },
    outcomes,
    async transaction(id, until, timeoutMs, signal) {
      if (until === 'none') return statusOf(id);
      const deadline = performance.now() + timeoutMs;
      let status!: TransactionStatus;
      await settle([idKey(id)], timeoutMs, signal, async (keys) => {
        status = await statusOf(id);
        return status.block === undefined ? keys : [];
      });
      if (until !== 'final' || status.status !== 'committed') return status;
      const { height } = status.block!;
      await finality(height, deadline - performance.now(), signal);
      return { ...status, status: stateOf(status.receipt!.status, height <= validator.finalHeight) };
    },
    async reach(height, until, timeoutMs, signal) {
      if (until === 'final') await finality(height, timeoutMs, signal);
      else if (height > validator.state.executed.height) await waiters.reach(height, until, timeoutMs, signal)?.woken;
    },
    async statusOfBytes({ id, bytes, body }) {
      const status = await statusOf(id);
      if (status.status !== 'pending' && status.status !== 'unknown') return status;
      const isPast = await isExpired(() => validator.state, ledger, id, body.validUntil);
      return isPast ? { id, status: 'expired', transaction: bytes } : status;
    },
    signedReply: (status) => signedReply(validator, ledger, status),
    transactionProof: (id) => ledger.query('transactionBundle', { id }),
    blockProof: (height, under) => ledger.query('blockBundle', { height, under }),
    epochAt: (height) => ledger.query('epochAt', { height }),
    handoffs: async (from) => decode(updatesCodec, await ledger.query('handoffs', { from })).handoffs,
    block: (at) => blockView(ledger, at),
    async blocks(from, limit, descending) {
      const headers = await ledger.query('headers', { from, limit, descending });
      return headers.map(({ hash, header }): HeaderView => ({ hash, header: decode(headerCodec, header) }));
    },
    async certificate(height) {
      const encoded = await ledger.query('certificate', {
        height: height === 'latest' ? validator.finalHeight : height,
      });
      return encoded === undefined ? undefined : decode(certificateCodec, encoded);
    },
    async certificates(from, limit, descending) {
      const encoded = await ledger.query('certificates', { from, limit, descending });
      return encoded.map((one) => decode(certificateCodec, one));
    },
    state: (table, key, at, proof, minHeight) => ledger.query('state', { table, key, at, proof, minHeight }),
    stateRows: (table, prefix, after, limit) => ledger.query('stateRows', { table, prefix, after, limit }),
    validators() {
      const { self, validators } = validator.state.config;
      const connected = new Set([self, ...network.connected()]);
      const leader = leaderOf(validator.state);
      return validators.map(({ name, organisation, key }, index) => ({
        index,
        name,
        organisation,
        key,
        leader: index === leader,
        connected: connected.has(index),
      }));
    },
    consensus(): ConsensusView {
      const { state } = validator;
      return {
        mode: state.mode,
        ...(state.reason === '' ? {} : { reason: state.reason }),
        epoch: state.config.epoch,
        view: state.view,
        viewAsked: state.asked,
        ...(state.timer.suspicion === undefined ? {} : { suspicion: state.timer.suspicion }),
        viewTimeoutMs: state.timer.timeoutMs,
        leader: leaderOf(state),
        low: state.low,
        executed: state.executed.height,
        window: state.config.parameters.window,
        quorum: state.quorum,
        inFlight: inFlight(state),
        connected: network.connected().length + (state.config.self === undefined ? 0 : 1),
      };
    },
    why: () => why(validator.state, network.peerStatus(), validator.pool.size, validator.now()),
    isCurrent: () => validator.isCurrent,
    signReady: () => validator.signReady(),
    peers: () => network.peerStatus(),
    evidence() {
      const { config } = validator.state;
      return allEvidence(validator.state).map(({ value }): EvidenceView => {
        const member = culpritOf(value);
        const place = placeOf(value);
        const name = place.epoch === config.epoch ? config.validators[member]?.name : undefined;
        return { member, ...(name !== undefined && { name }), ...place, evidence: encode(evidenceCodec, value) };
      });
    },
    mempool() {
      const { size, bytes, limits } = validator.pool;
      return { transactions: size, bytes, ...limits };
    },
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    close: () => waiters.close(),
  };
}

function placeOf(evidence: Evidence): { kind: string; epoch: number; view?: number; height: number } {
  if (evidence.kind === 'checkpoint') {
    const { epoch, height } = evidence.value.first.checkpoint;
    return { kind: 'checkpoint', epoch, height };
  }
  const { kind, first } = evidence.value;
  const { epoch, view, height } = first.vote;
  return { kind, epoch, view, height };
}

function stateOf(status: Receipt['status'], final: boolean): TransactionState {
  if (!final) return 'committed';
  return status === 'ok' ? 'final' : 'rejected';
}

async function blockView(ledger: LedgerPort, at: number | Uint8Array): Promise<BlockView | undefined> {
  const stored = await ledger.query('block', { at });
  if (stored === undefined) return undefined;
  return {
    hash: stored.hash,
    header: decode(headerCodec, stored.header),
    transactions: stored.transactions.map((bytes, i) => ({
      id: stored.ids[i]!,
      bytes,
      receipt: decode(receiptCodec, stored.receipts[i]!),
    })),
  };
}
