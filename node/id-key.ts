/** A transaction id as map key: one character a byte. Cheaper to make and to hash than hex. */
export function idKey(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1');
}

/** The keys of packed ids, 32 bytes each. */
export function* idKeys(packed: Uint8Array): Generator<string> {
  for (let at = 0; at < packed.length; at += 32) yield idKey(packed.subarray(at, at + 32));
}
