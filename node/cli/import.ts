import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { concatBytes, fromHex, toHex, utf8Encode } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { packTransactions, signTransaction, type Transaction } from '../../ledger/transaction.ts';
import type { Signer } from '../signatures.ts';
import { accountNamed } from './accounts.ts';
import { CliError, EXIT } from './errors.ts';
import { ask, askChain, type Chain, ProblemError, type TransactionAnswer } from './http.ts';
import { print, warnPublicKey } from './output.ts';

export interface ImportOptions {
  readonly urls: readonly string[];
  readonly json: boolean;
  readonly as: string;
  readonly batch: number;
}

interface Package {
  readonly key: string;
  readonly digest: string;
  readonly note: string;
}

interface BatchResult {
  readonly id?: string;
  readonly status?: string;
  readonly error?: { readonly code: string; readonly detail: string; readonly retry: string };
}

/** Batches that wait for finality at a time. */
const OPEN_BATCHES = 4;
const RETRY_MS = 500;
const GIVE_UP_MS = 5 * 60_000;

/**
 * `quorate import <file>`: registers every line of an NDJSON package index as a record and waits until all are final. It
 * can be run again at any time, also after every node was killed: the same signed bytes are sent again, and what is
 * registered already is counted as there.
 */
export async function importPackages(file: string, options: ImportOptions): Promise<number> {
  const packages = await readPackages(file);
  const { signer, isPublic } = await accountNamed(options.as);
  if (isPublic) warnPublicKey(options.as, options.json);
  const chain = await askChain(options.urls[0]!);
  const validUntil = await chooseValidUntil(packages, chain, signer.publicKey);
  const transactions = packages.map((one) => sign(one, validUntil, chain, signer));
  const progress = new Progress(packages.length, options.json);
  const counts = { packages: packages.length, final: 0, alreadyThere: 0, rejected: 0, refused: 0 };
  const problems: string[] = [];
  const start = performance.now();
  let next = 0;
  const worker = async (first: number): Promise<void> => {
    while (next < transactions.length) {
      const from = next;
      next += options.batch;
      const part = transactions.slice(from, from + options.batch);
      const results = await sendUntilDecided(part, options.urls, first);
      for (const [i, result] of results.entries()) {
        const outcome = await judge(
          result,
          packages[from + i]!,
          toHex(signer.publicKey),
          options.urls[first % options.urls.length]!,
        );
        counts[outcome.kind]++;
        if (outcome.problem !== undefined) problems.push(outcome.problem);
      }
      progress.add(part.length);
    }
  };
  await Promise.all(Array.from({ length: OPEN_BATCHES }, (_, i) => worker(i)));
  progress.end();
  const seconds = (performance.now() - start) / 1_000;
  const perSecond = Math.round(packages.length / seconds);
  const allFinal = counts.final + counts.alreadyThere === packages.length;
  const lines = [
    `${counts.packages} packages in ${seconds.toFixed(1)} s (${perSecond} tx/s)`,
    `final ${counts.final}, already there ${counts.alreadyThere}, rejected ${counts.rejected}, refused ${counts.refused}`,
    allFinal ? 'all final' : 'NOT all final:',
    ...problems.slice(0, 10),
  ];
  print(options.json, { ...counts, seconds, perSecond, allFinal, problems: problems.slice(0, 10) }, lines);
  return allFinal ? EXIT.ok : EXIT.failed;
}

async function readPackages(file: string): Promise<readonly Package[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new CliError(EXIT.usage, 'FILE', `${file} can't be read: ${(cause as Error).message}`, { cause });
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, i) => readPackage(line, `${file}:${i + 1}`));
}

function readPackage(line: string, place: string): Package {
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(line);
  } catch {
    throw new CliError(EXIT.usage, 'FILE', `${place}: not JSON`);
  }
  const { name, version, architecture, sha256: digest, ...rest } = json;
  for (const [field, value] of Object.entries({ name, version, architecture, sha256: digest })) {
    if (typeof value !== 'string' || value === '')
      throw new CliError(EXIT.usage, 'FILE', `${place}: ${field} is not text`);
  }
  if (!/^[0-9a-f]{64}$/.test(digest as string))
    throw new CliError(EXIT.usage, 'FILE', `${place}: sha256 is not 64 hex digits`);
  return { key: `${name}/${version}/${architecture}`, digest: `0x${digest}`, note: JSON.stringify(rest) };
}

