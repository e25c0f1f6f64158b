import type { LedgerPort } from '../ports.ts';

/** What the replica thread starts the ledger thread with. */
export interface LedgerThreadData {
  readonly directory: string;
  readonly genesisText: string;
  readonly peerKey: Uint8Array;
  readonly archive: boolean;
}

export type LedgerMethod = keyof LedgerPort;

export interface LedgerCall {
  readonly id: number;
  readonly method: LedgerMethod;
  readonly args: readonly unknown[];
}

export type LedgerReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } };
