import type { Genesis } from '../../genesis/genesis.ts';
import type { Application } from '../../ledger/application.ts';
import { equalBytes, toHex } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import { heightKey, type RowsKind, type Store } from '../store/store.ts';
import { type BlockIds, blockIdsCodec } from '../wire.ts';
import { LedgerError } from './error.ts';
import { type Base, metaCodec, STORE_FORMAT } from './records.ts';
import type { SnapshotOptions } from './served-snapshot.ts';

export interface LedgerOptions {
  readonly directory: string;
  readonly genesis: Genesis;
  readonly application: Application;
  /** Public key of the node whose directory it is. */
  readonly peerKey: Uint8Array;
  /** Instead of LevelDB under `directory`. */
  readonly openStore?: () => Promise<Store>;
  /** Whether rows of the state stay provable at every height from now on. */
  readonly archive?: boolean;
  /** Of the snapshots that this node gives. */
  readonly snapshots?: SnapshotOptions;
}

/** The key of a record that there is one of. */
export const NO_KEY: Uint8Array = new Uint8Array(0);

/** D12: the directory of another chain or node is refused. True if it is new. */
export function isNewStore(store: Store, { genesis, peerKey, directory }: LedgerOptions): boolean {
  const record = store.get('meta', NO_KEY);
  if (record === undefined) return true;
  const meta = decode(metaCodec, record);
  if (meta.format !== STORE_FORMAT)
    throw new LedgerError('OTHER_FORMAT', `database ${directory} has format ${meta.format}, expected ${STORE_FORMAT}`);
  if (!equalBytes(meta.genesisId, genesis.id)) {
    throw new LedgerError(
      'OTHER_CHAIN',
      `database ${directory} is of chain ${toHex(meta.genesisId)}, the genesis file is ${toHex(genesis.id)}`,
    );
  }
  if (!equalBytes(meta.peerKey, peerKey)) {
    throw new LedgerError(
      'OTHER_VALIDATOR',
      `database ${directory} is of the node with peer key ${toHex(meta.peerKey)}, this one has ${toHex(peerKey)}`,
    );
  }
  return false;
}

/** Ids that an installed snapshot brought, as far as the horizon reaches, oldest first. */
export async function carriedIds(store: Store, base: Base, oldest: number): Promise<readonly BlockIds[]> {
  if (base.height === 0) return [];
  const carried: BlockIds[] = [];
  // E8: since the horizon was raised it may reach below what was brought; what executed there can't execute again.
  const since = Math.max(oldest, base.idsSince);
  let next = base.height;
  for await (const { value } of store.range('blockIds', { to: heightKey(next + 1), reverse: true })) {
    const block = decode(blockIdsCodec, value);
    if (block.header.height !== next) break;
    if (block.header.timestamp < since) {
      next = -1;
      break;
    }
    carried.push({ header: block.header, ids: block.ids.map((id) => id.slice()) });
    next--;
  }
  if (next >= 0) throw new LedgerError('STATE_DAMAGED', `the ids of block ${next} lack`);
  return carried.reverse();
}

/**
 * C4: whether the ids of all blocks with a time from `earliest` on are at hand: those above a snapshot's base are indexed
 * for ever, those it brought are kept in memory while they are not older than `inMemorySince`.
 */
export function sawAllSince(earliest: number, store: Store, base: Base, inMemorySince: number): boolean {
  if (base.height === 0 || earliest >= Math.max(base.idsSince, inMemorySince)) return true;
  const record = store.get('blockIds', heightKey(base.height));
  return record !== undefined && earliest > decode(blockIdsCodec, record).header.timestamp;
}

/** The kind of rows that is not in use. */
export function otherKind(kind: RowsKind): RowsKind {
  return kind === 'state' ? 'otherState' : 'state';
}
