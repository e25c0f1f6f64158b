import { toHex } from '../ledger/bytes.ts';
import { bytes32, bytes64, encode, list, struct, text, tryDecode, u64 } from '../ledger/codec.ts';
import { ADDRESS_BYTES_MAX, ADDRESSES_MAX } from './limits.ts';

const recordBodyCodec = struct({
  /** Whom it is about, and who signs it. First, so that it can be looked at before anything is decoded. */
  peerKey: bytes32,
  /** A newer record replaces an older one; ms since 1970 at its making, at the least one more than the last. */
  sequence: u64,
  addresses: list(text(ADDRESS_BYTES_MAX, 1), ADDRESSES_MAX),
});
const PEER_KEY_BYTES = 32;
const RECORD_BYTES_MAX = PEER_KEY_BYTES + 8 + 1 + ADDRESSES_MAX * (2 + ADDRESS_BYTES_MAX) + 64;

export const peerRecordCodec = struct({ body: recordBodyCodec, signature: bytes64 });

export interface RecordKeys {
  readonly ownKey: Uint8Array;
  /** Whether this key is our own, or of a member or guest. */
  admits(peerKey: Uint8Array): boolean;
  signRecord(body: Uint8Array): Uint8Array;
  verifyRecord(signature: Uint8Array, body: Uint8Array, peerKey: Uint8Array): boolean;
}

/** `new` is kept; `old` was known or is older; `stranger` is about a key that is not admitted, and was not looked into. */
export type Received =
  | { readonly kind: 'new'; readonly peerKey: Uint8Array }
  | { readonly kind: 'old' }
  | { readonly kind: 'stranger' }
  | { readonly kind: 'bad'; readonly problem: string };

interface Known {
  readonly peerKey: Uint8Array;
  readonly sequence: number;
  readonly addresses: readonly string[];
  readonly bytes: Uint8Array;
}

/**
 * The newest signed record of each peer: where it can be reached. The peer key itself signs: it is the key that the host
 * at the address must show to Noise, so nobody else's word about it counts, every node has one, and a record stays right
 * whatever set the key is in, and whatever consensus key its holder votes with.
 */
export class Records {
  readonly #keys: RecordKeys;
  readonly #known = new Map<string, Known>();

  constructor(keys: RecordKeys) {
    this.#keys = keys;
  }

  /** Makes and keeps our own next record. */
  make(addresses: readonly string[]): Uint8Array {
    const { ownKey, signRecord } = this.#keys;
    const before = this.#known.get(toHex(ownKey))?.sequence ?? 0;
    const body = {
      peerKey: ownKey,
      sequence: Math.max(Date.now(), before + 1),
      addresses: addresses.slice(0, ADDRESSES_MAX),
    };
    const bytes = encode(peerRecordCodec, { body, signature: signRecord(encode(recordBodyCodec, body)) });
    this.#known.set(toHex(ownKey), { ...body, bytes });
    return bytes;
  }

  /** Takes a record from anybody: it is signed by whom it is about. */
  receive(bytes: Uint8Array): Received {
    if (bytes.length >= PEER_KEY_BYTES && !this.#keys.admits(bytes.subarray(0, PEER_KEY_BYTES))) {
      return { kind: 'stranger' };
    }
    if (bytes.length > RECORD_BYTES_MAX) {
      return { kind: 'bad', problem: `record of ${bytes.length} bytes, at most ${RECORD_BYTES_MAX}` };
    }
    // What is kept must not keep a whole buffer of the network alive.
    const copy = bytes.slice();
    const decoded = tryDecode(peerRecordCodec, copy);
    if (!decoded.ok) return { kind: 'bad', problem: decoded.problem };
    const { body, signature } = decoded.value;
    const key = toHex(body.peerKey);
    const known = this.#known.get(key);
    if (known !== undefined && known.sequence >= body.sequence) return { kind: 'old' };
    if (!this.#keys.verifyRecord(signature, encode(recordBodyCodec, body), body.peerKey)) {
      return { kind: 'bad', problem: `record of peer key ${key} is not signed by it` };
    }
    this.#known.set(key, { ...body, bytes: copy });
    return { kind: 'new', peerKey: body.peerKey };
  }

  /** Drops the records of keys that are not admitted any more. */
  retain(): void {
    for (const [key, { peerKey }] of this.#known) if (!this.#keys.admits(peerKey)) this.#known.delete(key);
  }

  get count(): number {
    return this.#known.size;
  }

  addressesOf(peerKey: Uint8Array): readonly string[] {
    return this.#known.get(toHex(peerKey))?.addresses ?? [];
  }

  all(): readonly Uint8Array[] {
    return [...this.#known.values()].map(({ bytes }) => bytes);
  }
}
