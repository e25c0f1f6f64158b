import type { BlockEvent } from './block-events.ts';

/** Who has a block: a stream. */
export interface Holder {
  /** Ends it at once; it must not use what it holds any more. */
  drop(): void;
}

interface Entry {
  readonly events: readonly BlockEvent[];
  readonly chars: number;
  readonly holders: Set<Holder>;
}

/** Besides its text, for each event. */
const EVENT_CHARS = 100;

/**
 * Blocks made into events, once for all streams that are at the same one. Their size is bounded: those that nobody has go
 * first, then whoever has had one longest is dropped. A stream at the end of the chain never has one for long, so that one
 * that is slow, or a hundred that replay old blocks and do not read, cost the others nothing.
 */
export class HeldBlocks {
  readonly #load: (height: number) => Promise<readonly BlockEvent[] | undefined>;
  readonly #charsMax: number;
  /** The ones that were asked for last are last. */
  readonly #entries = new Map<number, Entry>();
  /** In the order in which they took their blocks. */
  readonly #heights = new Map<Holder, number>();
  #chars = 0;
  /** Blocks are made one after the other: what is being made is not counted yet. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(load: (height: number) => Promise<readonly BlockEvent[] | undefined>, charsMax: number) {
    this.#load = load;
    this.#charsMax = charsMax;
  }

  /** Of all blocks that are kept. */
  get chars(): number {
    return this.#chars;
  }

  get holders(): number {
    return this.#heights.size;
  }

  /** The events of a block, for `holder` until it releases them; undefined if the node does not keep the block. */
  async hold(height: number, holder: Holder, signal: AbortSignal): Promise<readonly BlockEvent[] | undefined> {
    const made = this.#entries.get(height) ?? (await this.#inTurn(() => this.#made(height, signal)));
    if (made === undefined || signal.aborted) return undefined;
    const entry = this.#entries.get(height) ?? made;
    this.release(holder);
    entry.holders.add(holder);
    this.#heights.set(holder, height);
    this.#remove(height);
    this.#entries.set(height, entry);
    this.#chars += entry.chars;
    this.#shrink(height);
    return entry.events;
  }

  release(holder: Holder): void {
    const height = this.#heights.get(holder);
    if (height === undefined) return;
    this.#heights.delete(holder);
    this.#entries.get(height)?.holders.delete(holder);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #made(height: number, signal: AbortSignal): Promise<Entry | undefined> {
    const known = this.#entries.get(height);
    if (known !== undefined || signal.aborted) return known;
    const events = await this.#load(height);
    if (events === undefined) return undefined;
    const chars = events.reduce((sum, { text }) => sum + text.length + EVENT_CHARS, 0);
    return { events, chars, holders: new Set() };
  }

  #shrink(newest: number): void {
    for (const [height, { holders }] of this.#entries) {
      if (this.#chars <= this.#charsMax) return;
      if (holders.size === 0) this.#remove(height);
    }
    for (const [holder, height] of this.#heights) {
      if (this.#chars <= this.#charsMax) return;
      // A block that is larger than all room is sent all the same.
      if (height === newest) continue;
      this.release(holder);
      holder.drop();
      if (this.#entries.get(height)?.holders.size === 0) this.#remove(height);
    }
  }

  #remove(height: number): void {
    this.#chars -= this.#entries.get(height)?.chars ?? 0;
    this.#entries.delete(height);
  }
}
