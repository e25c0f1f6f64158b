import { binaryString } from '../ledger/overlay.ts';

/**
 * A transaction id as map key: one character a byte. Cheaper to make and to hash than hex; and no `id.buffer`, which makes
 * V8 allocate one for a short array that has none yet.
 */
export function idKey(id: Uint8Array): string {
  return binaryString(id);
}

/** The keys of packed ids, 32 bytes each. */
export function* idKeys(packed: Uint8Array): Generator<string> {
  for (let at = 0; at < packed.length; at += 32) yield idKey(packed.subarray(at, at + 32));
}
