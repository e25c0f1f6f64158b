import type { VerifySignature } from '../ledger/signature.ts';
import { type GenesisContent, printGenesis } from './file.ts';
import { type ReadGenesis, readGenesis } from './genesis.ts';

export { possessionMessage } from './possession.ts';

/**
 * Makes a genesis file from what the founders decided: `genesis.text` is the file. It is read back as everyone will
 * read it, so what is refused there is refused here.
 */
export function createGenesis(content: GenesisContent, verify: VerifySignature): ReadGenesis {
  return readGenesis(printGenesis(content), verify);
}
