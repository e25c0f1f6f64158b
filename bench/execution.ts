/**
 * What executing costs without disk, tree and signatures: microseconds of CPU per transaction, the best of several runs.
 * The budget of DESIGN.md section 15 is 15 us per transfer. Prints one JSON object: `node bench/execution.ts`.
 */
import { concatBytes } from '../ledger/bytes.ts';
import { encode, type Json } from '../ledger/codec.ts';
import { executeBatch, genesisState } from '../ledger/execution.ts';
import { sha256 } from '../ledger/hash.ts';
import { quorateApplication as application } from '../ledger/modules/index.ts';
import { defaultParameters as parameters } from '../ledger/parameters.ts';
import { decodeTransaction, type Transaction, transactionBodyCodec } from '../ledger/transaction.ts';
import { memoryState } from './memory-state.ts';

const ACCOUNTS = 1_000;
const BATCHES = 40;
const PER_BATCH = 1_000;
const RUNS = 5;
const START = 1_000_000;

const genesisId = new Uint8Array(32);
const keys = Array.from({ length: ACCOUNTS }, (_, index) => sha256(Uint8Array.of(index >> 8, index & 255)));
const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;

const transfers = measure((index) => {
  const to = keys[(index * 7 + 1) % ACCOUNTS]!;
  return call(keys[index % ACCOUNTS]!, 'assets', 'transfer', { asset: 'gold', to: hex(to), amount: '3' }, index);
});
const registrations = measure((index) => {
  const args = {
    key: `package-${index}`,
    digest: hex(keys[index % ACCOUNTS]!),
    note: '{"version":"1.0-1","architecture":"amd64"}',
  };
  return call(keys[index % ACCOUNTS]!, 'records', 'register', args, index);
});
console.log(
  JSON.stringify({
    transactions: BATCHES * PER_BATCH,
    perBatch: PER_BATCH,
    transferUs: transfers,
    registerUs: registrations,
  }),
);

/** Least microseconds per transaction over the runs. */
function measure(make: (index: number) => Transaction): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const state = memoryState();
    state.apply(genesisState(pieces()));
    let parentTimestamp = START;
    const execute = (transactions: readonly Transaction[]): void => {
      const batch = { height: 1, timestamp: parentTimestamp + 1, transactions: transactions.map(({ id }) => id) };
      const input = {
        application,
        genesisId,
        parameters,
        idHorizonMs: parameters.maxLifetimeMs,
        state,
        parentTimestamp,
        batch,
        transactions,
      };
      const result = executeBatch({ ...input, executedBefore: () => false });
      if (result.outcomes.some((outcome) => outcome !== 'ok')) throw new Error('a transaction of the benchmark failed');
      state.apply(result.changes);
      parentTimestamp = result.timestamp;
    };
    const issues = keys.map((to, index) =>
      call(keys[0]!, 'assets', 'issue', { asset: 'gold', to: hex(to), amount: '1000000' }, index),
    );
    execute(issues);
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

function call(sender: Uint8Array, module: string, action: string, args: Json, nonce: number): Transaction {
  const encoded = application.argsFromJson(module, action, args);
  if (!encoded.ok) throw new Error(encoded.problem);
  const body = {
    sender,
    nonce: Uint8Array.from({ length: 8 }, (_, at) => Math.floor(nonce / 256 ** at) % 256),
    validUntil: START + parameters.maxLifetimeMs,
    calls: [{ module, action, args: encoded.value }],
    memo: new Uint8Array(0),
  };
  // Signatures are verified elsewhere; any 64 bytes do here.
  const transaction = decodeTransaction(genesisId, concatBytes(encode(transactionBodyCodec, body), new Uint8Array(64)));
  if (!transaction.ok) throw new Error(transaction.problem);
  return transaction.value;
}

function pieces() {
  const administrators = [keys[0]!];
  const accounts = keys.map((key, index) => ({
    name: `a${index}`,
    organisation: 'bench',
    key,
    roles: ['issuer', 'writer'],
  }));
  const validators = [{ name: 'v0', organisation: 'bench', key: keys[1]!, peerKey: keys[2]! }];
  const organisations = [{ name: 'bench', administrators, threshold: 1, roles: ['issuer', 'writer'] }];
  return { organisations, accounts, validators, parameters };
}
