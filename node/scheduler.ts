import type { Scheduler } from './ports.ts';

/** setTimeout takes 31 bits, and fires at once for anything above (T05). */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** Timers of this process. One that would wait for more than 24 days fires early; whoever asked looks at the clock. */
export const processScheduler: Scheduler = {
  setTimer(delayMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(delayMs, 0), DELAY_MS_MAX));
    return () => clearTimeout(timer);
  },
  soon: (run) => void setImmediate(run),
};

/**
 * T04: whatever the timers below do, each runs once at the most and never after it was stopped. A timer that asks for its
 * successor would else double with every misfire.
 */
export function onceOnly({ setTimer, soon }: Scheduler): Scheduler {
  return {
    setTimer(delayMs, run) {
      let over = false;
      const stop = setTimer(delayMs, () => {
        if (over) return;
        over = true;
        run();
      });
      return () => {
        over = true;
        stop();
      };
    },
    soon,
  };
}
