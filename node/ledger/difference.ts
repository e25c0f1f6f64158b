import type { Header } from '../../ledger/block.ts';
import { equalBytes, toHex } from '../../ledger/bytes.ts';
import { perfectSubtrees } from '../../ledger/history.ts';
import type { Head } from '../ports.ts';
import type { Staging } from './staging.ts';

/** What differs between the header that execution made and a certified one, if anything does. */
export function headerDifference(made: Header, header: Header): string | undefined {
  for (const field of ['transactionsRoot', 'receiptsRoot'] as const) {
    if (!equalBytes(made[field], header[field]))
      return `${field} ${toHex(made[field])} here, certified ${toHex(header[field])}`;
  }
  for (const field of ['timestamp', 'count'] as const) {
    if (made[field] !== header[field]) return `${field} ${made[field]} here, certified ${header[field]}`;
  }
  return undefined;
}

/** The same of the roots. */
export function headDifference(made: Head, expected: Head): string | undefined {
  for (const field of ['blockHash', 'stateRoot', 'historyRoot'] as const) {
    if (!equalBytes(made[field], expected[field]))
      return `${field} ${toHex(made[field])} here, certified ${toHex(expected[field])}`;
  }
  return made.timestamp === expected.timestamp
    ? undefined
    : `timestamp ${made.timestamp} here, certified ${expected.timestamp}`;
}

/** Promise 6: whether the certified history goes on from ours, as far as its peaks show. `node` is of our own history. */
export function historyDifference(
  { certificate, peaks }: Staging,
  own: Head,
  node: (level: number, index: number) => Uint8Array | undefined,
): string | undefined {
  for (const [i, { level, index }] of perfectSubtrees(certificate.checkpoint.height + 1).entries()) {
    if ((index + 1) * 2 ** level > own.height + 1) return undefined;
    const known = node(level, index);
    if (known !== undefined && !equalBytes(known, peaks[i]!))
      return `history ${level}/${index} is ${toHex(known)} here, certified ${toHex(peaks[i]!)}`;
  }
  return undefined;
}
