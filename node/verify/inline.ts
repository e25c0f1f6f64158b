import { setImmediate } from 'node:timers/promises';
import { chooseSignatures } from '../signatures.ts';
import { emptyVerdicts, markValid, type PackedChecks, unpackChecks } from './packed.ts';
import { type VerifyPool, VerifyPoolError } from './port.ts';

/** Longest piece of work before other events of the loop get their turn; one check of 0.1 to 1 ms may exceed it. */
const PIECE_MS = 4;

/** Checks on the calling thread: for machines of one core, and tools. Batches are done one after the other. */
export function inlinePool(): VerifyPool {
  const { verify } = chooseSignatures();
  let closed = false;
  // One chain for all batches: pieces of two batches in one turn of the loop would add up.
  let last: Promise<unknown> = Promise.resolve();

  return {
    verify(batch) {
      if (closed) return Promise.reject(closedError());
      const done = last.then(() => verifyInPieces(batch));
      last = done.catch(() => undefined);
      return done;
    },
    async close() {
      closed = true;
      await last;
    },
  };

  async function verifyInPieces(batch: PackedChecks): Promise<Uint8Array> {
    const verdicts = emptyVerdicts(batch.count);
    let index = 0;
    let pieceEnds = 0;
    for (const { signature, message, publicKey } of unpackChecks(batch)) {
      if (performance.now() >= pieceEnds) {
        await setImmediate();
        pieceEnds = performance.now() + PIECE_MS;
      }
      if (closed) throw closedError();
      if (verify(signature, message, publicKey)) markValid(verdicts, index);
      index++;
    }
    return verdicts;
  }
}

function closedError(): VerifyPoolError {
  return new VerifyPoolError('VERIFY_CLOSED', 'the verify pool was closed');
}
