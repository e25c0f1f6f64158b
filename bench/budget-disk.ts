import { join } from 'node:path';
import { type Batch, blockHash } from '../ledger/block.ts';
import type { BatchResult } from '../ledger/execution.ts';
import { appendHistory, emptyHistory, historyRoot } from '../ledger/history.ts';
import { packTransactions } from '../ledger/transaction.ts';
import { multiSignature } from '../ledger/validators.ts';
import { diskFiles, type JournalFiles } from '../node/journal/files.ts';
import { openJournal } from '../node/journal/journal.ts';
import { contentOf, headerOf, NO_MARK, putBlock } from '../node/ledger/blocks.ts';
import { voteFor } from '../node/pbft/messages.ts';
import { encodeRecord, NO_SIGNATURE } from '../node/pbft/records.ts';
import type { Head } from '../node/ports.ts';
import { historyKey, Store, stateKey } from '../node/store/store.ts';
import { genesisId } from './in-process.ts';

/** What a node writes for a transaction, without the wait for the disk. */

export interface Executed {
  readonly batch: Batch;
  readonly result: BatchResult;
}

const NO_HASH = new Uint8Array(32);
/** PREPAREs in a certificate of four. */
const PREPARES = new Map([1, 2].map((member) => [member, NO_SIGNATURE]));

/** A proposal with its bodies and its prepared certificate for each block. CPU in us. */
export async function measureJournal(folder: string, executed: readonly Executed[]): Promise<number> {
  const { journal } = await openJournal({
    directory: folder,
    files: withoutSync(diskFiles(folder)),
    genesisId,
    validatorKey: NO_HASH,
    formerKeys: [],
    epoch: 0,
    mark: undefined,
    onFatal: fail,
  });
  const before = process.cpuUsage();
  for (const { batch, result } of executed) {
    const { height } = batch;
    const vote = voteFor(0, 0, batch);
    const bodies = packTransactions(result.executed.map(({ bytes }) => bytes));
    const prepares = multiSignature(4, PREPARES);
    const certificate = { vote, prePrepareSignature: NO_SIGNATURE, prepares };
    await journal.append([
      { height, bytes: encodeRecord({ kind: 'proposal', vote, signature: NO_SIGNATURE, batch }, bodies) },
    ]);
    await journal.append([{ height, bytes: encodeRecord({ kind: 'prepared', certificate, batch }, NO_HASH) }]);
    journal.prune(height - 1);
  }
  const cpu = process.cpuUsage(before);
  await journal.close();
  return cpu.user + cpu.system;
}

/** A batch of LevelDB for each block: the block, its index, history and the rows that it changes. CPU in us. */
export async function measureBlocks(folder: string, executed: readonly Executed[]): Promise<number> {
  const store = await Store.open(join(folder, 'ledger'));
  let history = emptyHistory;
  let parent: Uint8Array = NO_HASH;
  const before = process.cpuUsage();
  for (const { batch, result } of executed) {
    const content = contentOf(result);
    const header = headerOf(batch.height, parent, content);
    const hash = blockHash(header);
    const stored = store.batch();
    for (const { table, key, value } of result.changes) {
      if (value === null) stored.delete('state', stateKey(table, key));
      else stored.put('state', stateKey(table, key), value);
    }
    const { next, nodes } = appendHistory(history, hash);
    for (const { level, index, hash: node } of nodes) stored.put('history', historyKey(level, index), node);
    const head: Head = {
      height: batch.height,
      blockHash: hash,
      stateRoot: NO_HASH,
      historyRoot: historyRoot(next),
      timestamp: result.timestamp,
      nextEpoch: 0,
      nextValidatorsHash: NO_HASH,
    };
    putBlock(stored, header, head, content, { kind: 'here', value: { digest: hash, view: 0 } }, NO_MARK);
    await stored.write({ sync: false });
    history = next;
    parent = hash;
  }
  const cpu = process.cpuUsage(before);
  await store.close();
  return cpu.user + cpu.system;
}

function withoutSync(files: JournalFiles): JournalFiles {
  return {
    ...files,
    sync: async () => {},
    async open(name) {
      const file = await files.open(name);
      return {
        write: (bytes, position) => file.write(bytes, position),
        truncate: (length) => file.truncate(length),
        sync: async () => {},
        close: () => file.close(),
      };
    },
  };
}

function fail(error: Error): never {
  throw error;
}
