import {
  bytes32,
  bytes64,
  type CodecType,
  decode,
  encode,
  list,
  struct,
  text,
  tryDecode,
  u16,
  u64,
} from '../ledger/codec.ts';
import { ADDRESS_BYTES_MAX, ADDRESSES_MAX } from './limits.ts';
import type { PeerInfo } from './port.ts';

const recordBodyCodec = struct({
  /** Index in the validator set of the epoch. */
  index: u16,
  epoch: u64,
  /** A newer record replaces an older one; ms since 1970 at its making, at the least one more than the last. */
  sequence: u64,
  addresses: list(text(ADDRESS_BYTES_MAX, 1), ADDRESSES_MAX),
});
export type RecordBody = CodecType<typeof recordBodyCodec>;

const recordCodec = struct({ body: recordBodyCodec, signature: bytes64 });

/** First frame on a channel, both ways. */
export const helloCodec = struct({ version: u16, genesisId: bytes32, index: u16 });
export const HELLO_VERSION = 1;

export interface RecordKeys {
  readonly peers: readonly PeerInfo[];
  signRecord(body: Uint8Array): Uint8Array;
  verifyRecord(signature: Uint8Array, body: Uint8Array, publicKey: Uint8Array): boolean;
}

/** The newest signed peer record of each validator: where it can be reached. */
export class Records {
  readonly #keys: RecordKeys;
  readonly #known = new Map<number, { readonly body: RecordBody; readonly bytes: Uint8Array }>();

  constructor(keys: RecordKeys) {
    this.#keys = keys;
  }

  /** Makes and keeps our own next record. */
  make(index: number, addresses: readonly string[]): Uint8Array {
    const before = this.#known.get(index)?.body.sequence ?? 0;
    const body = {
      index,
      epoch: 0,
      sequence: Math.max(Date.now(), before + 1),
      addresses: addresses.slice(0, ADDRESSES_MAX),
    };
    const bytes = encode(recordCodec, { body, signature: this.#keys.signRecord(encode(recordBodyCodec, body)) });
    this.#known.set(index, { body, bytes });
    return bytes;
  }

  /**
   * Takes a record from anybody: signed by the validator it is about. `old` was known or is older; a string says what is
   * wrong with it.
   */
  receive(bytes: Uint8Array): RecordBody | 'old' | { readonly problem: string } {
    const decoded = tryDecode(recordCodec, bytes);
    if (!decoded.ok) return { problem: decoded.problem };
    const { body, signature } = decoded.value;
    const peer = this.#keys.peers[body.index];
    if (peer === undefined || body.epoch !== 0) return { problem: `no member ${body.index} in epoch ${body.epoch}` };
    const known = this.#known.get(body.index);
    if (known !== undefined && known.body.sequence >= body.sequence) return 'old';
    if (!this.#keys.verifyRecord(signature, encode(recordBodyCodec, body), peer.consensusKey)) {
      return { problem: `record of ${peer.name} is not signed by it` };
    }
    const copy = bytes.slice();
    this.#known.set(body.index, { body: decode(recordCodec, copy).body, bytes: copy });
    return body;
  }

  addressesOf(index: number): readonly string[] {
    return this.#known.get(index)?.body.addresses ?? [];
  }

  all(): readonly Uint8Array[] {
    return [...this.#known.values()].map(({ bytes }) => bytes);
  }
}
