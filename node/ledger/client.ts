import type { LedgerPort, LedgerQueries } from '../ports.ts';
import { startWorker } from '../start-worker.ts';
import type { LedgerCall, LedgerMethod, LedgerReply, LedgerThreadData } from './protocol.ts';

interface Pending {
  resolve(result: never): void;
  reject(error: Error): void;
}

/** An error of the ledger thread, with its code: see LedgerError, StoreError, StoreCorruption. */
export class LedgerThreadError extends Error {
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

/** Starts the ledger thread. `onFatal` is called once if it dies by itself; whatever waits is rejected then. */
export function startLedger(data: LedgerThreadData, onFatal: (error: Error) => void): LedgerPort {
  const worker = startWorker('worker', import.meta.url, { workerData: data });
  const pending = new Map<number, Pending>();
  let next = 0;
  let closing = false;
  let dead: Error | undefined;

  const die = (error: Error): void => {
    if (dead !== undefined) return;
    dead = error;
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
    if (!closing) onFatal(error);
  };
  worker.on('message', (reply: LedgerReply) => {
    const waiting = pending.get(reply.id);
    pending.delete(reply.id);
    if ('error' in reply) waiting?.reject(new LedgerThreadError(reply.error.message, reply.error.code));
    else waiting?.resolve(reply.result as never);
  });
  worker.on('error', (error) => die(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', (code) => die(new LedgerThreadError(`the ledger thread ended with ${code}`)));

  const call = <T>(method: LedgerMethod, ...args: readonly unknown[]): Promise<T> => {
    if (dead !== undefined) return Promise.reject(dead);
    return new Promise<T>((resolve, reject) => {
      const id = next++;
      pending.set(id, { resolve, reject });
      worker.postMessage({ id, method, args } satisfies LedgerCall);
    });
  };
  return {
    open: () => call('open'),
    execute: (batch, transactions, ordered, mark) => call('execute', batch, transactions, ordered, mark),
    executeSynced: (block, expected, mark) => call('executeSynced', block, expected, mark),
    storeCertificate: (certificate) => call('storeCertificate', certificate),
    storeHandoffs: (updates) => call('storeHandoffs', updates),
    blocksAbove: (above, bytesMax) => call('blocksAbove', above, bytesMax),
    stage: (step) => call('stage', step),
    install: (mark) => call('install', mark),
    recover: (handoff, mark) => call('recover', handoff, mark),
    query: <Q extends keyof LedgerQueries>(name: Q, args: LedgerQueries[Q]['args']) =>
      call<LedgerQueries[Q]['result']>('query', name, args),
    async close() {
      closing = true;
      try {
        if (dead === undefined) await call('close');
      } finally {
        await worker.terminate();
      }
    },
  };
}
