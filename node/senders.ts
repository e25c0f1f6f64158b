import type { Application } from '../ledger/application.ts';
import { equalBytes, utf8Decode, utf8Encode } from '../ledger/bytes.ts';
import { limitsOf, type RoleLimits } from '../ledger/modules/account-limits.ts';
import type { TransactionBody } from '../ledger/transaction.ts';
import { idKey } from './id-key.ts';
import { NO_ROW_LIMITS } from './limits.ts';
import type { PackedSenders } from './ports.ts';

/** What a key may send now, as bits: actions of accounts, actions of administrators. 0: nothing. */
export const SENDS = { account: 1, administrator: 2 } as const;

/** Above the bits of SENDS: the id of the account follows, since it is another key. */
const HAS_ID = 0x80;

export interface SenderEntry {
  /** Public key, 32 bytes. */
  readonly key: Uint8Array;
  readonly sends: number;
  /** Id of the account, 32 bytes, and what it has; the key itself and nothing for who is none. */
  readonly account: Uint8Array;
  readonly roles: readonly string[];
}

/** What limits the transactions of one account at this node. */
export interface SenderLimits {
  readonly pending: number;
  /** Undefined: as fast as it can. */
  readonly rate: Pick<RoleLimits, 'perSecond' | 'burst'> | undefined;
}

/** Who sends, for limits: an account, whichever key it has now, or an administrator. */
export interface Sender {
  /** `idKey` of its id. */
  readonly account: string;
  readonly limits: SenderLimits;
}

/** Key, what it sends, the id if it is another key, then how many roles, each behind its length: numbers of one byte. */
export function packEntries(entries: readonly SenderEntry[]): Uint8Array {
  const rows = entries.map((entry) => ({ entry, roles: entry.roles.map(utf8Encode) }));
  const size = rows.reduce((sum, { entry, roles }) => {
    return sum + 34 + (isOther(entry) ? 32 : 0) + roles.reduce((bytes, role) => bytes + 1 + role.length, 0);
  }, 0);
  const packed = new Uint8Array(size);
  let at = 0;
  const put = (bytes: Uint8Array): void => {
    packed.set(bytes, at);
    at += bytes.length;
  };
  for (const { entry, roles } of rows) {
    put(entry.key);
    packed[at++] = entry.sends | (isOther(entry) ? HAS_ID : 0);
    if (isOther(entry)) put(entry.account);
    packed[at++] = roles.length;
    for (const role of roles) {
      packed[at++] = role.length;
      put(role);
    }
  }
  return packed;
}

/** What `packEntries` packed; keys and ids alias it. */
export function* unpackEntries(packed: Uint8Array): Generator<SenderEntry> {
  let at = 0;
  const take = (length: number): Uint8Array => {
    at += length;
    return packed.subarray(at - length, at);
  };
  while (at < packed.length) {
    const key = take(32);
    const bits = packed[at++]!;
    const account = (bits & HAS_ID) === 0 ? key : take(32);
    const roles = Array.from({ length: packed[at++]! }, () => utf8Decode(take(packed[at++]!))!);
    yield { key, sends: bits & ~HAS_ID, account, roles };
  }
}

function isOther({ key, account }: SenderEntry): boolean {
  return !equalBytes(key, account);
}

/** Senders that have the same: there are few of these, and many senders. */
interface Group {
  readonly name: string;
  readonly sends: number;
  readonly roles: readonly string[];
  limits: SenderLimits;
  senders: number;
}

/**
 * Who may send, and how much, by the newest state that was executed here. It only spares everybody what can't take effect or
 * is too much (T9): whether a sender may, the state says at execution (N10).
 */
export class Senders {
  readonly #groups = new Map<string, Group>();
  readonly #senders = new Map<string, Group>();
  /** Ids of accounts that have another key now, by that key. */
  readonly #ids = new Map<string, string>();
  readonly #rows = new Map<string, RoleLimits>();

  /** All of them, as the ledger opened with. */
  constructor(packed: PackedSenders) {
    this.apply(packed);
  }

  /** What a block changed. */
  apply({ entries, limits }: PackedSenders): void {
    for (const { role, limits: row } of limits) {
      if (row === undefined) this.#rows.delete(role);
      else this.#rows.set(role, row);
    }
    if (limits.length > 0) for (const group of this.#groups.values()) group.limits = this.#limitsOf(group);
    for (const entry of unpackEntries(entries)) this.#set(entry);
  }

  /** All of them, of another state than the one before. */
  replace(packed: PackedSenders): void {
    for (const map of [this.#groups, this.#senders, this.#ids, this.#rows]) map.clear();
    this.apply(packed);
  }

  /** Whose transactions a key sends, and how many it may; undefined: none. */
  of(key: Uint8Array): Sender | undefined {
    const name = idKey(key);
    const group = this.#senders.get(name);
    return group && { account: this.#ids.get(name) ?? name, limits: group.limits };
  }

  /** Why this can't take effect now, or undefined. Its actions are known. */
  problem({ sender, calls }: TransactionBody, application: Application): string | undefined {
    const sends = this.#senders.get(idKey(sender))?.sends ?? 0;
    if (sends === 0) return 'the sender is neither an active account nor an administrator';
    for (const { module, action } of calls) {
      const forAdministrators = application.action(module, action)?.roles === 'administrators';
      if ((sends & (forAdministrators ? SENDS.administrator : SENDS.account)) !== 0) continue;
      return forAdministrators
        ? `${module}.${action} is for administrators of an organisation`
        : `the sender is an administrator without an active account, ${module}.${action} is for accounts`;
    }
    return undefined;
  }

  #set(entry: SenderEntry): void {
    const key = idKey(entry.key);
    const before = this.#senders.get(key);
    if (before !== undefined && --before.senders === 0) this.#groups.delete(before.name);
    this.#senders.delete(key);
    this.#ids.delete(key);
    if (entry.sends === 0) return;
    const group = this.#groupOf(entry);
    group.senders++;
    this.#senders.set(key, group);
    if (isOther(entry)) this.#ids.set(key, idKey(entry.account));
  }

  #groupOf({ sends, roles }: SenderEntry): Group {
    // Names have no control characters.
    const name = [sends, ...roles].join('\n');
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { name, sends, roles, limits: this.#limitsOf({ sends, roles }), senders: 0 };
      this.#groups.set(name, group);
    }
    return group;
  }

  /** Administrators without an account are in no row: those who decide about limits can always do so. */
  #limitsOf({ sends, roles }: Pick<Group, 'sends' | 'roles'>): SenderLimits {
    const row = (sends & SENDS.account) === 0 ? undefined : limitsOf(roles, (role) => this.#rows.get(role));
    if (row === undefined) return NO_ROW_LIMITS;
    const { pending, perSecond, burst } = row;
    return { pending, rate: { perSecond, burst } };
  }
}
