import type { ChainStatus, NodePort, SubmitOutcome, TransactionStatus } from '../../api/ports.ts';
import { blockHash, genesisHeader } from '../../ledger/block.ts';
import { sha256 } from '../../ledger/hash.ts';
import { decodeTransaction } from '../../ledger/transaction.ts';

export interface FakeNode extends NodePort {
  /** What `submit` answers instead of accepting. */
  refusal: Extract<SubmitOutcome, { kind: 'refused' }> | undefined;
  /** What `transaction` answers, by id in hex. */
  readonly statuses: Map<string, TransactionStatus>;
  mode: 'active' | 'behind' | 'halted';
  connected: number;
  /** Makes `chain` throw: a failure of the node itself. */
  broken: boolean;
}

export const FAKE_GENESIS_ID = sha256(Uint8Array.of(1));

/** A node that is only its port: what it is told to answer, it answers. */
export function fakeNode(): FakeNode {
  const hex = (id: Uint8Array): string => Buffer.from(id).toString('hex');
  const header = genesisHeader(FAKE_GENESIS_ID, 1_000);
  const chain: ChainStatus = {
    epoch: 0,
    height: 7,
    blockHash: blockHash(header),
    stateRoot: new Uint8Array(32),
    finalHeight: 6,
    finalStateRoot: new Uint8Array(32),
    time: 1_700_000_000_000,
    maxLifetimeMs: 3_600_000,
  };
  const node: FakeNode = {
    refusal: undefined,
    statuses: new Map(),
    mode: 'active',
    connected: 4,
    broken: false,
    info: { name: 'v0', index: 0, version: '0.0.0', genesisId: FAKE_GENESIS_ID, chain: 'test', genesisText: '{}\n' },
    chain() {
      if (node.broken) throw new Error('a secret path /var/lib/secret');
      return chain;
    },
    async submit(transactions) {
      return transactions.map((bytes): SubmitOutcome => {
        if (node.refusal !== undefined) return node.refusal;
        const decoded = decodeTransaction(FAKE_GENESIS_ID, bytes);
        if (!decoded.ok) return { kind: 'refused', id: undefined, code: 'malformed', detail: decoded.problem };
        const { id } = decoded.value;
        const known = node.statuses.has(hex(id));
        if (!known) node.statuses.set(hex(id), { id, status: 'pending', transaction: bytes });
        return { kind: known ? 'known' : 'accepted', id };
      });
    },
    transaction: async (id) => node.statuses.get(hex(id)) ?? { id, status: 'unknown' },
    transactionProof: async () => undefined,
    block: async (at) => (at === 0 ? { hash: blockHash(header), header, transactions: [] } : undefined),
    blocks: async (from, limit, descending) =>
      heights(from, limit, descending).map((height) => ({
        hash: blockHash({ ...header, height }),
        header: { ...header, height },
      })),
    certificate: async () => undefined,
    certificates: async () => [],
    state: async (_table, _key, at) => ({ height: at === 'final' ? 6 : 7, value: undefined, bundle: undefined }),
    stateRows: async () => ({ height: 7, rows: [] }),
    validators: () => [
      { index: 0, name: 'v0', organisation: 'o', key: new Uint8Array(32), leader: true, connected: true },
    ],
    consensus: () => ({
      mode: node.mode,
      ...(node.mode === 'active' ? {} : { reason: 'a reason' }),
      epoch: 0,
      view: 0,
      leader: 0,
      low: 6,
      executed: 7,
      window: 8,
      quorum: 3,
      inFlight: 0,
      connected: node.connected,
    }),
    peers: () => [],
    mempool: () => ({ transactions: 0, bytes: 0, transactionsMax: 1, bytesMax: 1 }),
  };
  return node;
}

function heights(from: number, limit: number, descending: boolean): number[] {
  const all = Array.from({ length: limit }, (_, i) => (descending ? from - i : from + i));
  return all.filter((height) => height >= 0 && height <= 7);
}
