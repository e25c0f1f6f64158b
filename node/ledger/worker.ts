import { flushCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { readGenesis } from '../../genesis/genesis.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { installFastHashing } from '../hashing.ts';
import { LEDGER_NICE, yieldProcessor } from '../thread-priority.ts';
import { Ledger } from './ledger.ts';
import type { LedgerCall, LedgerReply, LedgerThreadData } from './protocol.ts';

/** The ledger thread: one Ledger behind messages. */
const { directory, genesisText, peerKey, archive } = workerData as LedgerThreadData;
yieldProcessor(LEDGER_NICE);
installFastHashing();
// The replica thread has read and checked the file; its signatures need not be checked twice.
const read = readGenesis(genesisText, () => true);
if (!read.ok) throw new Error(read.problem);
const { genesis } = read;
const ledger = new Ledger({ directory, genesis, application: quorateApplication, peerKey, archive });
flushCompileCache();

parentPort!.on('message', async ({ id, method, args }: LedgerCall) => {
  parentPort!.postMessage(await answer(id, method, args));
  if (method === 'close') parentPort!.close();
});

async function answer(id: number, method: LedgerCall['method'], args: readonly unknown[]): Promise<LedgerReply> {
  try {
    const run = ledger[method] as (...values: readonly unknown[]) => Promise<unknown>;
    return { id, result: await run.apply(ledger, [...args]) };
  } catch (error) {
    const { message, code } = error as Error & { code?: unknown };
    return { id, error: { message, code: typeof code === 'string' ? code : undefined } };
  }
}
