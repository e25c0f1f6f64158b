import type { Batch } from '../ledger/block.ts';
import { concatBytes } from '../ledger/bytes.ts';
import { encode, type Json } from '../ledger/codec.ts';
import { type BatchResult, executeBatch, genesisState } from '../ledger/execution.ts';
import { sha256 } from '../ledger/hash.ts';
import { quorateApplication as application } from '../ledger/modules/index.ts';
import { defaultParameters as parameters } from '../ledger/parameters.ts';
import { decodeTransaction, type Transaction, transactionBodyCodec } from '../ledger/transaction.ts';
import { memoryState } from './memory-state.ts';

/** A chain of one thread, for what is measured without network, disk and signatures. */

const ACCOUNTS = 1_000;
const START = 1_000_000;
export const genesisId = new Uint8Array(32);
const keys = Array.from({ length: ACCOUNTS }, (_, index) => sha256(Uint8Array.of(index >> 8, index & 255)));

/** A transfer between two of a thousand accounts: two rows are written. */
export function transfer(index: number): Transaction {
  const to = keys[(index * 7 + 1) % ACCOUNTS]!;
  return call(keys[index % ACCOUNTS]!, 'assets', 'transfer', { asset: 'gold', to: hex(to), amount: '3' }, index);
}

export function registration(index: number): Transaction {
  const args = {
    key: `package-${index}`,
    digest: hex(keys[index % ACCOUNTS]!),
    note: '{"version":"1.0-1","architecture":"amd64"}',
  };
  return call(keys[index % ACCOUNTS]!, 'records', 'register', args, index);
}

export interface Executing {
  /** Executes a batch on a state of rows in memory, which keeps what it changes. Throws if a transaction fails. */
  execute(transactions: readonly Transaction[]): { readonly batch: Batch; readonly result: BatchResult };
}

/** At genesis, with money for every account. */
export function startExecuting(): Executing {
  const state = memoryState();
  state.apply(genesisState(pieces()));
  let parentTimestamp = START;
  let height = 0;
  const execute: Executing['execute'] = (transactions) => {
    const ids = transactions.map(({ id }) => id);
    const batch = { height: ++height, timestamp: parentTimestamp + 1, transactions: ids };
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
    return { batch, result };
  };
  execute(keys.map((to, i) => call(keys[0]!, 'assets', 'issue', { asset: 'gold', to: hex(to), amount: '1000000' }, i)));
  return { execute };
}

function hex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString('hex')}`;
}

/** A transaction of one call. Its signature is zeros: signatures are verified elsewhere. */
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