/** The nonce follows from the content, so the same package is the same transaction while validUntil is the same. */
function sign({ key, digest, note }: Package, validUntil: number, chain: Chain, signer: Signer): Transaction {
  const args = quorateApplication.argsFromJson('records', 'register', { key, digest, note });
  if (!args.ok) throw new CliError(EXIT.usage, 'FILE', `${key}: ${args.problem}`);
  const body = {
    sender: signer.publicKey,
    nonce: sha256(utf8Encode(`${key} ${digest} ${note}`)).slice(0, 8),
    validUntil,
    calls: [{ module: 'records', action: 'register', args: args.value }],
    memo: new Uint8Array(0),
  };
  return signTransaction(fromHex(chain.genesisId)!, body, (message) => signer.sign(message));
}

/** Kept beside the user's other state, so that a second run sends the same bytes while they can still execute. */
async function chooseValidUntil(packages: readonly Package[], chain: Chain, sender: Uint8Array): Promise<number> {
  const content = utf8Encode(JSON.stringify(packages));
  const name = toHex(sha256(concatBytes(fromHex(chain.genesisId)!, sender, sha256(content)))).slice(2, 34);
  const directory = join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local/state'), 'quorate', 'imports');
  const path = join(directory, `${name}.json`);
  const known = await readFile(path, 'utf8').then(
    (text) => (JSON.parse(text) as { validUntil: number }).validUntil,
    () => undefined,
  );
  if (known !== undefined && known > chain.time + 60_000 && known <= chain.time + chain.maxLifetimeMs) return known;
  const validUntil = chain.time + Math.floor(chain.maxLifetimeMs * 0.9);
  await mkdir(directory, { recursive: true });
  await writeFile(path, JSON.stringify({ validUntil }));
  return validUntil;
}

/** Sends the same bytes, to the next node each time, until every one of them is decided. */
async function sendUntilDecided(
  part: readonly Transaction[],
  urls: readonly string[],
  first: number,
): Promise<readonly BatchResult[]> {
  const bytes = packTransactions(part.map((one) => one.bytes));
  const end = Date.now() + GIVE_UP_MS;
  for (let attempt = first; ; attempt++) {
    const url = urls[attempt % urls.length]!;
    try {
      const { results } = await ask<{ results: BatchResult[] }>(url, '/v1/transactions/batch?wait=final', { bytes });
      if (results.every(isDecided)) return results;
      if (Date.now() > end) return results;
    } catch (error) {
      if (!(error instanceof CliError) || Date.now() > end) throw error;
      if (error instanceof ProblemError && error.retry === 'never') throw error;
      await delay(RETRY_MS);
      continue;
    }
    await delay(RETRY_MS / 5);
  }
}

function isDecided({ status, error }: BatchResult): boolean {
  if (error !== undefined) return error.retry === 'never';
  return status === 'final' || status === 'rejected' || status === 'expired';
}

type Outcome = { readonly kind: 'final' | 'alreadyThere' | 'rejected' | 'refused'; readonly problem?: string };

/** A record that somebody registered before is there if it is ours and the same. */
async function judge(result: BatchResult, one: Package, owner: string, url: string): Promise<Outcome> {
  if (result.status === 'final') return { kind: 'final' };
  if (result.error !== undefined) return { kind: 'refused', problem: `${one.key}: ${result.error.detail}` };
  if (result.status !== 'rejected') return { kind: 'refused', problem: `${one.key}: ${result.status}` };
  const { receipt } = await ask<TransactionAnswer>(url, `/v1/transactions/${result.id}`);
  if (receipt?.code === 'already-registered') {
    const row = await ask<{ value?: { digest: string; owner: string } }>(
      url,
      `/v1/state/records.entries/${encodeURIComponent(one.key)}`,
    );
    if (row.value?.digest === one.digest && row.value.owner === owner) return { kind: 'alreadyThere' };
  }
  return { kind: 'rejected', problem: `${one.key}: ${receipt?.code}` };
}

class Progress {
  readonly #total: number;
  readonly #shown: boolean;
  #done = 0;

  constructor(total: number, quiet: boolean) {
    this.#total = total;
    this.#shown = !quiet && process.stderr.isTTY === true;
    this.add(0);
  }

  add(count: number): void {
    this.#done += count;
    if (!this.#shown) return;
    const filled = Math.round((30 * this.#done) / Math.max(this.#total, 1));
    const bar = `${'█'.repeat(filled)}${'░'.repeat(30 - filled)}`;
    process.stderr.write(`\r${bar} ${this.#done} of ${this.#total} final`);
  }

  end(): void {
    if (this.#shown) process.stderr.write('\n');
  }
}
