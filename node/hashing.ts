import { hash } from 'node:crypto';
import { equalBytes } from '../ledger/bytes.ts';
import { type HashEngine, installHashEngine, portableHashEngine } from '../ledger/hash.ts';
import { loadOptional } from './optional.ts';

type Hashtree = typeof import('@chainsafe/hashtree');

/** A native hash that gives other bytes than the portable one: the node must not start. */
export class HashEngineError extends Error {
  readonly code = 'HASH_ENGINE_DIFFERS';
}

/** Which library hashes what now; for the log. */
export interface ChosenHashing {
  readonly sha256: string;
  readonly hashPairs: string;
}

/**
 * Installs the fastest hashing that this platform has, for the calling thread: each thread calls it once at its start.
 * Compared with the portable engine first; throws HashEngineError if one byte differs.
 */
export function installFastHashing(): ChosenHashing {
  const hashtree = loadOptional<Hashtree>('@chainsafe/hashtree');
  const names = { sha256: 'node:crypto', hashPairs: 'module' in hashtree ? '@chainsafe/hashtree' : 'node:crypto' };
  const sha256 = nodeSha256;
  const sha256Into = nodeSha256Into;
  const hashPairs = 'module' in hashtree ? pairsByHashtree(hashtree.module) : pairsBy(nodeSha256);
  const engine: HashEngine = { name: `${names.sha256}; ${names.hashPairs}`, sha256, sha256Into, hashPairs };
  checkHashEngine(engine);
  installHashEngine(engine);
  return names;
}

/** Throws HashEngineError unless the engine agrees with the portable one on all lengths around SHA-256's blocks. */
export function checkHashEngine(engine: HashEngine): void {
  const sample = Uint8Array.from({ length: 1_100 }, (_, i) => (i * 167 + 13) & 255);
  for (let length = 0; length <= sample.length; length += length < 300 ? 1 : 100) {
    // From an odd offset: views into a larger buffer are the usual input.
    const data = sample.subarray(sample.length - length);
    const expected = portableHashEngine.sha256(data);
    const [placed, expectedPlaced] = [new Uint8Array(40), new Uint8Array(40)];
    engine.sha256Into(data, placed, 3);
    portableHashEngine.sha256Into(data, expectedPlaced, 3);
    if (!equalBytes(engine.sha256(data), expected) || !equalBytes(placed, expectedPlaced)) {
      throw new HashEngineError(`hash engine ${engine.name} differs from SHA-256 on ${length} bytes`);
    }
  }
  for (const count of [0, 1, 2, 3, 4, 7, 8, 16, 17]) {
    const input = sample.subarray(1, 1 + 64 * count);
    const output = new Uint8Array(32 * count);
    const expected = new Uint8Array(32 * count);
    engine.hashPairs(input, output);
    portableHashEngine.hashPairs(input, expected);
    if (!equalBytes(output, expected)) {
      throw new HashEngineError(`hash engine ${engine.name} differs from SHA-256 on ${count} pairs`);
    }
  }
}

/**
 * By way of a string, and byte by byte: an ArrayBuffer of its own for each digest costs more than the hash. Measured on
 * x86-64, in us, of 33 and 230 bytes: so 0.55 and 0.59; by `hash(…, 'buffer')` 1.28 and 1.89; by sodium 0.82 and 1.56.
 */
function nodeSha256(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(32);
  nodeSha256Into(data, bytes, 0);
  return bytes;
}

function nodeSha256Into(data: Uint8Array, target: Uint8Array, at: number): void {
  const digest = hash('sha256', data, 'binary');
  for (let i = 0; i < 32; i++) target[at + i] = digest.charCodeAt(i);
}

function pairsByHashtree(hashtree: Hashtree): HashEngine['hashPairs'] {
  return (input, output) => hashtree.hashInto(input, output);
}

function pairsBy(sha256: HashEngine['sha256']): HashEngine['hashPairs'] {
  return (input, output) => {
    for (let i = 0; i * 64 < input.length; i++) output.set(sha256(input.subarray(i * 64, i * 64 + 64)), i * 32);
  };
}
