import type { Genesis } from '../../genesis/genesis.ts';
import { verifyBundleAsync } from '../../light/async.ts';
import type { Report } from '../../light/report.ts';
import { duration } from './words.ts';

/** Verifies one proof. `nowMs` is the clock of the device; `maxAgeMs` is the age that is asked for, if any. */
export async function checkProof(
  proof: string | Uint8Array,
  genesis: Genesis,
  nowMs: number,
  maxAgeMs: number | undefined,
): Promise<Report> {
  if (maxAgeMs === undefined) return verifyBundleAsync(proof, genesis);
  const report = await verifyBundleAsync(proof, genesis, { freshness: { nowMs, maxAgeMs } });
  if (report.ok) return report;
  // Only age can make the difference between the two, and then the time is a verified one: it is said in words.
  const { facts } = await verifyBundleAsync(proof, genesis);
  if (facts === undefined) return report;
  const age = duration(nowMs - facts.certified.time);
  const detail = `the certificate is ${age} old, at most ${duration(maxAgeMs)} is accepted`;
  return { ...report, steps: report.steps.map((step) => (step.status === 'failed' ? { ...step, detail } : step)) };
}
