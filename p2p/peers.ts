import type { PeerId } from '@libp2p/interface';
import { compareBytes, equalBytes, toHex } from '../ledger/bytes.ts';
import { Bucket, GuestAllowance } from './allowance.ts';
import type { Channel } from './channel.ts';
import type { Dialer } from './dialer.ts';
import { GOSSIP_UNITS_BURST, GOSSIP_UNITS_PER_SECOND, GUESTS_MAX, MEMBERS_MAX } from './limits.ts';
import { peerIdOf } from './peer-id.ts';
import type { GuestInfo, PeerInfo, PeerSet } from './port.ts';

/** Somebody who is admitted. The same object for as long as its key is, whatever else changes about it. */
export interface Peer {
  readonly key: Uint8Array;
  readonly id: PeerId;
  /** Whether we open the channel: it takes one who does, and both ends must agree on who, in whatever epoch each is. */
  readonly weOpen: boolean;
  name: string;
  /** Place in the set; undefined for a guest. */
  index: number | undefined;
  /** Hints. */
  addresses: readonly string[];
  /** What it may still have gossipsub work on, as a member. */
  readonly gossip: Bucket;
  /** Of a guest. */
  guest: GuestAllowance | undefined;
  /** Of a member. */
  dialer: Dialer | undefined;
  channel: Channel | undefined;
  opening: boolean;
  /** Why there is no channel. */
  reason: string | undefined;
  /** Of channels that ended. */
  bytesSent: number;
  bytesReceived: number;
}

interface Entry extends PeerInfo {
  readonly id: PeerId;
  readonly index: number | undefined;
}

/** What a new set changes about those who were admitted before. */
export interface PeerChange {
  readonly removed: readonly Peer[];
  /** Guests that have become members, and the other way round. */
  readonly promoted: readonly Peer[];
  readonly demoted: readonly Peer[];
}

/** Who is admitted now, by key and by index. */
export class Peers {
  readonly #ownKey: Uint8Array;
  readonly #overdrawn: (peer: Peer, reason: string) => void;
  #byId: ReadonlyMap<string, Peer> = new Map();
  #byKey: ReadonlyMap<string, Peer> = new Map();
  #members: readonly Peer[] = [];
  #guests: readonly Peer[] = [];
  #epoch = 0;
  #self: number | undefined;

  /** `overdrawn` is called when a guest has sent too much. */
  constructor(ownKey: Uint8Array, overdrawn: (peer: Peer, reason: string) => void) {
    this.#ownKey = ownKey;
    this.#overdrawn = overdrawn;
  }

  /** Takes over a set; throws RangeError, and changes nothing, if it is none. */
  replace(set: PeerSet): PeerChange {
    const entries = entriesOf(set, this.#ownKey);
    const before = this.#byId;
    const peers = new Map<string, Peer>();
    const promoted: Peer[] = [];
    const demoted: Peer[] = [];
    for (const entry of entries) {
      const id = entry.id.toString();
      const known = before.get(id);
      const peer = known ?? this.#create(entry);
      if (known !== undefined && (known.index === undefined) !== (entry.index === undefined)) {
        (entry.index === undefined ? demoted : promoted).push(peer);
      }
      peer.name = entry.name;
      peer.index = entry.index;
      peer.addresses = entry.addresses;
      peer.guest = entry.index === undefined ? (peer.guest ?? this.#allow(peer)) : undefined;
      peers.set(id, peer);
    }
    this.#byId = peers;
    this.#byKey = new Map([...peers.values()].map((peer) => [toHex(peer.key), peer]));
    this.#members = [...peers.values()].filter(({ index }) => index !== undefined);
    this.#guests = [...peers.values()].filter(({ index }) => index === undefined);
    this.#epoch = set.epoch;
    this.#self = set.self;
    return { removed: [...before.values()].filter((peer) => !this.has(peer)), promoted, demoted };
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Own index. */
  get self(): number | undefined {
    return this.#self;
  }

  /** The other members in the order of their indexes. */
  get members(): readonly Peer[] {
    return this.#members;
  }

  get guests(): readonly Peer[] {
    return this.#guests;
  }

  get all(): Iterable<Peer> {
    return this.#byId.values();
  }

  member(index: number): Peer | undefined {
    if (index === this.#self) return undefined;
    return this.#members[this.#self !== undefined && index > this.#self ? index - 1 : index];
  }

  withKey(key: Uint8Array): Peer | undefined {
    return this.#byKey.get(toHex(key));
  }

  of(id: PeerId): Peer | undefined {
    return this.#byId.get(id.toString());
  }

  /** False for one that was removed, also if its key has been admitted again since. */
  has(peer: Peer): boolean {
    return this.#byId.get(peer.id.toString()) === peer;
  }

  #create({ peerKey, id, name, index, addresses }: Entry): Peer {
    return {
      key: peerKey,
      id,
      weOpen: compareBytes(this.#ownKey, peerKey) < 0,
      name,
      index,
      addresses,
      gossip: new Bucket(GOSSIP_UNITS_PER_SECOND, GOSSIP_UNITS_BURST, now),
      guest: undefined,
      dialer: undefined,
      channel: undefined,
      opening: false,
      reason: undefined,
      bytesSent: 0,
      bytesReceived: 0,
    };
  }

  #allow(peer: Peer): GuestAllowance {
    const awaited = (): number => peer.channel?.awaited ?? 0;
    return new GuestAllowance(awaited, (reason) => this.#overdrawn(peer, reason), now);
  }
}

const now = (): number => performance.now();

/** All of a set but ourselves; throws RangeError if it is not a set that we can be in. */
function entriesOf({ self, peers, guests }: PeerSet, ownKey: Uint8Array): readonly Entry[] {
  if (peers.length > MEMBERS_MAX) throw new RangeError(`${peers.length} members, at most ${MEMBERS_MAX}`);
  if (guests.length > GUESTS_MAX) throw new RangeError(`${guests.length} guests, at most ${GUESTS_MAX}`);
  if (self !== undefined && !(self in peers)) throw new RangeError(`no member ${self} among ${peers.length}`);
  const nameOfKey = new Map<string, string>();
  const entries: Entry[] = [];
  const add = ({ name, peerKey }: GuestInfo, index: number | undefined, addresses: readonly string[]): void => {
    const key = toHex(peerKey);
    const other = nameOfKey.get(key);
    if (other !== undefined) throw new RangeError(`${name} and ${other} have the same peer key ${key}`);
    nameOfKey.set(key, name);
    const isOwn = equalBytes(peerKey, ownKey);
    if (index !== undefined && isOwn !== (index === self)) {
      throw new RangeError(`${name} has peer key ${key}, ours is ${toHex(ownKey)}, and we are member ${self}`);
    }
    if (peerKey.length !== 32)
      throw new RangeError(`peer key ${key} of ${name} has ${peerKey.length} bytes, expected 32`);
    if (!isOwn) entries.push({ name, peerKey, id: peerIdOf(peerKey), index, addresses });
  };
  peers.forEach((peer, index) => {
    add(peer, index, peer.addresses);
  });
  for (const guest of guests) add(guest, undefined, []);
  return entries;
}
