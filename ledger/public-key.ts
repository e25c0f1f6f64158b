import { jacobi } from './jacobi.ts';
import { FIELD, KEY_BYTES, pointProblem } from './signature.ts';

/**
 * Why a public key must not be registered, or undefined if it may: S5, and it is a point of the curve. Run at genesis
 * and at registration. A key with a torsion component passes: the equation has one meaning for it everywhere.
 */
export function publicKeyProblem(key: Uint8Array): string | undefined {
  if (key.length !== KEY_BYTES) return `expected a public key of 32 bytes, got ${key.length}`;
  const problem = pointProblem(key, 'the public key');
  if (problem !== undefined) return problem;
  return isOnCurve(key) ? undefined : 'the public key is not a point of the curve';
}

/** d of the curve -x² + y² = 1 + d x² y². */
export const CURVE_D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

/** x² = (y² - 1) / (d y² + 1) has a root: numerator times denominator, which is never 0, is a square. */
function isOnCurve(key: Uint8Array): boolean {
  let y = 0n;
  for (let i = 31; i >= 0; i--) y = y * 256n + BigInt(i === 31 ? key[i]! & 0x7f : key[i]!);
  const y2 = (y * y) % FIELD;
  return jacobi((y2 - 1n + FIELD) * (CURVE_D * y2 + 1n), FIELD) >= 0;
}
