import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Json } from '../../ledger/codec.ts';
import { EDGE_VECTORS } from '../../ledger/edge-vectors.ts';
import { applicationVectors } from './make-application.ts';
import { forkVectors, handoffVectors, replyVectors } from './make-light.ts';
import { bundleVectors, certificateVectors, genesisVectors } from './make-proofs.ts';
import { primitiveVectors, signBytesVectors, structureVectors, transactionVectors } from './make-structures.ts';
import { historyVectors, listTreeVectors, stateTreeVectors } from './make-trees.ts';

/** All vectors by file name. Keys, nonces and times are fixed, so every run gives the same. */
export function makeVectors(): Readonly<Record<string, Json>> {
  return {
    'primitives.json': primitiveVectors(),
    'structures.json': structureVectors(),
    'sign-bytes.json': signBytesVectors(),
    'signatures.json': {
      about: 'Rule S5: every verifier gives these verdicts.',
      cases: EDGE_VECTORS.map(({ name, publicKey, message, signature, valid }) => ({
        name,
        publicKey,
        message,
        signature,
        valid,
      })),
    },
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
    writeFileSync(fileURLToPath(new URL(name, import.meta.url)), `${JSON.stringify(vectors, undefined, 1)}\n`);
  }
}
