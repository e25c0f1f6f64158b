import { randomBytes } from 'node:crypto';
import { fromHex, toHex, utf8Encode } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { schemaOf } from '../../ledger/describe.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { type Call, signTransaction } from '../../ledger/transaction.ts';
import type { Signer } from '../signatures.ts';
import { accountArgument, accountNamed } from './accounts.ts';
import { CliError, EXIT } from './errors.ts';
import { ask, askChain, type TransactionAnswer } from './http.ts';
import { print, warnPublicKey } from './output.ts';

export interface TxOptions {
  readonly url: string;
  readonly json: boolean;
  readonly as: string;
  readonly wait: 'none' | 'committed' | 'final';
  readonly memo: string;
}

const LIFETIME_MS = 5 * 60_000;

/** `quorate tx <module> <action> --<argument> <value> …`: one signed transaction with one call. */
export async function tx(module: string, action: string, args: readonly string[], options: TxOptions): Promise<number> {
  const encoded = encodeArgs(module, action, readFlags(args));
  const { signer, isPublic } = accountNamed(options.as);
  if (isPublic) warnPublicKey(options.as);
  const answer = await sendCall(signer, { module, action, args: encoded }, options);
  print(options.json, { ...answer }, describe(answer));
  return hasFailed(answer) ? EXIT.failed : EXIT.ok;
}

/** Signs a transaction with this one call, sends it, and waits as asked for. */
export async function sendCall(
  signer: Signer,
  call: Call,
  { url, wait, memo }: Pick<TxOptions, 'url' | 'wait' | 'memo'>,
): Promise<TransactionAnswer> {
  const { genesisId, time, maxLifetimeMs } = await askChain(url);
  const body = {
    sender: signer.publicKey,
    nonce: randomBytes(8),
    validUntil: time + Math.min(LIFETIME_MS, maxLifetimeMs),
    calls: [call],
    memo: utf8Encode(memo),
  };
  const { bytes, id } = signTransaction(fromHex(genesisId)!, body, (message) => signer.sign(message));
  let answer = await ask<TransactionAnswer>(url, `/v1/transactions?wait=${wait}`, { bytes });
  while (wait !== 'none' && answer.status === 'pending') {
    answer = await ask<TransactionAnswer>(url, `/v1/transactions/${toHex(id)}?wait=${wait}`);
  }
  return answer;
}

export function hasFailed({ status, receipt }: TransactionAnswer): boolean {
  return receipt?.status === 'failed' || status === 'expired';
}

export function describe({ id, status, block, receipt }: TransactionAnswer): string[] {
  const lines = [`id       ${id}`, `status   ${status}`];
  if (block !== undefined) lines.push(`block    ${block.height}, number ${block.index}`);
  if (receipt !== undefined) lines.push(`receipt  ${receipt.status}${receipt.code === '' ? '' : ` (${receipt.code})`}`);
  if (status === 'final') lines.push('', `proof:   npx quorate proof ${id} > receipt.proof.json`);
  return lines;
}

/** `--name value` or `--name=value` pairs, each once. */
export function readFlags(args: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (let i = 0; i < args.length; i++) {
    const [, name, inline] = /^--([a-z][A-Za-z0-9]*)(?:=(.*))?$/s.exec(args[i]!) ?? [];
    if (name === undefined) throw usage(`expected --argument value, got ${args[i]}`);
    const value = inline ?? args[++i];
    if (value === undefined) throw usage(`--${name} needs a value`);
    if (Object.hasOwn(values, name)) throw usage(`--${name} is given twice`);
    values[name] = value;
  }
  return values;
}

/** Canonical argument bytes from flags. Text arguments that are left out are empty; accounts can be named. */
export function encodeArgs(module: string, action: string, flags: Record<string, string>): Uint8Array {
  const definition = quorateApplication.action(module, action);
  if (definition === undefined) throw usage(`no action ${module} ${action}; there are ${actionNames().join(', ')}`);
  const { properties = {} } = schemaOf(definition.args) as {
    properties?: Record<string, { type?: string; minLength?: number }>;
  };
  const json: Record<string, Json> = {};
  for (const [name, { type, minLength }] of Object.entries(properties)) {
    const given = flags[name];
    if (given === undefined && type === 'string' && minLength === 0) json[name] = '';
    else if (given !== undefined) json[name] = fromFlag(given, type, name);
    if (name === 'to' && given !== undefined) json[name] = accountArgument(given);
  }
  for (const name of Object.keys(flags)) {
    if (!Object.hasOwn(properties, name))
      throw usage(`${module} ${action} has no argument --${name}; it takes ${names(properties)}`);
  }
  const encoded = quorateApplication.argsFromJson(module, action, json);
  if (!encoded.ok) throw usage(`${module} ${action}: ${encoded.problem}; it takes ${names(properties)}`);
  return encoded.value;
}

function fromFlag(given: string, type: string | undefined, name: string): Json {
  if (type === 'integer') return Number(given);
  if (type === 'boolean') return given === 'true';
  if (type === 'string') return given;
  try {
    return JSON.parse(given) as Json;
  } catch {
    throw usage(`--${name} takes JSON, got ${given}`);
  }
}

function actionNames(): string[] {
  return quorateApplication.modules.flatMap(({ name, actions }) =>
    Object.keys(actions).map((action) => `${name} ${action}`),
  );
}

function names(properties: object): string {
  return Object.keys(properties)
    .map((name) => `--${name}`)
    .join(' ');
}

function usage(message: string): CliError {
  return new CliError(EXIT.usage, 'USAGE', message);
}
