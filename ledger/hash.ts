import { _SHA256 } from '@noble/hashes/sha2.js';
import { concatBytes, copyBytes } from './bytes.ts';

/** SHA-256 as one platform provides it. Node injects a native one; the default runs everywhere. */
export interface HashEngine {
  readonly name: string;
  sha256(data: Uint8Array): Uint8Array;
  /** Hashes n inputs of exactly 64 bytes into n outputs of 32 bytes; `input` and `output` do not overlap. */
  hashPairs(input: Uint8Array, output: Uint8Array): void;
}

/** Works on every platform: @noble/hashes. */
export const portableHashEngine: HashEngine = {
  name: 'noble',
  sha256: nobleSha256,
  hashPairs: noblePairs,
};

/** The class itself: noble's function over it brings more to browsers than it does for us. */
function nobleSha256(data: Uint8Array): Uint8Array {
  return new _SHA256().update(data).digest();
}

function noblePairs(input: Uint8Array, output: Uint8Array): void {
  for (let i = 0; i * 64 < input.length; i++) {
    output.set(nobleSha256(input.subarray(i * 64, i * 64 + 64)), i * 32);
  }
}

/** The portable one if undefined: so bundlers see what of it is not used. */
let engine: HashEngine | undefined;

/** Replaces the engine; call once at start, before anything is hashed. */
export function installHashEngine(chosen: HashEngine): void {
  engine = chosen;
}

/** SHA-256 of any bytes: 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return engine === undefined ? nobleSha256(data) : engine.sha256(data);
}

/** A whole tree level at once: `output` gets SHA-256 of each 64 bytes of `input`. */
export function hashPairs(input: Uint8Array, output: Uint8Array): void {
  if (engine === undefined) noblePairs(input, output);
  else engine.hashPairs(input, output);
}

/**
 * Hash of a tree's leaf: SHA-256(0x00 ‖ SHA-256(content)). Its 33-byte input can't be taken for an inner node,
 * which hashes exactly 64 bytes.
 */
export function leafHash(content: Uint8Array): Uint8Array {
  copyBytes(leafInput, sha256(content), 1);
  return sha256(leafInput);
}

const leafInput = new Uint8Array(33);

/** Hash of an inner node: SHA-256(left ‖ right). */
export function innerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concatBytes(left, right));
}
