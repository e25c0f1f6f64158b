import type { Wait } from '../api/ports.ts';
import { idKey } from './id-key.ts';
import { WAITERS_MAX } from './limits.ts';

interface Waiter {
  readonly until: Exclude<Wait, 'none'>;
  wake(): void;
}

/** Calls that wait for a transaction to become committed or final. They hold a map entry each and nothing else. */
export class Waiters {
  readonly #byId = new Map<string, Set<Waiter>>();
  readonly #byHeight = new Map<number, Set<Waiter>>();
  #count = 0;

  get idle(): boolean {
    return this.#byId.size === 0;
  }

  /**
   * Resolves when `id` is executed (or final), after `timeoutMs`, or on abort, whichever is first; never rejects. With a
   * height the transaction is executed already and only finality is awaited. At once when too many wait.
   */
  wait(
    id: Uint8Array,
    until: Exclude<Wait, 'none'>,
    executed: number | undefined,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#count >= WAITERS_MAX || signal.aborted || timeoutMs <= 0) return Promise.resolve();
    const key = idKey(id);
    this.#count++;
    return new Promise((resolve) => {
      const waiter: Waiter = {
        until,
        wake: () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', waiter.wake);
          remove(this.#byId, key, waiter);
          for (const [height, set] of this.#byHeight) if (set.has(waiter)) remove(this.#byHeight, height, waiter);
          this.#count--;
          resolve();
        },
      };
      const timer = setTimeout(waiter.wake, timeoutMs);
      signal.addEventListener('abort', waiter.wake);
      if (executed === undefined) insert(this.#byId, key, waiter);
      else insert(this.#byHeight, executed, waiter);
    });
  }

  /** These transactions have been executed (or skipped) at `height`. */
  executed(height: number, keys: readonly string[]): void {
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
    for (const [executed, waiters] of this.#byHeight) {
      if (executed > height) continue;
      this.#byHeight.delete(executed);
      for (const waiter of waiters) waiter.wake();
    }
  }

  /** These transactions will never execute. */
  expired(keys: readonly string[]): void {
    for (const key of keys) for (const waiter of this.#byId.get(key) ?? []) waiter.wake();
  }

  close(): void {
    for (const waiters of [...this.#byId.values(), ...this.#byHeight.values()])
      for (const waiter of waiters) waiter.wake();
  }
}

function insert<K>(map: Map<K, Set<Waiter>>, key: K, waiter: Waiter): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([waiter]));
  else set.add(waiter);
}

function remove<K>(map: Map<K, Set<Waiter>>, key: K, waiter: Waiter): void {
  const set = map.get(key);
  if (set?.delete(waiter) && set.size === 0) map.delete(key);
}
