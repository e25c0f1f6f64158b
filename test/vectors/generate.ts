import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Json } from '../../ledger/codec.ts';
import { applicationVectors } from './make-application.ts';
import { bundleVectors } from './make-bundles.ts';
import { certificateVectors } from './make-certificates.ts';
import { genesisVectors } from './make-genesis.ts';
import { forkVectors, handoffVectors, replyVectors } from './make-light.ts';
import { primitiveVectors } from './make-primitives.ts';
import { signatureVectors, signBytesVectors, structureVectors, transactionVectors } from './make-structures.ts';
import { historyVectors, listTreeVectors, stateTreeVectors } from './make-trees.ts';

/** All vectors by file name. Keys, nonces and times are fixed, so every run gives the same. */
export function makeVectors(): Readonly<Record<string, Json>> {
  return {
    'primitives.json': primitiveVectors(),
    'structures.json': structureVectors(),
    'sign-bytes.json': signBytesVectors(),
    'signatures.json': signatureVectors(),
    'transactions.json': transactionVectors(),
    'list-tree.json': listTreeVectors(),
    'history.json': historyVectors(),
    'state-tree.json': stateTreeVectors(),
    'application.json': applicationVectors(),
    'genesis.json': genesisVectors(),
    'certificates.json': certificateVectors(),
    'handoffs.json': handoffVectors(),
    'bundles.json': bundleVectors(),
    'replies.json': replyVectors(),
    'forks.json': forkVectors(),
  };
}

/** `node test/vectors/generate.ts` writes the files. A change in them is a change of the protocol. */
if (import.meta.main) {
  for (const [name, vectors] of Object.entries(makeVectors())) {
    writeFileSync(fileURLToPath(new URL(name, import.meta.url)), `${inAscii(JSON.stringify(vectors, undefined, 1))}\n`);
  }
}

/** No editor shows, hides or normalises what is written as an escape. */
function inAscii(json: string): string {
  return json.replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
