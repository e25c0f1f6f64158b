import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Batch, batchDigest } from '../ledger/block.ts';
import type { BatchResult } from '../ledger/execution.ts';
import { sha256 } from '../ledger/hash.ts';
import { quorateApplication as application } from '../ledger/modules/index.ts';
import { defaultParameters as parameters } from '../ledger/parameters.ts';
import { statePath } from '../ledger/state-proof.ts';
import { StateTree } from '../ledger/state-tree.ts';
import { decodeTransaction, packTransactions, type Transaction, unpackTransactions } from '../ledger/transaction.ts';
import { idKey } from '../node/id-key.ts';
import { decodeTransactions } from '../node/ledger/blocks.ts';
import { POOL_BYTES_MAX, POOL_TRANSACTIONS_MAX, VERIFYING_MAX } from '../node/limits.ts';
import { Mempool } from '../node/mempool.ts';
import { poolEntry, staticProblem } from '../node/pool-entry.ts';
import { packTransactionChecks } from '../node/verify/packed.ts';
import { transactionsFrame } from '../node/wire.ts';
import { encodeFrame, FrameParser } from '../p2p/framing.ts';
import { type Executed, measureBlocks, measureJournal } from './budget-disk.ts';
import { genesisId, startExecuting, transfer } from './in-process.ts';
import { measureR1 } from './r1.ts';
import { type Row, rounded } from './row.ts';

/** What a batch holds under load, and a call of the batch endpoint. */
const PER_BATCH = 250;
const VALIDATORS = 4;
/** Rows in the state tree before anything is measured. */
const ROWS = 100_000;

/** CPU of one way through a step, in us, of all threads of this process; what it prepares is not counted. */
type Step = (transactions: readonly (readonly Transaction[])[]) => number | Promise<number>;

const STEPS: readonly { readonly name: string; readonly budget: number; readonly steps: readonly Step[] }[] = [
  { name: 'receive, decode, id', budget: 8, steps: [receive] },
  { name: 'mempool, batch bookkeeping', budget: 4, steps: [pool] },
  { name: 'network share, without libp2p', budget: 8, steps: [network] },
  { name: 'execute, two table writes', budget: 15, steps: [execute] },
  { name: 'state tree share', budget: 15, steps: [stateTree] },
  { name: 'journal, blocks, index, receipts, without fsync', budget: 15, steps: [journal, blocks] },
];

/**
 * What each step of a transaction's way costs on one node, next to its budget. Each by itself, in one process, by the functions
 * that a node runs, over batches of 250 transfers; the least of several runs. Not in it: HTTP, libp2p with its encryption,
 * fsync, and the messages between threads; `throughput` has the whole.
 */
export async function budget(transactions: number, runs: number, log: (text: string) => void): Promise<readonly Row[]> {
  const r1 = measureR1();
  const batches = Array.from({ length: Math.ceil(transactions / PER_BATCH) }, (_, batch) =>
    Array.from({ length: PER_BATCH }, (_, i) => transfer(batch * PER_BATCH + i)),
  );
  const rows: Row[] = [];
  let sum = 0;
  for (const { name, budget, steps } of STEPS) {
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < runs; run++) {
      let cpu = 0;
      for (const step of steps) cpu += await step(batches);
      best = Math.min(best, cpu / (batches.length * PER_BATCH));
    }
    sum += best;
    log(`${name}: ${rounded(best, 2)} us of ${budget}`);
    rows.push(
      { name, value: rounded(best, 2), unit: 'us/tx', runs },
      { name, value: rounded(best / budget, 3), unit: 'ratio', runs, ratioOf: `budget of ${budget} us` },
    );
  }
  const verify = 1_000_000 / r1;
  return [
    ...rows,
    { name: 'all steps', value: rounded(sum, 2), unit: 'us/tx' },
    { name: 'one verification', value: rounded(verify, 2), unit: 'us' },
    { name: 'all steps', value: rounded(sum / verify, 3), unit: 'ratio', ratioOf: 'one verification' },
  ];
}

/** As the batch endpoint and what comes from peers: up to the buffer that goes to the verify thread. */
function receive(batches: readonly (readonly Transaction[])[]): number {
  const bodies = batches.map((batch) => packTransactions(batch.map(({ bytes }) => bytes)));
  const known = new Set<string>();
  return cpuOf(() => {
    for (const body of bodies) {
      const unpacked = unpackTransactions(body, VERIFYING_MAX);
      if (!unpacked.ok) throw new Error(unpacked.problem);
      const transactions = unpacked.value.map((bytes) => {
        const decoded = decodeTransaction(genesisId, bytes);
        if (!decoded.ok) throw new Error(decoded.problem);
        if (known.has(idKey(decoded.value.id)) || staticProblem(decoded.value, application, parameters) !== undefined)
          throw new Error('a transaction of the benchmark is not valid');
        return decoded.value;
      });
      packTransactionChecks(genesisId, transactions);
    }
  });
}

