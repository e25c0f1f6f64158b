import type { LedgerEvent } from './block.ts';
import { type Codec, type CodecType, type Decoded, encode, type Json, tryDecode, tryFromJson } from './codec.ts';
import { sizeMaxOf } from './describe.ts';
import { CALL_ARGS_BYTES_MAX, EVENT_BYTES_MAX } from './limits.ts';
import { type Parameters, protocolProblem } from './parameters.ts';
import { isName, type Table, type TableKey } from './table.ts';
import type { Call, TransactionBody } from './transaction.ts';

/**
 * An application is plain TypeScript: modules with tables, events and actions. Actions run synchronously inside the
 * execution of a block, on every validator, and must give the same result everywhere: they see nothing but `ctx` and
 * their arguments, keep nothing between calls, and do not change the values they are given.
 */
export interface Context<E extends EventCodecs = EventCodecs> {
  /**
   * Who acts, 32 bytes: the id of the account, which stays when its key is rotated, so what belongs to the sender is kept
   * under it. In an action for administrators: the administrator's key.
   */
  readonly sender: Uint8Array;
  /** Name of the organisation that the sender belongs to. */
  readonly organisation: string;
  /** The sender's account as it is now, active and with one of the action's roles; nobody's if it acts as administrator. */
  readonly account: Account;
  /** Of the block. */
  readonly height: number;
  /** Block time in ms. */
  readonly time: number;
  /** 32 bytes; names the chain in whatever is signed for it (S6). */
  readonly genesisId: Uint8Array;
  /** The row, with what this transaction has changed so far. Any module's tables may be read. */
  get<K extends TableKey, V>(table: Table<K, V>, key: NoInfer<K>): V | undefined;
  has<K extends TableKey, V>(table: Table<K, V>, key: NoInfer<K>): boolean;
  /** Only tables of the action's own module can be written, and those that it names as `writes`. */
  set<K extends TableKey, V>(table: Table<K, V>, key: NoInfer<K>, value: NoInfer<V>): void;
  delete<K extends TableKey, V>(table: Table<K, V>, key: NoInfer<K>): void;
  /** Adds an event to the receipt; dropped if the transaction fails. */
  emit<N extends keyof E & string>(name: N, data: CodecType<E[N]>): void;
  /** Ends the transaction with the receipt `failed {code}`: nothing it did remains. Codes are like `not-owner`. */
  fail(code: string): never;
}

/** Who may send transactions: a row of `members.accounts`, under the key that signs. */
export interface Account {
  /** The key that the account was enrolled with, 32 bytes. */
  readonly id: Uint8Array;
  readonly name: string;
  readonly organisation: string;
  readonly roles: readonly string[];
  readonly active: boolean;
}

export type EventCodecs = { readonly [name: string]: Codec<unknown> };

export interface Action<E extends EventCodecs, A> {
  /**
   * Any of these roles is enough; none listed: every active account. `administrators`: those of an organisation, with an
   * account or without, and nobody else.
   */
  readonly roles: readonly string[] | 'administrators';
  readonly args: Codec<A>;
  /** It may end the epoch (E2): nothing is voted for above its batch until that is stable (N12). */
  readonly endsEpoch?: true;
  /** E5: peer keys of those that it would add to the set; it is worth ordering while they answer. */
  candidates?(args: A): readonly Uint8Array[];
  run(ctx: Context<E>, args: A): void;
}

export interface Module<
  N extends string = string,
  E extends EventCodecs = EventCodecs,
  A extends { readonly [name: string]: unknown } = { readonly [name: string]: unknown },
> {
  readonly name: N;
  readonly tables: readonly Table[];
  /** Tables of other modules that its actions may write too. */
  readonly writes?: readonly Table[];
  readonly events: E;
  readonly actions: { readonly [K in keyof A]: Action<E, A[K]> };
}

/** Argument type of an action: `ActionArgs<typeof assets, 'transfer'>`. */
export type ActionArgs<M extends Module, K extends keyof M['actions']> = CodecType<M['actions'][K]['args']>;
/** Data type of an event: `EventData<typeof assets, 'issued'>`. */
export type EventData<M extends Module, K extends keyof M['events']> = CodecType<M['events'][K]>;

/** Why a transaction's bytes can never execute, whatever the state is. */
export interface StaticProblem {
  readonly code: 'unknown-action' | 'invalid-args' | 'too-large';
  readonly detail: string;
}

export interface Application {
  readonly name: string;
  readonly version: number;
  readonly modules: readonly Module[];
  action(module: string, action: string): Action<EventCodecs, unknown> | undefined;
  event(module: string, name: string): Codec<unknown> | undefined;
  table(name: string): Table | undefined;
  /** Whether actions of a module may write a table of another one. */
  mayWrite(module: string, table: Table<never>): boolean;
  /** Whether a call of it may end the epoch. */
  endsEpoch(body: TransactionBody): boolean;
  /** Peer keys of all those that its calls would add to the set. */
  candidates(body: TransactionBody): readonly Uint8Array[];
  /** E1: why this binary can't run a chain with these parameters, or undefined. */
  versionProblem(parameters: Parameters): string | undefined;
  /** Static validity (N4): known action, arguments that decode exactly, limits. A function of bytes and epoch only. */
  staticProblem(body: TransactionBody, parameters: Parameters): StaticProblem | undefined;
  /** Canonical argument bytes of a call from their JSON form. */
  argsFromJson(module: string, action: string, json: Json): Decoded<Uint8Array>;
  argsToJson(call: Call): Decoded<Json>;
  eventToJson(event: LedgerEvent): Decoded<Json>;
  /** A row's value in JSON. */
  valueToJson(table: string, value: Uint8Array): Decoded<Json>;
}

