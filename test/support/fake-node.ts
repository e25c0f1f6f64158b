import type {
  BlockView,
  NodeMode,
  NodePort,
  SubmitOutcome,
  TransactionState,
  TransactionStatus,
  Wait,
  Watcher,
} from '../../api/ports.ts';
import { blockHash, type Receipt } from '../../ledger/block.ts';
import { equalBytes, fromHex, toHex } from '../../ledger/bytes.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import type { Reply } from '../../ledger/reply.ts';
import { tableKeyToText } from '../../ledger/table.ts';
import { decodeTransaction, type TransactionBody } from '../../ledger/transaction.ts';
import { ACCOUNTS, type Chain, encodeBundle, GENESIS_TIME, smallChain } from './chain.ts';

/** Of the fake node's chain: 1 to 5 are final, 6 is committed. */
export const FINAL = 5;
export const NEWEST = 6;

export interface FakeNode extends NodePort {
  /** What `submit` answers instead of accepting. */
  refusal: Extract<SubmitOutcome, { kind: 'refused' }> | undefined;
  /** What `overload` says. */
  full: ReturnType<NodePort['overload']>;
  mode: NodeMode;
  connected: number;
  current: boolean;
  /** Makes `chain` throw: a failure of the node itself. */
  broken: boolean;
  /** Nothing is final here yet. */
  young: boolean;
  /** Dry-runs take until then. */
  dryRunsUntil: Promise<void> | undefined;
  /** Two dry-runs are in work, or were. */
  readonly twoDryRuns: Promise<void>;
  /** What was executed without effect. */
  readonly ran: TransactionBody[];
  /** Blocks that it says to have executed, and to be final, above those that it has. */
  readonly ahead: number;
  /** Moves `ahead`, and wakes who waits. */
  grow(blocks: number): void;
  /** Blocks below are not kept. */
  base: number;
  /** Of `watch`. */
  readonly watchers: ReadonlySet<Watcher>;
  /** Calls of `transaction` and `reach` that wait. */
  readonly waiting: number;
  readonly waitingBegins: Promise<void>;
  /** Gives a pending transaction its end, and wakes who waits for it. */
  decide(id: Uint8Array, status: TransactionState): void;
}

let made: Chain | undefined;

/** The chain of every fake node; block 6 holds a transfer that fails, so that the state of 5 and 6 is the same. */
export function fakeChain(): Chain {
  if (made !== undefined) return made;
  made = smallChain();
  const [ann, ben] = ACCOUNTS;
  const transfer = made.call('assets', 'transfer', { asset: 'gold', to: toHex(ann.key), amount: '999999' });
  made.append(made.transaction(ben, transfer));
  return made;
}