/** Into the pool, chosen for a batch, which is held, and out again when it is executed. */
function pool(batches: readonly (readonly Transaction[])[]): number {
  const mempool = new Mempool({ transactionsMax: POOL_TRANSACTIONS_MAX, bytesMax: POOL_BYTES_MAX }, VALIDATORS);
  const { batchTransactionsMax, batchBytesMax, maxLifetimeMs } = parameters;
  return cpuOf(() => {
    for (const [at, transactions] of batches.entries()) {
      for (const transaction of transactions) {
        const origin = at % VALIDATORS;
        const entry = poolEntry(transaction, idKey(transaction.id), origin, application);
        if (!mempool.hasRoom(origin, entry.bytes.length, false)) throw new Error('the pool is full');
        mempool.add(entry, at);
      }
      mempool.view(batchTransactionsMax, batchBytesMax);
      const chosen = mempool.choose(1, batchTransactionsMax, batchBytesMax, maxLifetimeMs * 2);
      if (chosen.length !== transactions.length) throw new Error(`${chosen.length} transactions were chosen`);
      const batch = { height: at + 1, timestamp: 1, transactions: chosen.map(({ id }) => id) };
      batchDigest(batch);
      packTransactions(chosen.map(({ bytes }) => bytes));
      const keys = batch.transactions.map(idKey);
      mempool.enterBatch(batch.height, keys);
      mempool.executed(batch.height, keys);
    }
  });
}

/** A node sends what its clients gave it, a quarter of all, to three others, and gets the rest from them. */
function network(batches: readonly (readonly Transaction[])[]): number {
  const bytesOf = (batch: readonly Transaction[]) => batch.map(({ bytes }) => bytes);
  const received = batches.map((batch) => encodeFrame('frame', transactionsFrame(packTransactions(bytesOf(batch)))));
  const sent = cpuOf(() => {
    for (const batch of batches) {
      const frame = transactionsFrame(packTransactions(bytesOf(batch)));
      for (let peer = 1; peer < VALIDATORS; peer++) encodeFrame('frame', frame);
    }
  });
  const got = cpuOf(() => {
    const parser = new FrameParser();
    for (const frame of received) if ([...parser.push(frame)].length !== 1) throw new Error('a frame lacks');
  });
  return (sent + (VALIDATORS - 1) * got) / VALIDATORS;
}

/** In the ledger thread, which gets the bytes of a batch. */
function execute(batches: readonly (readonly Transaction[])[]): number {
  const bodies = batches.map((batch) => packTransactions(batch.map(({ bytes }) => bytes)));
  const chain = startExecuting();
  return cpuOf(() => {
    for (const body of bodies) chain.execute(decodeTransactions(genesisId, body));
  });
}

function stateTree(batches: readonly (readonly Transaction[])[]): number {
  const tree = new StateTree();
  tree.apply(Array.from({ length: ROWS }, (_, i) => ({ path: pathOf(i), valueHash: pathOf(i) })));
  tree.release(tree.version);
  const blocksOf = executed(batches);
  return cpuOf(() => {
    for (const { result } of blocksOf) {
      tree.apply(
        result.changes.map(({ table, key, value }) => ({
          path: statePath(table, key),
          valueHash: value === null ? null : sha256(value),
        })),
      );
      tree.release(tree.version);
    }
  });
}

function pathOf(i: number): Uint8Array {
  return sha256(Uint8Array.of(i, i >> 8, i >> 16));
}

async function journal(batches: readonly (readonly Transaction[])[]): Promise<number> {
  return inFolder((folder) => measureJournal(folder, executed(batches)));
}

async function blocks(batches: readonly (readonly Transaction[])[]): Promise<number> {
  return inFolder((folder) => measureBlocks(folder, executed(batches)));
}

function executed(batches: readonly (readonly Transaction[])[]): Executed[] {
  const chain = startExecuting();
  return batches.map((batch): { batch: Batch; result: BatchResult } => chain.execute(batch));
}

async function inFolder(measure: (folder: string) => Promise<number>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  try {
    return await measure(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function cpuOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
