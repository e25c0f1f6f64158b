/**
 * What executing costs without disk, tree and signatures: microseconds of CPU per transaction, the best of several runs.
 * The budget of a transfer is 15 us. Prints one JSON object: `node bench/execution.ts`.
 */
import type { Transaction } from '../ledger/transaction.ts';
import { registration, startExecuting, transfer } from './in-process.ts';

const BATCHES = 40;
const PER_BATCH = 1_000;
const RUNS = 5;

console.log(
  JSON.stringify({
    transactions: BATCHES * PER_BATCH,
    perBatch: PER_BATCH,
    transferUs: measure(transfer),
    registerUs: measure(registration),
  }),
);

/** Least microseconds per transaction over the runs. */
function measure(make: (index: number) => Transaction): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const { execute } = startExecuting();
    let microseconds = 0;
    for (let batch = 0; batch < BATCHES; batch++) {
      const transactions = Array.from({ length: PER_BATCH }, (_, index) => make(batch * PER_BATCH + index));
      const before = process.cpuUsage();
      execute(transactions);
      const { user, system } = process.cpuUsage(before);
      microseconds += user + system;
    }
    best = Math.min(best, microseconds / (BATCHES * PER_BATCH));
  }
  return Math.round(best * 100) / 100;
}
