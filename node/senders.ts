import type { Application } from '../ledger/application.ts';
import type { TransactionBody } from '../ledger/transaction.ts';
import { idKey } from './id-key.ts';
import type { PackedSenders } from './ports.ts';

/** What a key may send now, as bits: actions of accounts, actions of administrators. 0: nothing. */
export const SENDS = { account: 1, administrator: 2 } as const;

const ENTRY_BYTES = 33;

export interface SenderEntry {
  /** Public key, 32 bytes. */
  readonly key: Uint8Array;
  readonly sends: number;
}

export function packSenders(entries: readonly SenderEntry[]): PackedSenders {
  const packed = new Uint8Array(ENTRY_BYTES * entries.length);
  for (const [i, { key, sends }] of entries.entries()) {
    packed.set(key, ENTRY_BYTES * i);
    packed[ENTRY_BYTES * i + 32] = sends;
  }
  return packed;
}

/**
 * Who may send, by the newest state that was executed here. It only spares everybody what can't take effect (T9): whether
 * a sender may, the state says at execution (N10).
 */
export class Senders {
  readonly #sends = new Map<string, number>();

  /** All of them, as the ledger opened with. */
  constructor(packed: PackedSenders) {
    this.apply(packed);
  }

  /** What a block changed. */
  apply(packed: PackedSenders): void {
    for (let at = 0; at < packed.length; at += ENTRY_BYTES) {
      const key = idKey(packed.subarray(at, at + 32));
      const sends = packed[at + 32]!;
      if (sends === 0) this.#sends.delete(key);
      else this.#sends.set(key, sends);
    }
  }

  /** All of them, of another state than the one before. */
  replace(packed: PackedSenders): void {
    this.#sends.clear();
    this.apply(packed);
  }

  /** Why this can't take effect now, or undefined. Its actions are known. */
  problem({ sender, calls }: TransactionBody, application: Application): string | undefined {
    const sends = this.#sends.get(idKey(sender)) ?? 0;
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
}
