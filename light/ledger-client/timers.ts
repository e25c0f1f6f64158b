import { QuorateError } from './errors.ts';

/** Time as the library sees it, so that tests can give it theirs. */
export interface Timers {
  /** Milliseconds since 1970. Should not jump: expiry is counted with it. */
  now(): number;
  /** Resolves after `ms`; rejects as soon as `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** This platform's. Set clocks do not move it: `performance` counts on. */
export const systemTimers: Timers = {
  now: () => performance.timeOrigin + performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
};

/** Of every call that waits. */
export interface CallOptions {
  /** Ends the wait with the code `aborted`. What was sent is not taken back. */
  readonly signal?: AbortSignal;
}

/** What `work` gives, or `aborted` at once when the signal says so, also if `work` knows nothing of signals. */
export async function abortable<T>(work: Promise<T>, signal?: AbortSignal, id?: string): Promise<T> {
  if (signal === undefined) return work;
  try {
    return await abortedWith(signal, work);
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    throw new QuorateError('aborted', 'the caller ended the wait', { id, cause: error });
  }
}

/** Runs `work` with a signal that fires when `signal` does or after `ms`, and is fired when the work is done. */
export async function within<T>(
  timers: Timers,
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const late = new AbortController();
  timers.sleep(ms, done.signal).then(
    () => late.abort(new Error(`no answer within ${ms} ms`)),
    () => {},
  );
  const all = AbortSignal.any(signal === undefined ? [late.signal] : [signal, late.signal]);
  try {
    return await abortedWith(all, work(all));
  } finally {
    done.abort();
  }
}

/** Rejects with the signal's reason as soon as it fires, whatever `work` makes of it. */
async function abortedWith<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    // The race has handlers on both, so the one that loses may reject.
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
