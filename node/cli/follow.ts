import { readFile, rename, writeFile } from 'node:fs/promises';
import { toHex } from '../../ledger/bytes.ts';
import { createLightClient, LightError, type LightStore, type Position, printForkEvidence } from '../../light/index.ts';
import { CliError, EXIT } from './errors.ts';
import { print, table } from './output.ts';
import { readGenesisFile } from './read-genesis.ts';

export interface FollowOptions {
  readonly genesis: string;
  readonly url: readonly string[];
  readonly maxAge?: number;
  readonly store?: string;
  readonly acceptRecovery?: readonly string[];
  readonly evidence: string;
  readonly json: boolean;
}

const EXITS = { unreachable: EXIT.unreachable, unproven: EXIT.notVerified, fork: EXIT.notVerified, stale: EXIT.failed };

/**
 * `quorate follow`: from the genesis file to the newest certificate of several nodes, compared. Exit 4 when they show a
 * fork, whose evidence is written to a file; 1 when the newest is older than asked for.
 */
export async function follow(options: FollowOptions): Promise<number> {
  const { genesis, url, maxAge, store, evidence, acceptRecovery = [], json } = options;
  const file = await readGenesisFile(genesis);
  const client = createLightClient({
    genesis: file,
    urls: url,
    acceptRecovery,
    ...(maxAge !== undefined && { maxAge }),
    ...(store !== undefined && { store: fileStore(store) }),
  });
  let position: Position;
  try {
    position = await client.follow();
  } catch (error) {
    if (!(error instanceof LightError)) throw error;
    if (error.evidence !== undefined) await writeFile(evidence, printForkEvidence(error.evidence));
    const more = error.evidence === undefined ? '' : `; the evidence is in ${evidence}, see quorate verify`;
    const exit = EXITS[error.code as keyof typeof EXITS] ?? EXIT.usage;
    throw new CliError(exit, error.code.toUpperCase(), `${error.message}${more}`, { cause: error });
  }
  const { epoch, validators, certificate, ageMs, continues, sources } = position;
  const recoveries = position.recoveries.map((one) => ({ ...one, hash: toHex(one.hash) }));
  const { height, timestamp, blockHash, stateRoot } = certificate.checkpoint;
  const rows = sources.map((one) => [
    one.url,
    one.height === undefined ? '?' : String(one.height),
    one.compared ? 'yes' : (one.problem ?? 'it does not show its link to the newest'),
  ]);
  const found = { height, timestamp, ageMs, blockHash: toHex(blockHash), stateRoot: toHex(stateRoot) };
  print(json, { chain: file.chain, epoch, ...found, continues, recoveries, sources }, [
    `chain      ${file.chain}, ${toHex(file.id)}`,
    `epoch      ${epoch}: ${validators.map(({ name }) => name).join(', ')}`,
    `certified  block ${height} of ${new Date(timestamp).toISOString()}, ${Math.round(ageMs / 1_000)} s ago`,
    `block      ${toHex(blockHash)}`,
    `state      ${toHex(stateRoot)}`,
    ...recoveries.map(({ epoch: ended, height: at, reason, hash }) => {
      const what = `epoch ${ended} was ended above block ${at - 1} by a recovery that you accept`;
      return `note       ${what}: ${reason} (${hash})`;
    }),
    ...(continues ? [] : ['note       nothing shows that this goes on from what was stored']),
    '',
    ...table(['node', 'height', 'on this chain'], rows),
  ]);
  return EXIT.ok;
}

/** Replaced whole, so that a crash leaves the old one. */
function fileStore(path: string): LightStore {
  return {
    async load() {
      try {
        return new Uint8Array(await readFile(path));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    async save(bytes) {
      await writeFile(`${path}.new`, bytes);
      await rename(`${path}.new`, path);
    },
  };
}
