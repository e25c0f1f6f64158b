import type { Worker } from 'node:worker_threads';
import { startWorker } from '../start-worker.ts';
import type { PackedChecks } from './packed.ts';
import { type VerifyPool, VerifyPoolError, type VerifyPoolOptions } from './port.ts';
import type { VerifyAnswer, VerifyRequest } from './worker.ts';

interface Call {
  readonly count: number;
  readonly resolve: (verdicts: Uint8Array) => void;
  readonly reject: (error: VerifyPoolError) => void;
}

interface Thread {
  readonly worker: Worker;
  /** By request id. */
  readonly calls: Map<number, Call>;
  /** Checks handed over and not answered. */
  load: number;
}

/** A pool of threads; each batch goes to the one with the fewest checks waiting. */
export function threadPool({ workers, onFatal }: VerifyPoolOptions): VerifyPool {
  const threads: Thread[] = [];
  let ended: VerifyPoolError | undefined;
  let nextId = 0;

  for (let i = 0; i < workers; i++) threads.push(startThread());

  return {
    verify(batch) {
      if (ended !== undefined) return Promise.reject(ended);
      return send(
        threads.reduce((least, thread) => (thread.load < least.load ? thread : least)),
        batch,
      );
    },
    async close() {
      end(new VerifyPoolError('VERIFY_CLOSED', 'the verify pool was closed'));
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };

  function startThread(): Thread {
    const worker = startWorker('worker', import.meta.url, { name: 'verify' });
    const thread: Thread = { worker, calls: new Map(), load: 0 };
    worker.on('message', (answer: VerifyAnswer) => onAnswer(thread, answer));
    worker.on('messageerror', (error) => onDeath(error));
    worker.on('error', (error) => onDeath(error));
    worker.on('exit', (code) => onDeath(new Error(`the thread exited with code ${code}`)));
    return thread;
  }

  function send(thread: Thread, checks: PackedChecks): Promise<Uint8Array> {
    const id = nextId++;
    return new Promise((resolve, reject) => {
      thread.worker.postMessage({ id, checks } satisfies VerifyRequest, [checks.bytes]);
      thread.calls.set(id, { count: checks.count, resolve, reject });
      thread.load += checks.count;
    });
  }

  function onAnswer(thread: Thread, { id, verdicts }: VerifyAnswer): void {
    const call = thread.calls.get(id);
    if (call === undefined) return;
    thread.calls.delete(id);
    thread.load -= call.count;
    call.resolve(verdicts);
  }

  /** A thread that ends by itself is fatal: its batch would stay unchecked, and it would likely end again. */
  function onDeath(cause: unknown): void {
    if (ended !== undefined) return;
    const error = new VerifyPoolError('VERIFY_DIED', `a verify thread died: ${reasonOf(cause)}`, { cause });
    end(error);
    for (const { worker } of threads) void worker.terminate();
    onFatal(error);
  }

  function end(error: VerifyPoolError): void {
    ended ??= error;
    for (const { calls } of threads) {
      for (const { reject } of calls.values()) reject(ended);
      calls.clear();
    }
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
