import { inlinePool } from './inline.ts';
import type { VerifyPool, VerifyPoolOptions } from './port.ts';
import { threadPool } from './threads.ts';

export { type VerifyPool, VerifyPoolError, type VerifyPoolOptions } from './port.ts';

/** Starts the threads, or none. Without threads it throws if the signature engine fails its edge vectors. */
export function createVerifyPool(options: VerifyPoolOptions): VerifyPool {
  return options.workers === 0 ? inlinePool() : threadPool(options);
}
