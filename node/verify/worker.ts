import { flushCompileCache } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { chooseSignatures } from '../signatures.ts';
import { VERIFY_NICE, yieldProcessor } from '../thread-priority.ts';
import { emptyVerdicts, markValid, type PackedChecks, unpackChecks } from './packed.ts';

/** To the worker: one batch, its buffer transferred. */
export interface VerifyRequest {
  readonly id: number;
  readonly checks: PackedChecks;
}

/** Back from it: the bitmap, its buffer transferred. */
export interface VerifyAnswer {
  readonly id: number;
  readonly verdicts: Uint8Array<ArrayBuffer>;
}

yieldProcessor(VERIFY_NICE);
// Throws, and so ends the worker, if the engine's edge vectors differ (S5).
const { verify } = chooseSignatures();
const port = parentPort;
if (port === null) throw new Error('node/verify/worker runs only as a worker thread');
flushCompileCache();

port.on('message', ({ id, checks }: VerifyRequest) => {
  const verdicts = emptyVerdicts(checks.count);
  let index = 0;
  for (const { signature, message, publicKey } of unpackChecks(checks)) {
    if (verify(signature, message, publicKey)) markValid(verdicts, index);
    index++;
  }
  port.postMessage({ id, verdicts } satisfies VerifyAnswer, [verdicts.buffer]);
});
