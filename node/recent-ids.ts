/** A set of keys that forgets the oldest ones beyond its limit. A miss says nothing; a hit is certain. */
export class RecentIds {
  readonly #max: number;
  #young = new Set<string>();
  #old = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  add(key: string): void {
    this.#young.add(key);
    if (this.#young.size * 2 < this.#max) return;
    this.#old = this.#young;
    this.#young = new Set();
  }
}
