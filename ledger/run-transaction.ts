import type { Account, Action, Application, Context, EventCodecs } from './application.ts';
import type { LedgerEvent } from './block.ts';
import { CodecError, decode, encode, Writer } from './codec.ts';
import { encodeBehind } from './encoded.ts';
import { EVENTS_PER_RECEIPT_MAX } from './limits.ts';
import { accounts, administrators, expelled, permissionProblem } from './modules/accounts.ts';
import type { Overlay, Row } from './overlay.ts';
import type { Parameters } from './parameters.ts';
import type { Table, TableKey } from './table.ts';
import type { Transaction } from './transaction.ts';

/** How a transaction ended. Events of a failed one are dropped. */
export type TransactionResult =
  | { readonly status: 'ok'; readonly events: readonly LedgerEvent[] }
  | { readonly status: 'failed'; readonly code: string };

/** Ends a transaction. Not an Error: a stack trace costs more than a transfer. */
class Failure {
  readonly code: string;

  constructor(code: string) {
    this.code = code;
  }
}

/** The block that transactions run in. */
export type BlockOf = Pick<Context, 'height' | 'time' | 'genesisId'>;

/** Runs the transactions of one batch, each in one piece: its changes are in the overlay, or it changed nothing. */
export class TransactionRunner {
  readonly #application: Application;
  readonly #parameters: Parameters;
  readonly #overlay: Overlay;
  readonly #context: RunningContext;
  /** Decoded once per stored value, frozen because handlers share it. */
  readonly #accounts = new Map<Row, { readonly from: Uint8Array; readonly account: Account }>();
  /** By organisation: the row that says that it is expelled. */
  readonly #expelled = new Map<string, Row>();

  constructor(application: Application, parameters: Parameters, overlay: Overlay, block: BlockOf) {
    this.#application = application;
    this.#parameters = parameters;
    this.#overlay = overlay;
    this.#context = new RunningContext(application, parameters, overlay, block);
  }

  /** Throws only what must stop the node: StateError, or exhausted stack or memory (N10). */
  run(transaction: Transaction): TransactionResult {
    try {
      this.#runCalls(transaction);
    } catch (error) {
      this.#overlay.rollback();
      return { status: 'failed', code: this.#failureCode(error) };
    }
    this.#overlay.commit();
    return { status: 'ok', events: this.#context.events };
  }

  #runCalls({ body: { sender, calls } }: Transaction): void {
    const context = this.#context;
    context.begin();
    if (calls.length > this.#parameters.callsMax) throw new Failure('limit');
    for (const { module, action: name, args } of calls) {
      const action = this.#application.action(module, name);
      // Static validity excludes this and malformed arguments; a batch that has them still ends the same way everywhere.
      if (action === undefined) throw new Failure('unknown-action');
      // Asked for each call: one before it, or a transaction before in the same block, may have changed it.
      context.enter(
        module,
        action.roles === 'administrators' ? this.#administrator(sender) : this.#permitted(sender, action.roles),
      );
      const result: unknown = action.run(context, decodeArgs(action, args));
      if (result !== undefined)
        throw new TypeError(`action ${module}.${name} returned a value; actions are synchronous`);
      context.leave();
    }
  }

  #failureCode(error: unknown): string {
    if (this.#overlay.broken !== undefined) throw this.#overlay.broken;
    if (isExhaustion(error)) throw error;
    // What ended the transaction first counts, whatever a handler made of it.
    const first = this.#context.ended ?? error;
    return first instanceof Failure ? first.code : 'internal';
  }

  #permitted(sender: Uint8Array, roles: readonly string[]): Actor {
    const account = this.#account(sender);
    const problem = permissionProblem(account, roles);
    if (problem !== undefined) throw new Failure(problem);
    if (this.#isExpelled(account!.organisation)) throw new Failure('not-permitted');
    return { sender: account!.id, organisation: account!.organisation, account: account! };
  }

  #isExpelled(organisation: string): boolean {
    let row = this.#expelled.get(organisation);
    if (row === undefined) {
      row = this.#overlay.row(expelled, expelled.encodeKey([organisation]));
      this.#expelled.set(organisation, row);
    }
    return row.value !== undefined;
  }

  #administrator(sender: Uint8Array): Actor {
    const found = this.#overlay.value(administrators, this.#overlay.row(administrators, sender));
    if (found === undefined) throw new Failure('not-permitted');
    return { sender, organisation: found.organisation, account: NOBODY };
  }

  #account(sender: Uint8Array): Account | undefined {
    const row = this.#overlay.row(accounts, sender);
    if (row.value === undefined) return undefined;
    const known = this.#accounts.get(row);
    if (known !== undefined && known.from === row.value) return known.account;
    const account = this.#overlay.value(accounts, row)!;
    Object.freeze(account.roles);
    this.#accounts.set(row, { from: row.value, account: Object.freeze(account) });
    return account;
  }
}

