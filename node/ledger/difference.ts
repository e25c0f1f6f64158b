import { type Header, blockHash as hashOf } from '../../ledger/block.ts';
import { equalBytes, toHex } from '../../ledger/bytes.ts';
import type { Checkpoint } from '../../ledger/checkpoint.ts';
import { decode } from '../../ledger/codec.ts';
import { perfectSubtrees } from '../../ledger/history.ts';
import type { Head } from '../ports.ts';
import { heightKey, historyKey, type Store } from '../store/store.ts';
import { blockIdsCodec } from '../wire.ts';
import { LedgerError } from './error.ts';
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
  for (const field of ['timestamp', 'nextEpoch'] as const) {
    if (made[field] !== expected[field]) return `${field} ${made[field]} here, certified ${expected[field]}`;
  }
  return undefined;
}

/** Promise 6: whether the certified chain goes on from ours, as far as peaks and carried blocks show. */
export function chainDifference({ certificate, peaks }: Staging, own: Head, store: Store): string | undefined {
  for (const [i, { level, index }] of perfectSubtrees(certificate.checkpoint.height + 1).entries()) {
    if ((index + 1) * 2 ** level > own.height + 1) break;
    const known = store.get('history', historyKey(level, index));
    if (known !== undefined && !equalBytes(known, peaks[i]!))
      return `history ${level}/${index} is ${toHex(known)} here, certified ${toHex(peaks[i]!)}`;
  }
  const carried = store.get('blockIds', heightKey(own.height));
  const hash = carried && hashOf(decode(blockIdsCodec, carried).header);
  if (hash === undefined || equalBytes(hash, own.blockHash)) return undefined;
  return `block ${own.height} is ${toHex(own.blockHash)} here, certified ${toHex(hash)}`;
}

/** Throws LedgerError if a block came out otherwise than a checkpoint says. */
export function isHead(expected: Head): (head: Head) => void {
  return (head) => {
    const difference = headDifference(head, expected);
    if (difference !== undefined) throw new LedgerError('DIVERGED', `block ${head.height}: ${difference}`);
  };
}

/** What a checkpoint says of its block. */
export function headOf(checkpoint: Checkpoint): Head {
  const { height, blockHash, stateRoot, historyRoot, timestamp, nextEpoch, nextValidatorsHash } = checkpoint;
  return { height, blockHash, stateRoot, historyRoot, timestamp, nextEpoch, nextValidatorsHash };
}
