import type { Wait } from '../api/ports.ts';
import { idKey } from './id-key.ts';
import { WAITERS_MAX } from './limits.ts';

type Until = Exclude<Wait, 'none'>;

interface Waiter {
  readonly until: Until;
  wake(): void;
  /** Takes it out of where it is. */
  leave(): void;
}

/** Calls that wait for a transaction or a height to become committed or final. They hold a map entry each and nothing else. */
export class Waiters {
  readonly #byId = new Map<string, Set<Waiter>>();
  /** For finality of a height. */
  readonly #byHeight = new Map<number, Set<Waiter>>();
  /** For execution of a height, whatever is in it. */
  readonly #byExecuted = new Map<number, Set<Waiter>>();
  #count = 0;

  get idle(): boolean {
    return this.#count === 0;
  }

  /**
   * Resolves when `id` is executed (or final), after `timeoutMs`, or on abort, whichever is first; never rejects. With a
   * height the transaction is executed already and only finality is awaited. At once when too many wait.
   */
  wait(
    id: Uint8Array,
    until: Until,
    executed: number | undefined,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#hold(until, timeoutMs, signal, (waiter) => {
      if (executed === undefined) insert(this.#byId, idKey(id), waiter);
      else insert(this.#byHeight, executed, waiter);
    });
  }

  /** As `wait`, for a height: until all up to it is executed here, or final too. */
  reach(height: number, until: Until, timeoutMs: number, signal: AbortSignal): Promise<void> {
    return this.#hold(until, timeoutMs, signal, (waiter) =>
      insert(until === 'final' ? this.#byHeight : this.#byExecuted, height, waiter),
    );
  }

  /** These transactions have been executed (or skipped) at `height`. */
  executed(height: number, keys: readonly string[]): void {
    wakeUpTo(this.#byExecuted, height);
    if (this.#byId.size === 0) return;
    for (const key of keys) {
      for (const waiter of this.#byId.get(key) ?? []) {
        if (waiter.until === 'committed') waiter.wake();
        else insert(this.#byHeight, height, waiter);
      }
      this.#byId.delete(key);
    }
  }

  /** Everything up to `height` is executed and final here. */
  final(height: number): void {
    wakeUpTo(this.#byHeight, height);
  }

  /** These transactions will never execute. */
  expired(keys: readonly string[]): void {
    for (const key of keys) for (const waiter of this.#byId.get(key) ?? []) waiter.wake();
  }

  close(): void {
    const all = [this.#byId, this.#byHeight, this.#byExecuted].flatMap((map) => [...map.values()]);
    for (const waiters of all) for (const waiter of waiters) waiter.wake();
  }

  #hold(until: Until, timeoutMs: number, signal: AbortSignal, put: (waiter: Waiter) => void): Promise<void> {
    if (this.#count >= WAITERS_MAX || signal.aborted || timeoutMs <= 0) return Promise.resolve();
    this.#count++;
    return new Promise((resolve) => {
      const waiter: Waiter = {
        until,
        wake: () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', waiter.wake);
          waiter.leave();
          this.#count--;
          resolve();
        },
        leave: () => {},
      };
      const timer = setTimeout(waiter.wake, timeoutMs);
      signal.addEventListener('abort', waiter.wake);
      put(waiter);
    });
  }
}

function insert<K>(map: Map<K, Set<Waiter>>, key: K, waiter: Waiter): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([waiter]));
  else set.add(waiter);
  waiter.leave = () => remove(map, key, waiter);
}

function wakeUpTo(map: ReadonlyMap<number, ReadonlySet<Waiter>>, height: number): void {
  for (const [at, waiters] of map) if (at <= height) for (const waiter of waiters) waiter.wake();
}

function remove<K>(map: Map<K, Set<Waiter>>, key: K, waiter: Waiter): void {
  const set = map.get(key);
  if (set?.delete(waiter) && set.size === 0) map.delete(key);
}