/** Who runs an action. */
type Actor = Pick<Context, 'sender' | 'organisation' | 'account'>;

const NO_KEY = new Uint8Array(32);
const NOBODY: Account = { id: NO_KEY, name: '', organisation: '', roles: [], active: false };

/** What a handler sees, and the meter of N10. One for the whole batch: `begin` starts a transaction, `enter` a call. */
class RunningContext implements Context {
  readonly height: number;
  readonly time: number;
  readonly genesisId: Uint8Array;
  sender: Uint8Array = NO_KEY;
  organisation = '';
  account: Account = NOBODY;
  events: LedgerEvent[] = [];
  /** The first Failure raised in this transaction. */
  ended: Failure | undefined;
  readonly #application: Application;
  readonly #parameters: Parameters;
  readonly #overlay: Overlay;
  /** Of all events of the batch: most are short. */
  readonly #eventData = new Writer(new Uint8Array(16_384));
  #module = '';
  #reads = 0;
  #writes = 0;
  #bytes = 0;

  constructor(application: Application, parameters: Parameters, overlay: Overlay, block: BlockOf) {
    this.#application = application;
    this.#parameters = parameters;
    this.#overlay = overlay;
    this.height = block.height;
    this.time = block.time;
    this.genesisId = block.genesisId;
  }

  begin(): void {
    this.events = [];
    this.ended = undefined;
    this.#reads = 0;
    this.#writes = 0;
    this.#bytes = 0;
  }

  enter(module: string, { sender, organisation, account }: Actor): void {
    this.#module = module;
    this.sender = sender;
    this.organisation = organisation;
    this.account = account;
  }

  /** A handler can't survive its own failure by catching it. */
  leave(): void {
    const swallowed = this.#overlay.broken ?? this.ended;
    if (swallowed !== undefined) throw swallowed;
  }

  get<K extends TableKey, V>(table: Table<K, V>, key: K): V | undefined {
    return this.#overlay.value(table, this.#read(table, table.encodeKey(key)));
  }

  has<K extends TableKey, V>(table: Table<K, V>, key: K): boolean {
    return this.#read(table, table.encodeKey(key)).value !== undefined;
  }

  set<K extends TableKey, V>(table: Table<K, V>, key: K, value: V): void {
    this.#write(table, table.encodeKey(key), encode(table.value, value));
  }

  delete<K extends TableKey, V>(table: Table<K, V>, key: K): void {
    this.#write(table, table.encodeKey(key), undefined);
  }

  emit(name: string, data: unknown): void {
    const codec = this.#application.event(this.#module, name);
    if (codec === undefined) throw new RangeError(`module ${this.#module} has no event ${name}`);
    const encoded = encodeBehind(this.#eventData, codec, data);
    this.#count(encoded.length);
    if (this.events.length === EVENTS_PER_RECEIPT_MAX) this.#end('limit');
    this.events.push({ module: this.#module, name, data: encoded });
  }

  fail(code: string): never {
    if (!/^[a-z][a-z0-9-]{0,63}$/.test(code)) throw new RangeError(`${JSON.stringify(code)} is no receipt code`);
    return this.#end(code);
  }

  #read(table: Table<never>, key: Uint8Array): Row {
    this.#reads += 1;
    if (this.#reads > this.#parameters.readsMax) this.#end('limit');
    const row = this.#row(table, key);
    this.#count(key.length + (row.value?.length ?? 0));
    return row;
  }

  #write(table: Table<never>, key: Uint8Array, value: Uint8Array | undefined): void {
    if (table.module !== this.#module && !this.#application.mayWrite(this.#module, table))
      throw new RangeError(`module ${this.#module} can't write ${table.name}`);
    this.#writes += 1;
    if (this.#writes > this.#parameters.writesMax) this.#end('limit');
    this.#count(key.length + (value?.length ?? 0));
    this.#overlay.set(this.#row(table, key), value);
  }

  #row(table: Table<never>, key: Uint8Array): Row {
    if (this.#application.table(table.name) !== table)
      throw new RangeError(`${table.name} is no table of this application`);
    return this.#overlay.row(table, key);
  }

  /** State bytes of a transaction: keys and values read and written, and the data of events. */
  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#parameters.stateBytesMax) this.#end('limit');
  }

  #end(code: string): never {
    this.ended ??= new Failure(code);
    throw this.ended;
  }
}

function decodeArgs(action: Action<EventCodecs, unknown>, args: Uint8Array): unknown {
  try {
    return decode(action.args, args);
  } catch (error) {
    if (error instanceof CodecError) throw new Failure('invalid-args');
    throw error;
  }
}

/** Stack and memory end at different points on different machines, so they must not decide a receipt. */
function isExhaustion(error: unknown): boolean {
  return error instanceof RangeError && /call stack|allocation failed|out of memory/i.test(error.message);
}
