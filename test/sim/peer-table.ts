import { equalBytes, toHex } from '../../ledger/bytes.ts';
import { GUESTS_MAX, MEMBERS_MAX } from '../../p2p/limits.ts';
import type { PeerSet } from '../../p2p/port.ts';

/** Whom one process admits, by peer key in hex: the rules of `PeerNetwork.update`, written out a second time. */
export class PeerTable {
  readonly set: PeerSet;
  /** Of the others. */
  readonly #indexes = new Map<string, number>();
  readonly #keys = new Map<number, string>();
  readonly #guests = new Set<string>();

  /** Throws RangeError if it is no set that the holder of `ownKey` can be in. */
  constructor(set: PeerSet, ownKey: Uint8Array) {
    const { self, peers, guests } = set;
    if (peers.length > MEMBERS_MAX) throw new RangeError(`${peers.length} members, at most ${MEMBERS_MAX}`);
    if (guests.length > GUESTS_MAX) throw new RangeError(`${guests.length} guests, at most ${GUESTS_MAX}`);
    const own = peers.findIndex(({ peerKey }) => equalBytes(peerKey, ownKey));
    if (own !== (self ?? -1)) throw new RangeError(`own key is that of member ${own}, not of ${self}`);
    const keys = new Set([...peers, ...guests].map(({ peerKey }) => toHex(peerKey)));
    if (keys.size < peers.length + guests.length) throw new RangeError('a peer key is there twice');
    this.set = set;
    for (const [index, { peerKey }] of peers.entries()) {
      if (index === self) continue;
      this.#indexes.set(toHex(peerKey), index);
      this.#keys.set(index, toHex(peerKey));
    }
    for (const { peerKey } of guests) if (!equalBytes(peerKey, ownKey)) this.#guests.add(toHex(peerKey));
  }

  /** Of another member. */
  indexOf(key: string): number | undefined {
    return this.#indexes.get(key);
  }

  keyOf(index: number): string | undefined {
    return this.#keys.get(index);
  }

  isGuest(key: string): boolean {
    return this.#guests.has(key);
  }

  admits(key: string): boolean {
    return this.#indexes.has(key) || this.#guests.has(key);
  }
}
