import type { StateChange, StateReader } from '../ledger/execution.ts';

/** State rows in a Map. */
export function memoryState(): StateReader & { apply(changes: readonly StateChange[]): void } {
  const rows = new Map<string, Uint8Array>();
  const name = (table: string, key: Uint8Array): string => `${table}/${Buffer.from(key).toString('latin1')}`;
  return {
    get: (table, key) => rows.get(name(table, key)),
    apply(changes) {
      for (const { table, key, value } of changes) {
        if (value === null) rows.delete(name(table, key));
        else rows.set(name(table, key), value);
      }
    },
  };
}
