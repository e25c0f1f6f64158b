import { _SHA256 } from '@noble/hashes/sha2.js';
import { concatBytes, copyBytes } from './bytes.ts';

/** SHA-256 as one platform provides it. Node injects a native one; the default runs everywhere. */
export interface HashEngine {
  readonly name: string;
  sha256(data: Uint8Array): Uint8Array;
  /** As `sha256`, into 32 bytes of `target` from `at` on: no array for a digest that only goes into a larger one. */
  sha256Into(data: Uint8Array, target: Uint8Array, at: number): void;
  /** Hashes n inputs of exactly 64 bytes into n outputs of 32 bytes; `input` and `output` do not overlap. */
  hashPairs(input: Uint8Array, output: Uint8Array): void;
}

/** Works on every platform: @noble/hashes. */
export const portableHashEngine: HashEngine = {
  name: 'noble',
  sha256: nobleSha256,
  sha256Into: nobleSha256Into,
  hashPairs: noblePairs,
};

/** The class itself: noble's function over it brings more to browsers than it does for us. */
function nobleSha256(data: Uint8Array): Uint8Array {
  return new _SHA256().update(data).digest();
}

function nobleSha256Into(data: Uint8Array, target: Uint8Array, at: number): void {
  target.set(nobleSha256(data), at);
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

/** SHA-256 of any bytes, into 32 bytes of `target` from `at` on. */
export function sha256Into(data: Uint8Array, target: Uint8Array, at: number): void {
  if (engine === undefined) nobleSha256Into(data, target, at);
  else engine.sha256Into(data, target, at);
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

/** `leafHash` into 32 bytes of `target` from `at` on. */
export function leafHashInto(content: Uint8Array, target: Uint8Array, at: number): void {
  sha256Into(content, leafInput, 1);
  sha256Into(leafInput, target, at);
}

const leafInput = new Uint8Array(33);

/** Hash of an inner node: SHA-256(left ‖ right). */
export function innerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concatBytes(left, right));
}
