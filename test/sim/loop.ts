interface Task {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/**
 * Virtual time in ms. One task at a time, in the order of time and then of asking; promises that a task settles are all
 * followed before the next one, so that a run depends on nothing but its tasks.
 */
export class Loop {
  now = 0;
  steps = 0;
  #order = 0;
  readonly #heap: Task[] = [];
  /** A promise may have been settled: its reactions run before the next task. */
  #unsettled = false;

  /** Runs `run` at virtual time `at`; returns what cancels it. */
  at(at: number, run: () => void): () => void {
    const task = { at: Math.max(at, this.now), order: this.#order++, run, cancelled: false };
    this.#push(task);
    return () => {
      task.cancelled = true;
    };
  }

  after(delayMs: number, run: () => void): () => void {
    return this.at(this.now + delayMs, run);
  }

  /** Resolves after a virtual delay. */
  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, () => {
        this.settle();
        resolve();
      });
    });
  }

  /** To be called by whoever starts or settles promises in a task. */
  settle(): void {
    this.#unsettled = true;
  }

  /** Runs tasks until virtual time `until`, or until `stop` says so after a task. */
  async run(until: number, stop: () => boolean = () => false): Promise<void> {
    await this.#drain();
    for (;;) {
      const task = this.#heap[0];
      if (task === undefined || task.at > until) break;
      this.#pop();
      if (task.cancelled) continue;
      this.now = task.at;
      this.steps++;
      task.run();
      if (this.#unsettled) await this.#drain();
      if (stop()) return;
    }
    this.now = Math.max(this.now, until);
  }

  /** All microtasks run before an immediate does. */
  async #drain(): Promise<void> {
    while (this.#unsettled) {
      this.#unsettled = false;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #push(task: Task): void {
    const heap = this.#heap;
    heap.push(task);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at]!, heap[parent]!)) return;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const least = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left;
      if (!isBefore(heap[least]!, heap[at]!)) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