/** A node that is only its port, over a chain in memory: what is submitted stays pending until it is told otherwise. */
export function fakeNode(): FakeNode {
  const chain = fakeChain();
  const { genesis } = chain;
  const certificate = chain.certify(FINAL);
  const pending = new Map<string, TransactionStatus>();
  const waiters = new Set<() => void>();
  const watchers = new Set<Watcher>();
  const begun = Promise.withResolvers<void>();
  const two = Promise.withResolvers<void>();
  let dryRuns = 0;

  const views = chain.blocks.map(
    ({ header, transactions, receipts }): BlockView => ({
      hash: blockHash(header),
      header,
      transactions: transactions.map(({ id, bytes }, i) => ({ id, bytes, receipt: receipts[i]! })),
    }),
  );
  const statusOf = (id: Uint8Array): TransactionStatus => {
    for (const { header, transactions } of views) {
      const index = transactions.findIndex((one) => equalBytes(one.id, id));
      if (index === -1) continue;
      const { bytes, receipt } = transactions[index]!;
      const final = receipt.status === 'ok' ? 'final' : 'rejected';
      const status = header.height <= FINAL ? final : 'committed';
      return { id, status, block: { height: header.height, index }, receipt, transaction: bytes };
    }
    return pending.get(toHex(id)) ?? { id, status: 'unknown' };
  };
  const page = <T>(items: readonly T[], at: (item: T) => number, from: number, limit: number, descending: boolean) => {
    const open = items.filter((one) => (descending ? at(one) <= from : at(one) >= from));
    return (descending ? open.reverse() : open).slice(0, limit);
  };

  const wait = async (timeoutMs: number, signal: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    signal.addEventListener('abort', () => resolve());
    waiters.add(resolve);
    begun.resolve();
    await promise;
    waiters.delete(resolve);
    clearTimeout(timer);
  };

  const node: FakeNode = {
    refusal: undefined,
    full: undefined,
    mode: 'active',
    connected: 4,
    current: true,
    broken: false,
    young: false,
    dryRunsUntil: undefined,
    twoDryRuns: two.promise,
    ran: [],
    ahead: 0,
    grow(blocks) {
      Object.assign(node, { ahead: node.ahead + blocks });
      for (const wake of waiters) wake();
    },
    base: 0,
    watchers,
    waitingBegins: begun.promise,
    get waiting() {
      return waiters.size;
    },
    decide(id, status) {
      pending.set(toHex(id), { ...statusOf(id), status });
      for (const wake of waiters) wake();
    },
    index: () => 0,
    info: {
      name: 'node-0',
      version: '0.0.0',
      genesisId: genesis.id,
      chain: genesis.chain,
      genesisText: genesis.text,
    },
    chain() {
      if (node.broken) throw new Error('a secret path /var/lib/secret');
      return {
        epoch: 0,
        height: NEWEST + node.ahead,
        blockHash: views[NEWEST]!.hash,
        stateRoot: chain.blocks[NEWEST]!.stateRoot,
        finalHeight: node.young ? 0 : FINAL + node.ahead,
        finalStateRoot: chain.blocks[FINAL]!.stateRoot,
        time: GENESIS_TIME + 60_000,
        maxLifetimeMs: genesis.parameters.maxLifetimeMs,
      };
    },
    overload: () => node.full,
    async submit(transactions) {
      return transactions.map((bytes): SubmitOutcome => {
        if (node.refusal !== undefined) return node.refusal;
        const decoded = decodeTransaction(genesis.id, bytes);
        if (!decoded.ok) return { kind: 'refused', id: undefined, code: 'malformed', detail: decoded.problem };
        const { id } = decoded.value;
        if (statusOf(id).status !== 'unknown') return { kind: 'known', id };
        pending.set(toHex(id), { id, status: 'pending', transaction: bytes });
        return { kind: 'accepted', id };
      });
    },
    async dryRun(bytes) {
      if (++dryRuns === 2) two.resolve();
      await node.dryRunsUntil;
      if (node.refusal !== undefined) return node.refusal;
      const decoded = decodeTransaction(genesis.id, bytes);
      if (!decoded.ok) return { kind: 'refused', id: undefined, code: 'malformed', detail: decoded.problem };
      const { id, body } = decoded.value;
      node.ran.push(body);
      const isKnown = statusOf(id).receipt !== undefined;
      const receipt: Receipt = { id, status: 'failed', code: 'not-enough', events: [] };
      return { kind: 'ran', height: NEWEST, time: GENESIS_TIME, receipt: isKnown ? undefined : receipt };
    },
    async outcomes(ids, until, timeoutMs, signal) {
      const states = () => ids.map((id) => statusOf(id));
      const isSettled = states().every(({ status }) => status === 'unknown' || isReached(status, until));
      if (!isSettled && timeoutMs > 0 && !signal.aborted) await wait(timeoutMs, signal);
      return states();
    },
    async transaction(id, until, timeoutMs, signal) {
      const { status } = statusOf(id);
      if (until === 'none' || timeoutMs === 0 || signal.aborted || isReached(status, until)) return statusOf(id);
      await wait(timeoutMs, signal);
      return statusOf(id);
    },
    async reach(height, until, timeoutMs, signal) {
      if (height <= (until === 'final' ? node.chain().finalHeight : NEWEST + node.ahead)) return;
      await wait(timeoutMs, signal);
    },
    async transactionProof(id) {
      const { status, block } = statusOf(id);
      if (block === undefined || !['final', 'rejected'].includes(status)) return undefined;
      return encodeBundle(chain.transactionBundle(block.height, block.index, certificate));
    },
    block: async (at) => (typeof at === 'number' ? views[at] : views.find(({ hash }) => equalBytes(hash, at))),
    async blocks(from, limit, descending) {
      const kept = views.slice(node.base);
      return page(kept, ({ header }) => header.height, from, limit, descending);
    },
    async certificate(height) {
      if (node.young) return undefined;
      const at = height === 'latest' ? FINAL : height;
      return at >= 1 && at <= FINAL ? chain.certify(at) : undefined;
    },
    async certificates(from, limit, descending) {
      if (node.young) return [];
      const heights = Array.from({ length: FINAL }, (_, i) => i + 1);
      return page(heights, Number, from, limit, descending).map((height) => chain.certify(height));
    },
    async statusOfBytes({ id, bytes, body }) {
      const status = statusOf(id);
      const isPast = body.validUntil < certificate.checkpoint.timestamp;
      return status.status === 'unknown' && isPast ? { id, status: 'expired', transaction: bytes } : status;
    },
    async signedReply({ id, status, block, receipt }) {
      if (status === 'pending' || status === 'unknown') return undefined;
      const reply: Reply = {
        id,
        status,
        epoch: 0,
        height: block?.height ?? 0,
        blockHash: block === undefined ? new Uint8Array(32) : views[block.height]!.hash,
        receipt: receipt === undefined ? { kind: 'none', value: {} } : { kind: 'receipt', value: receipt },
      };
      return chain.signReply(0, reply);
    },
    async blockProof(height, under = FINAL) {
      if (height > under) return undefined;
      return encodeBundle(chain.blockBundle(height, chain.certify(under)));
    },
    epochAt: async (height) => ({ epoch: height === 0 ? undefined : 0, next: undefined }),
    handoffs: async (from) => chain.handoffs.slice(from),
    async state(name, key, at, proof) {
      if (typeof at === 'number' && at !== FINAL) return undefined;
      const table = quorateApplication.table(name)!;
      const parts = tableKeyToText(table, key)!
        .split(':')
        .map((part) => fromHex(part) ?? part);
      return {
        height: at === 'latest' ? NEWEST : FINAL,
        value: chain.rows.get(`${name}/${toHex(key)}`),
        bundle: proof && !node.young ? encodeBundle(chain.stateBundle(table, parts, certificate)) : undefined,
      };
    },
    async stateRows(name, prefix, after, limit) {
      const begin = `${name}/${toHex(prefix)}`;
      const keys = [...chain.rows.keys()].filter((key) => key.startsWith(begin)).sort();
      const open = after === undefined ? keys : keys.filter((key) => key > `${name}/${toHex(after)}`);
      return {
        height: NEWEST,
        rows: open.slice(0, limit).map((key) => ({ key: fromHex(key.split('/')[1]!)!, value: chain.rows.get(key)! })),
      };
    },
    validators: () =>
      genesis.validators.map(({ name, organisation, key }, index) => ({
        index,
        name,
        organisation,
        key,
        leader: index === 0,
        connected: index < node.connected,
      })),
    why: () => ({
      sentence: 'Waiting for COMMIT at height 7: have 2 of 3 (acme, globex); initech silent for 41 s',
      waitingFor: 'commit',
      height: 7,
      view: 0,
      have: 2,
      need: 3,
      from: ['acme', 'globex'],
      missing: [{ name: 'initech', why: 'silent for 41 s' }],
    }),
    consensus: () => ({
      mode: node.mode,
      ...(node.mode === 'active' ? {} : { reason: 'a reason' }),
      epoch: 0,
      view: 0,
      viewAsked: 0,
      viewTimeoutMs: 2_000,
      leader: 0,
      low: FINAL,
      executed: NEWEST,
      window: 8,
      quorum: 3,
      inFlight: 1,
      connected: node.connected,
    }),
    evidence: () => [
      { member: 2, name: 'node-2', kind: 'prepare', epoch: 0, view: 0, height: 7, evidence: new Uint8Array([1, 2, 3]) },
    ],
    isCurrent: () => node.current,
    signReady: () => 'this node is a validator already',
    peers: () => [
      {
        index: 1,
        name: 'node-1',
        connected: true,
        addresses: ['/ip4/127.0.0.1/tcp/1'],
        bytesSent: 1,
        bytesReceived: 2,
      },
      { index: 2, name: 'node-2', connected: false, addresses: [], bytesSent: 0, bytesReceived: 0, reason: 'refused' },
    ],
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    mempool: () => ({ transactions: pending.size, bytes: 0, transactionsMax: 10, bytesMax: 1_000 }),
  };
  return node;
}

function isReached(status: TransactionState, until: Wait): boolean {
  if (status === 'final' || status === 'rejected' || status === 'expired') return true;
  return status === 'committed' && until === 'committed';
}
