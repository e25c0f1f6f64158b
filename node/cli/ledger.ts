import type { Genesis } from '../../genesis/genesis.ts';
import { LightError } from '../../light/client.ts';
import { asQuorateError } from '../../light/ledger-client/errors.ts';
import { connect, type Ledger, QuorateError } from '../../light/ledger-client/index.ts';
import type { Signer } from '../signatures.ts';
import { CliError, EXIT } from './errors.ts';
import { ask, askText, DEFAULT_URL } from './http.ts';
import { readGenesisFile } from './read-genesis.ts';
import { rows } from './rows.ts';

/** Of every command that goes by the client library. */
export interface LedgerOptions {
  readonly url: readonly string[];
  /** The file that everything is proven with. None: what a node gives. */
  readonly genesis?: string;
  readonly acceptRecovery?: readonly string[];
}

export interface OpenLedger {
  readonly ledger: Ledger;
  /** The genesis file that proofs rest on: whether the user named it. */
  readonly isTrusted: boolean;
  /** What a proof rests on, for people. */
  readonly basis: string;
}

/**
 * Connects to the nodes for as long as `work` runs; then nothing of it is left, also where a node hangs. Throws CliError
 * `UNREACHABLE`, or what the client library does.
 */
export async function withLedger<T>(
  { url: urls, genesis: file, acceptRecovery = [] }: LedgerOptions,
  signer: Signer | undefined,
  work: (open: OpenLedger) => Promise<T>,
): Promise<T> {
  for (const url of urls) {
    if (!URL.canParse(url)) throw new CliError(EXIT.usage, 'USAGE', `--url ${url}: expected like ${DEFAULT_URL}`);
  }
  const over = new AbortController();
  const [genesis] = await Promise.all([
    readBasis(urls, file),
    acceptRecovery.length === 0 ? refuseRecovered(urls) : undefined,
  ]);
  try {
    const ledger = await connect({
      genesis,
      urls,
      acceptRecovery,
      ...(signer && { signer }),
      signal: over.signal,
      fetch: (input, init) => {
        const signals = [over.signal, init?.signal].filter((one) => one instanceof AbortSignal);
        return fetch(input, { ...init, signal: AbortSignal.any(signals) });
      },
    });
    const basis =
      file === undefined ? 'the genesis file that the node itself gave; with --genesis FILE no node is trusted' : file;
    return await work({ ledger, isTrusted: file !== undefined, basis });
  } catch (error) {
    const known = error instanceof LightError ? asQuorateError(error) : error;
    // The library also says so of nodes that answer, and have nothing that verifies; this throws if none answers.
    if (known instanceof QuorateError && known.code === 'unreachable') await ask(urls, '/livez');
    throw known;
  } finally {
    over.abort();
  }
}

/** The file that the user trusts, or what a node says that it is. */
async function readBasis(urls: readonly string[], file: string | undefined): Promise<string | Genesis> {
  if (file !== undefined) return readGenesisFile(file);
  return askText(urls, '/v1/genesis');
}

/** R10: a chain that was recovered proves nothing to whoever does not accept that: said before anything is sent. */
async function refuseRecovered(urls: readonly string[]): Promise<void> {
  const found = await rows(urls, 'governance.recoveries');
  if (found.length === 0) return;
  const problem = `this chain was recovered after a lost quorum: give --accept-recovery HASH, as its operators told you`;
  throw new CliError(EXIT.notVerified, 'RECOVERED', problem);
}