/** Defines a module and checks that the formats can carry it; throws a RangeError if not. */
export function defineModule<
  const N extends string,
  E extends EventCodecs,
  A extends { readonly [name: string]: unknown },
>(module: Module<N, E, A>): Module<N, E, A> {
  const actions = Object.entries(module.actions as Record<string, Action<E, unknown>>);
  for (const name of [module.name, ...Object.keys(module.events), ...actions.map(([name]) => name)]) {
    if (!isName(name)) throw new RangeError(`module ${module.name}: ${JSON.stringify(name)} is not a name`);
  }
  for (const table of module.tables) {
    if (table.module !== module.name)
      throw new RangeError(`table ${table.name} does not belong to module ${module.name}`);
  }
  for (const [name, { args }] of actions) {
    if (sizeMaxOf(args) > CALL_ARGS_BYTES_MAX)
      throw tooWide(`arguments of ${module.name}.${name}`, args, CALL_ARGS_BYTES_MAX);
  }
  for (const [name, event] of Object.entries(module.events)) {
    if (sizeMaxOf(event) > EVENT_BYTES_MAX) throw tooWide(`event ${module.name}.${name}`, event, EVENT_BYTES_MAX);
  }
  return module;
}

/** Puts modules together; throws a RangeError if two of them, or two of their tables, have the same name. */
export function createApplication(definition: {
  readonly name: string;
  readonly version: number;
  readonly modules: readonly Module[];
}): Application {
  const { name, version, modules } = definition;
  const actions = new Map<string, Map<string, Action<EventCodecs, unknown>>>();
  const events = new Map<string, Map<string, Codec<unknown>>>();
  const tables = new Map<string, Table>();
  const writes = new Map(modules.map((module) => [module.name, new Set<Table<never>>(module.writes)]));
  for (const module of modules) {
    if (actions.has(module.name)) throw new RangeError(`two modules have the name ${module.name}`);
    actions.set(module.name, new Map(Object.entries(module.actions)));
    events.set(module.name, new Map(Object.entries(module.events)));
    for (const table of module.tables) {
      if (tables.has(table.name)) throw new RangeError(`two tables have the name ${table.name}`);
      tables.set(table.name, table);
    }
  }
  const find = (module: string, action: string) => actions.get(module)?.get(action);
  const findEvent = (module: string, event: string) => events.get(module)?.get(event);

  return {
    name,
    version,
    modules,
    action: find,
    event: findEvent,
    table: (full) => tables.get(full),
    mayWrite: (module, table) => writes.get(module)?.has(table) === true,
    endsEpoch: ({ calls }) => calls.some(({ module, action }) => find(module, action)?.endsEpoch === true),
    candidates: ({ calls }) => calls.flatMap((call) => candidatesOf(find(call.module, call.action), call.args)),
    versionProblem(parameters) {
      if (parameters.application === name && parameters.applicationVersion === version)
        return protocolProblem(parameters);
      const wanted = `${parameters.application} version ${parameters.applicationVersion}`;
      return `the chain runs application ${wanted}, this binary has ${name} version ${version}`;
    },
    staticProblem(body, parameters) {
      if (body.calls.length > parameters.callsMax) {
        return { code: 'too-large', detail: `${body.calls.length} calls, at most ${parameters.callsMax}` };
      }
      for (const [index, call] of body.calls.entries()) {
        const action = find(call.module, call.action);
        if (action === undefined)
          return { code: 'unknown-action', detail: `call ${index}: ${unknown(call.module, call.action)}` };
        const args = tryDecode(action.args, call.args);
        if (!args.ok) {
          return {
            code: 'invalid-args',
            detail: `call ${index}, arguments of ${call.module}.${call.action}: ${args.problem}`,
          };
        }
      }
      return undefined;
    },
    argsFromJson(module, action, json) {
      const found = find(module, action);
      if (found === undefined) return { ok: false, problem: unknown(module, action) };
      const args = tryFromJson(found.args, json);
      return args.ok ? { ok: true, value: encode(found.args, args.value) } : args;
    },
    argsToJson: (call) => toJson(find(call.module, call.action)?.args, call.args, unknown(call.module, call.action)),
    eventToJson: ({ module, name: event, data }) =>
      toJson(findEvent(module, event), data, `unknown event ${shown(module)}.${shown(event)}`),
    valueToJson: (table, value) => toJson(tables.get(table)?.value, value, `unknown table ${shown(table)}`),
  };
}

function candidatesOf(action: Action<EventCodecs, unknown> | undefined, bytes: Uint8Array): readonly Uint8Array[] {
  if (action?.candidates === undefined) return [];
  const args = tryDecode(action.args, bytes);
  return args.ok ? action.candidates(args.value) : [];
}

function toJson(codec: Codec<unknown> | undefined, bytes: Uint8Array, problem: string): Decoded<Json> {
  if (codec === undefined) return { ok: false, problem };
  const value = tryDecode(codec, bytes);
  return value.ok ? { ok: true, value: codec.toJson(value.value) } : value;
}

function unknown(module: string, action: string): string {
  return `unknown action ${shown(module)}.${shown(action)}`;
}

/** Names come from outside: what is no name is quoted. */
function shown(name: string): string {
  return isName(name) ? name : JSON.stringify(name);
}

function tooWide(what: string, codec: Codec<unknown>, max: number): RangeError {
  return new RangeError(`${what} may take ${sizeMaxOf(codec)} bytes, at most ${max}`);
}
