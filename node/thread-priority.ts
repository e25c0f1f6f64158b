import { getPriority, setPriority } from 'node:os';

/** How much later than the replica's own thread others come when there are fewer processors than threads: nice values. */
export const VERIFY_NICE = 10;
export const LEDGER_NICE = 5;

/**
 * Puts the calling thread behind the others of this process that want a processor: votes must not wait until thousands of
 * signatures are verified. Linux only: elsewhere a priority is of the whole process, and nothing is changed.
 */
export function yieldProcessor(nice: number): void {
  if (process.platform === 'linux') setPriority(0, Math.min(19, getPriority(0) + nice));
}
