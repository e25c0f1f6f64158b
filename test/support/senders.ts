import type { RoleLimits } from '../../ledger/modules/account-limits.ts';
import type { PackedSenders } from '../../node/ports.ts';
import { packEntries, type SenderEntry } from '../../node/senders.ts';

/** Senders with their rows of limits; an account is its key and has no role unless said. */
export function packed(
  entries: readonly (Pick<SenderEntry, 'key' | 'sends'> & Partial<SenderEntry>)[],
  limits: Readonly<Record<string, RoleLimits | undefined>> = {},
): PackedSenders {
  return {
    entries: packEntries(entries.map((one) => ({ account: one.key, roles: [], ...one }))),
    limits: Object.entries(limits).map(([role, row]) => ({ role, limits: row })),
  };
}
