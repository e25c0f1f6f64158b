import type { PackedChecks } from './packed.ts';

/** Where signatures are checked. Only packed buffers cross to it, so a batch costs two messages however long it is. */
export interface VerifyPool {
  /**
   * Checks every signature by S5; resolves to a bitmap, bit i of byte i>>3. Takes the buffer over. Rejects with a
   * VerifyPoolError after `close`, or when a thread died.
   */
  verify(batch: PackedChecks): Promise<Uint8Array>;
  /** Ends the threads; what is still pending is rejected. */
  close(): Promise<void>;
}

export interface VerifyPoolOptions {
  /** Threads; 0 checks on the calling thread, in pieces of a few ms. */
  readonly workers: number;
  /** Called once if a thread dies: the node can't go on. Whatever was pending is rejected. */
  readonly onFatal: (error: VerifyPoolError) => void;
}

/** `VERIFY_CLOSED`: the pool was closed. `VERIFY_DIED`: a thread ended by itself, `cause` says why. */
export class VerifyPoolError extends Error {
  readonly code: 'VERIFY_CLOSED' | 'VERIFY_DIED';

  constructor(code: 'VERIFY_CLOSED' | 'VERIFY_DIED', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
