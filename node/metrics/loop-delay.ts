import { monitorEventLoopDelay } from 'node:perf_hooks';

const PRECISION_MS = 10;

/** How late this thread's event loop comes to what is due. */
export interface LoopDelay {
  /** Exceeded by one in a hundred looks since the last call, in seconds; 0 at the first, which begins to look. */
  p99(): number;
  stop(): void;
}

export function watchLoopDelay(): LoopDelay {
  const delays = monitorEventLoopDelay({ resolution: PRECISION_MS });
  return {
    p99() {
      // Looking costs a hundred timers a second: nobody does who is never asked.
      if (delays.enable()) return 0;
      // What is recorded is the time between two looks.
      const late = delays.count === 0 ? 0 : delays.percentile(99) / 1e9 - PRECISION_MS / 1_000;
      delays.reset();
      return Math.max(0, late);
    },
    stop: () => void delays.disable(),
  };
}
