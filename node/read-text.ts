import { readFile } from 'node:fs/promises';
import { utf8Decode } from '../ledger/bytes.ts';

/**
 * A file as text. Rejects for bytes that are not well-formed UTF-8: as replacement characters they would hide that a genesis
 * file or a proof is not, byte for byte, what it reads like.
 */
export async function readText(path: string): Promise<string> {
  const text = utf8Decode(await readFile(path));
  if (text === undefined) throw new Error('it is not well-formed UTF-8');
  return text;
}
