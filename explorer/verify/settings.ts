import { fromHex } from '../../ledger/bytes.ts';

/** What an auditor may ask for besides the proof itself. `problem` says why nothing can be judged by it. */
export type Setting<T> =
  | { readonly kind: 'none' }
  | { readonly kind: 'given'; readonly value: T }
  | { readonly kind: 'problem'; readonly problem: string };

const DAY_MS = 86_400_000;
const UNIT_MS: Readonly<Record<string, number>> = { minutes: 60_000, hours: 3_600_000, days: DAY_MS };
const MAX_AGE_DAYS = 36_500;

/** The greatest age of a certificate in ms, from a number and the name of its unit. */
export function readMaxAge(number: string, unit: string): Setting<number> {
  const digits = number.trim();
  if (digits === '') return { kind: 'none' };
  const value = /^[0-9]{1,9}$/.test(digits) ? Number(digits) * (UNIT_MS[unit] ?? Number.NaN) : Number.NaN;
  if (value > 0 && value <= MAX_AGE_DAYS * DAY_MS) return { kind: 'given', value };
  return { kind: 'problem', problem: `expected a whole number above 0, up to ${MAX_AGE_DAYS} days` };
}

/** A transaction id as it is found in mails and tables: with or without 0x, in either case, with blanks around. */
export function readExpectedId(text: string): Setting<Uint8Array> {
  const digits = text.trim().toLowerCase().replace(/^0x/, '');
  if (digits === '') return { kind: 'none' };
  const value = fromHex(`0x${digits}`);
  if (value?.length === 32) return { kind: 'given', value };
  return { kind: 'problem', problem: `expected 0x and 64 hex digits, got ${digits.length} characters` };
}
