import { type Genesis, readGenesis } from '../../genesis/genesis.ts';
import { readText } from '../read-text.ts';
import { chooseSignatures } from '../signatures.ts';
import { CliError, EXIT } from './errors.ts';

/** A file that the user named. */
export async function readInput(file: string): Promise<string> {
  try {
    return await readText(file);
  } catch (cause) {
    throw new CliError(EXIT.usage, 'FILE', `${file} can't be read: ${(cause as Error).message}`, { cause });
  }
}

/** A sound genesis file that the user named. */
export async function readGenesisFile(file: string): Promise<Genesis> {
  const read = readGenesis(await readInput(file), chooseSignatures().verify);
  if (!read.ok) throw new CliError(EXIT.failed, read.code, `${file}: ${read.problem}`);
  return read.genesis;
}
