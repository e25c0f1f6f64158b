import { GENESIS_BYTES_MAX } from '../../genesis/file.ts';
import { type Genesis, readGenesis } from '../../genesis/genesis.ts';
import { portableVerify } from '../../ledger/ed25519.ts';
import { size } from './words.ts';

/** Bytes of a proof file. Four validators fill them with more than 2,000 hand-offs. */
export const PROOF_BYTES_MAX = 16 * 1024 * 1024;

export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** What `verifyBundleAsync` takes: the JSON print of a proof, or its canonical bytes. */
export async function readProofFile(file: File): Promise<Read<string | Uint8Array>> {
  const read = await readBytes(file, PROOF_BYTES_MAX, 'a proof');
  if (!read.ok) return read;
  const bytes = read.value;
  // Canonical bytes begin with the number of their format, which no JSON text begins with.
  const text = bytes[0]! < 0x09 ? undefined : utf8Text(bytes);
  if (text === undefined) return read;
  if (/^\s*\{\s*"quorate"\s*:/.test(text)) return refused('this is a genesis file: choose it in step 1');
  return { ok: true, value: text };
}

/**
 * The chain that a genesis file begins. Keys are checked by the portable verifier, once for each choice, so that what is
 * wrong with the file is said before there is a proof.
 */
export async function readGenesisFile(file: File): Promise<Read<Genesis>> {
  const read = await readBytes(file, GENESIS_BYTES_MAX, 'a genesis file');
  if (!read.ok) return read;
  const text = utf8Text(read.value);
  if (text === undefined) return refused('this is no genesis file: it is not UTF-8 text');
  if (/^\s*\{\s*"format"\s*:\s*"quorate-proof/.test(text)) return refused('this is a proof: it belongs into step 2');
  const genesis = readGenesis(text, portableVerify);
  if (!genesis.ok) return refused(`this is no sound genesis file: ${genesis.problem}`);
  return { ok: true, value: genesis.genesis };
}

async function readBytes(file: File, bytesMax: number, what: string): Promise<Read<Uint8Array>> {
  if (file.size > bytesMax) {
    return refused(`the file has ${size(file.size)}; ${what} has at most ${size(bytesMax)}`);
  }
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    return refused('the file can not be read; is it a folder, or was it changed meanwhile?');
  }
  return bytes.length === 0 ? refused('the file is empty') : { ok: true, value: bytes };
}

/** A byte order mark stays: the id of a genesis file is over every byte of it. */
function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function refused(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}
