import type { Wait } from '../api/ports.ts';
import { WAITERS_MAX } from './limits.ts';

interface Waiter {
  wake(): void;
  /** Takes it out of where it is. */
  leave(): void;
}

/** A wait that is held. */
export interface Held {
  /** When what is waited for is there, the time is over, or nobody listens any more; never rejects. */
  readonly woken: Promise<void>;
  /** Ends it now. */
  leave(): void;
}

/** Calls that wait for transactions or a height to become committed or final. They hold a few map entries and nothing else. */
export class Waiters {
  readonly #byKey = new Map<string, Set<Waiter>>();
  /** For finality of a height. */
  readonly #byHeight = new Map<number, Set<Waiter>>();
  /** For execution of a height, whatever is in it. */
  readonly #byExecuted = new Map<number, Set<Waiter>>();
  #count = 0;

  get idle(): boolean {
    return this.#count === 0;
  }

  /**
   * Until each of these transactions (`idKey`, no two alike) is executed or never will be, for `timeoutMs` or until the abort at
   * most. Undefined: nothing is held, for there is nothing or no time to wait, or too many wait.
   */
  outcomes(keys: readonly string[], timeoutMs: number, signal: AbortSignal): Held | undefined {
    if (keys.length === 0) return undefined;
    return this.#hold(keys.length, timeoutMs, signal, (waiter) => {
      let left = keys.length;
      const parts = keys.map((key): Waiter => {
        const part: Waiter = {
          wake() {
            part.leave();
            if (--left === 0) waiter.wake();
          },
          leave: () => {},
        };
        insert(this.#byKey, key, part);
        return part;
      });
      waiter.leave = () => {
        for (const part of parts) part.leave();
      };
    });
  }

  /** As `outcomes`, for a height: until all up to it is executed here, or final too. */
  reach(height: number, until: Exclude<Wait, 'none'>, timeoutMs: number, signal: AbortSignal): Held | undefined {
    return this.#hold(1, timeoutMs, signal, (waiter) =>
      insert(until === 'final' ? this.#byHeight : this.#byExecuted, height, waiter),
    );
  }

  /** These transactions have been executed (or skipped) at `height`. */
  executed(height: number, keys: readonly string[]): void {
    wakeUpTo(this.#byExecuted, height);
    this.#wake(keys);
  }

  /** Everything up to `height` is executed and final here. */
  final(height: number): void {
    wakeUpTo(this.#byHeight, height);
  }

  /** These transactions will never execute. */
  expired(keys: readonly string[]): void {
    this.#wake(keys);
  }

  close(): void {
    const all = [this.#byKey, this.#byHeight, this.#byExecuted].flatMap((map) => [...map.values()]);
    for (const waiters of all) for (const waiter of waiters) waiter.wake();
  }

  #wake(keys: readonly string[]): void {
    if (this.#byKey.size === 0) return;
    for (const key of keys) for (const waiter of this.#byKey.get(key) ?? []) waiter.wake();
  }

  /** `entries`: how many `put` makes. */
  #hold(entries: number, timeoutMs: number, signal: AbortSignal, put: (waiter: Waiter) => void): Held | undefined {
    if (this.#count + entries > WAITERS_MAX || signal.aborted || timeoutMs <= 0) return undefined;
    this.#count += entries;
    const { promise: woken, resolve } = Promise.withResolvers<void>();
    let isHeld = true;
    const waiter: Waiter = {
      wake: () => {
        if (!isHeld) return;
        isHeld = false;
        clearTimeout(timer);
        signal.removeEventListener('abort', waiter.wake);
        waiter.leave();
        this.#count -= entries;
        resolve();
      },
      leave: () => {},
    };
    const timer = setTimeout(waiter.wake, timeoutMs);
    signal.addEventListener('abort', waiter.wake);
    put(waiter);
    return { woken, leave: waiter.wake };
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
