import type { Json } from '../../ledger/codec.ts';
import { schemaOf } from '../../ledger/describe.ts';
import { CALLS_MAX } from '../../ledger/limits.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import type { Call } from '../../ledger/transaction.ts';
import { accountArgument, accountNamed } from './accounts.ts';
import { CliError, EXIT } from './errors.ts';
import { print } from './output.ts';
import { readInput } from './read-genesis.ts';
import { exitOf, type SendOptions, sendCalls } from './send.ts';

export interface TxOptions extends SendOptions {
  readonly memo: string;
  /** A file with several calls, in place of one in the arguments. */
  readonly calls?: string;
}

/** `quorate tx <module> <action> --<argument> <value> …` or `--calls <file>`: one signed transaction. */
export async function tx(
  module: string | undefined,
  action: string | undefined,
  args: readonly string[],
  options: TxOptions,
): Promise<number> {
  const calls = options.calls === undefined ? [callOf(module, action, args)] : await readCalls(options.calls, module);
  const { sent, lines } = await sendCalls(await accountNamed(options.as), calls, options, options.memo);
  print(options.json, sent, lines);
  return exitOf(sent);
}

function callOf(module: string | undefined, action: string | undefined, args: readonly string[]): Call {
  if (module === undefined || action === undefined)
    throw usage(`expected a module and an action, or --calls and a file; there are ${actionNames().join(', ')}`);
  return { module, action, args: encodeArgs(module, action, readFlags(args)) };
}

/** A JSON list of `{ "module", "action", "args" }`, with the arguments as the API takes them; accounts can be named. */
async function readCalls(file: string, extra: string | undefined): Promise<readonly Call[]> {
  if (extra !== undefined) throw usage(`--calls ${file}: expected nothing beside it, got ${extra}`);
  let list: unknown;
  try {
    list = JSON.parse(await readInput(file));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw usage(`${file} is not JSON`);
  }
  if (!Array.isArray(list) || list.length < 1 || list.length > CALLS_MAX)
    throw usage(`${file}: expected a list of 1 to ${CALLS_MAX} calls, each { "module", "action", "args" }`);
  return list.map((one, i) => callFromJson(one, `${file}, call ${i + 1}`));
}

function callFromJson(json: unknown, place: string): Call {
  const { module, action, args, ...more } = (json ?? {}) as { readonly [name: string]: unknown };
  if (typeof module !== 'string' || typeof action !== 'string' || typeof args !== 'object' || args === null)
    throw usage(`${place}: expected { "module", "action", "args" }`);
  const [other] = Object.keys(more);
  if (other !== undefined) throw usage(`${place}: there is no ${other}`);
  const named = Object.entries(args).map(([name, value]) => [
    name,
    name === 'to' && typeof value === 'string' ? accountArgument(value) : (value as Json),
  ]);
  const encoded = quorateApplication.argsFromJson(module, action, Object.fromEntries(named));
  if (!encoded.ok) throw usage(`${place}: ${module} ${action}: ${encoded.problem}`);
  return { module, action, args: encoded.value };
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
