import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { concatBytes, equalBytes, utf8Encode } from '../ledger/bytes.ts';
import { encode } from '../ledger/codec.ts';
import { sha256 } from '../ledger/hash.ts';
import { encodeStateProof, rootFromStateProof, statePath, stateProofCodec } from '../ledger/state-proof.ts';
import { StateTree } from '../ledger/state-tree.ts';
import { median, type Row, rounded, sizes } from './row.ts';

const KEYS = 1_000_000;
const UPDATES = 1_000;
const RUNS = 21;
const PROOFS = 1_000;
/** Keys of one `apply` while the tree is filled. */
const FILL = 10_000;

/** The state tree with a million balances: time of a block's updates, memory, size of proofs. */
export function stateTree(log: (text: string) => void): readonly Row[] {
  const before = usedBytes();
  const tree = new StateTree();
  for (let from = 0; from < KEYS; from += FILL) {
    tree.apply(Array.from({ length: FILL }, (_, i) => ({ path: pathOf(from + i), valueHash: hashOf(from + i, 0) })));
    tree.release(tree.version);
  }
  const used = usedBytes() - before;
  assert.equal(tree.size, KEYS);
  log(`state tree of ${KEYS} keys filled`);

  const times = Array.from({ length: RUNS }, (_, run) => {
    // Spread over all keys, others in each run.
    const updates = Array.from({ length: UPDATES }, (_, i) => {
      const key = (i * (KEYS / UPDATES) + run * 37) % KEYS;
      return { path: pathOf(key), valueHash: hashOf(key, run + 1) };
    });
    const start = performance.now();
    tree.apply(updates);
    tree.release(tree.version);
    return performance.now() - start;
  });

  const present = Array.from({ length: PROOFS }, (_, i) => proofBytes(tree, (i * (KEYS / PROOFS) + 11) % KEYS, true));
  const absent = Array.from({ length: PROOFS }, (_, i) => proofBytes(tree, KEYS + i, false));
  const name = 'state of 10^6 keys';
  return [
    { name: `${name}: apply 1,000 updates`, value: rounded(median(times), 2), unit: 'ms', runs: RUNS },
    { name: `${name}: memory of the tree`, value: rounded(tree.memoryBytes / KEYS), unit: 'bytes/key', runs: 1 },
    { name: `${name}: growth of the process`, value: rounded(used / KEYS), unit: 'bytes/key', runs: 1 },
    ...sizes(`${name}: proof of presence`, present),
    ...sizes(`${name}: proof of absence`, absent),
  ];
}

function proofBytes(tree: StateTree, key: number, isPresent: boolean): number {
  const path = pathOf(key);
  const { present, ...proof } = tree.prove(path);
  assert.equal(present, isPresent);
  if (!isPresent) assert(equalBytes(rootFromStateProof(path, undefined, proof)!, tree.root()));
  return encode(stateProofCodec, encodeStateProof(proof)).length;
}

function pathOf(key: number): Uint8Array {
  return statePath('assets.balances', concatBytes(sha256(utf8Encode(`account ${key}`)), GOLD));
}

function hashOf(key: number, version: number): Uint8Array {
  return sha256(utf8Encode(`${version} of ${key}`));
}

const GOLD = utf8Encode('gold');

/** What this process holds on to, in and outside of V8's heap. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
