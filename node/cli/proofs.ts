import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { type Facts, printSteps, type Report } from '../../light/report.ts';
import { verifyBundle } from '../../light/sync.ts';
import { verifyForkEvidence } from '../../light/verify-fork.ts';
import { chooseSignatures } from '../signatures.ts';
import { EXIT } from './errors.ts';
import { ask, ProblemError, type Urls } from './http.ts';
import { moment, print } from './output.ts';
import { readInput } from './read-genesis.ts';

const FINAL_WITHIN_MS = 60_000;

/** `quorate proof <id>`: the self-contained proof, once the transaction is final. */
export async function proof(id: string, options: { url: Urls; out?: string }): Promise<number> {
  const end = Date.now() + FINAL_WITHIN_MS;
  for (;;) {
    try {
      const bundle = await ask<Json>(options.url, `/v1/transactions/${encodeURIComponent(id)}/proof`);
      const text = `${JSON.stringify(bundle, undefined, 2)}\n`;
      if (options.out === undefined) process.stdout.write(text);
      else await writeFile(options.out, text);
      return EXIT.ok;
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'not-final' || Date.now() > end) throw error;
      await delay(200);
    }
  }
}

/** `quorate verify <file> --genesis <file>`: no network; every step is printed. Exit 4 if one fails. */
export async function verify(
  file: string,
  options: { genesis: string; maxAge?: number; acceptRecovery?: readonly string[]; json: boolean },
): Promise<number> {
  const { acceptRecovery = [] } = options;
  const [given, genesisText] = await Promise.all([readProof(file), readInput(options.genesis)]);
  const { verify: rule } = chooseSignatures();
  if (typeof given === 'string' && isForkEvidence(given))
    return verifyFork(given, genesisText, { verify: rule, acceptRecovery }, options.json);
  const freshness = options.maxAge === undefined ? undefined : { nowMs: Date.now(), maxAgeMs: options.maxAge };
  const report = verifyBundle(given, genesisText, { verify: rule, acceptRecovery, ...(freshness && { freshness }) });
  const { ok, steps, facts } = report;
  print(options.json, { ok, steps, facts: facts && factsJson(facts) }, [
    ...printSteps(report),
    '',
    ...conclusion(report),
  ]);
  return ok ? EXIT.ok : EXIT.notVerified;
}

type ForkOptions = Parameters<typeof verifyForkEvidence>[2];

function isForkEvidence(text: string): boolean {
  try {
    return (JSON.parse(text) as { format?: unknown } | null)?.format === 'quorate-fork-1';
  } catch {
    return false;
  }
}

function verifyFork(text: string, genesisText: string, options: ForkOptions, json: boolean): number {
  const report = verifyForkEvidence(text, genesisText, options);
  const { ok, steps, culprits } = report;
  const named = culprits?.map(({ name, organisation, key }) => ({ name, organisation, key: toHex(key) }));
  const failed = steps.find(({ status }) => status === 'failed')?.name;
  print(json, { ok, steps: [...steps].map((step) => ({ ...step })), culprits: named }, [
    ...printSteps(report),
    '',
    ...(named === undefined
      ? [`NOT VERIFIED: step ${failed} failed`]
      : [
          'VERIFIED with the genesis file alone: two certificates that can not both be of one chain',
          ...named.map(({ name, organisation, key }) => `guilty   ${name} of ${organisation}, ${key}`),
        ]),
  ]);
  return ok ? EXIT.ok : EXIT.notVerified;
}

/** A proof as text, which begins with a brace, or as canonical bytes. */
async function readProof(file: string): Promise<string | Uint8Array> {
  const bytes = await readFile(file).catch(() => undefined);
  return bytes !== undefined && bytes[0] !== 0x7b ? new Uint8Array(bytes) : readInput(file);
}

function conclusion({ facts, steps }: Report): string[] {
  if (facts === undefined) {
    const failed = steps.find(({ status }) => status === 'failed');
    return [`NOT VERIFIED: step ${failed?.name} failed`];
  }
  const lines = ['VERIFIED with the genesis file alone'];
  const { transaction, block, state, recoveries } = facts;
  for (const { epoch, height, reason } of recoveries)
    lines.push(`note     epoch ${epoch} was ended above block ${height - 1} by a recovery that you accept: ${reason}`);
  if (block !== undefined) lines.push(`when     block ${block.height}, ${moment(block.time)}`);
  if (transaction !== undefined) {
    const { calls, sender, receipt } = transaction;
    for (const call of calls) {
      const args = quorateApplication.argsToJson(call);
      lines.push(`what     ${call.module}.${call.action} ${args.ok ? JSON.stringify(args.value) : toHex(call.args)}`);
    }
    lines.push(`who      ${toHex(sender)}`);
    lines.push(receipt.status === 'ok' ? 'outcome  ok' : `outcome  failed (${receipt.code}): it changed nothing`);
  }
  if (state !== undefined)
    lines.push(
      `what     ${state.table} ${toHex(state.key)} ${state.value === undefined ? 'does not exist' : toHex(state.value)}`,
    );
  lines.push(`final    by ${facts.signedBy.join(', ')} (${facts.signedBy.length} of ${facts.validators})`);
  return lines;
}

function factsJson(facts: Facts): Json {
  return JSON.parse(
    JSON.stringify(facts, (_key, value) => (value instanceof Uint8Array ? toHex(value) : value)),
  ) as Json;
}
