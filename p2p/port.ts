/** Structured log in pino's manner: fields first. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A validator as the network knows it. */
export interface PeerInfo {
  readonly name: string;
  /** Ed25519 public key of the libp2p identity, 32 bytes. */
  readonly peerKey: Uint8Array;
  /** Multiaddrs from genesis, hints. */
  readonly addresses: readonly string[];
}

/** Somebody who is admitted without being a member: a candidate, an observer, a removed validator that still serves. */
export interface GuestInfo {
  readonly name: string;
  readonly peerKey: Uint8Array;
}

/** Whom a node talks to. */
export interface PeerSet {
  /** Of the validator set; for the log only, nothing on the wire depends on it. */
  readonly epoch: number;
  /** Own index in `peers`; undefined for a node that is none of them. */
  readonly self: number | undefined;
  /** The members in the order of the validator set, at most `MEMBERS_MAX`. They are dialed. */
  readonly peers: readonly PeerInfo[];
  /** At most `GUESTS_MAX`; our own key may be among them. They dial, and are answered within a lower budget. */
  readonly guests: readonly GuestInfo[];
}

/** ChaCha20-Poly1305 (RFC 8439): nonces of 12 bytes, keys of 32, tags of 16 behind what is sealed. */
export interface Cipher {
  /** Whose it is; for the log. */
  readonly name: string;
  encrypt(plain: Uint8Array, nonce: Uint8Array, data: Uint8Array, key: Uint8Array): Uint8Array;
  /** Throws if it was not sealed so. `output` is written where it has the right length; it may be the memory of `sealed`. */
  decrypt(sealed: Uint8Array, nonce: Uint8Array, data: Uint8Array, key: Uint8Array, output?: Uint8Array): Uint8Array;
}

export interface NetworkOptions {
  readonly genesisId: Uint8Array;
  /** At the start; `PeerNetwork.update` replaces it. */
  readonly set: PeerSet;
  /** 32-byte Ed25519 seed of the libp2p identity. */
  readonly peerSecret: Uint8Array;
  /** Multiaddrs; port 0 takes a free one. */
  readonly listen: readonly string[];
  /** Multiaddrs with /p2p/<id>; one reachable one is enough to find everybody. */
  readonly bootstrap: readonly string[];
  /** Multiaddrs told to others instead of the listening ones. */
  readonly announce: readonly string[];
  /** Signs the encoded body of a peer record with the peer key; adds the sign bytes' prefix. */
  signRecord(body: Uint8Array): Uint8Array;
  verifyRecord(signature: Uint8Array, body: Uint8Array, peerKey: Uint8Array): boolean;
  /** Of connections, instead of the one that libp2p has. */
  readonly cipher?: Cipher | undefined;
  readonly log: Log;
}

export interface PeerStatus {
  readonly index: number;
  readonly name: string;
  readonly connected: boolean;
  readonly addresses: readonly string[];
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Why there is no channel, as far as known. */
  readonly reason?: string;
}

/** A guest has no index: it is named by its key. */
export interface GuestStatus extends Omit<PeerStatus, 'index'> {
  readonly peerKey: Uint8Array;
}

/** What a network holds at the moment; none of it grows with the number of updates. */
export interface NetworkCounts {
  readonly connections: number;
  readonly channels: number;
  readonly dialers: number;
  readonly records: number;
  /** Peers that libp2p keeps something about, those that gossipsub talks to, and those that listen to us there. */
  readonly stored: number;
  readonly gossiping: number;
  readonly listening: number;
  readonly topics: number;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Channels to the other validators, by index. Nothing here is trusted: what a frame claims is for the receiver to check.
 * N11: there is one session per key. If two hosts hold one, the newest stream that the lower key opened counts; where
 * it is the lower key that dials, the host it reached first stays until that connection ends.
 */
export interface Network {
  /** Own index; undefined for a node that is no member. */
  readonly self: number | undefined;
  /** Own multiaddrs with /p2p/<id>. */
  addresses(): string[];
  /** Indexes of the others with a live channel, ascending. */
  connected(): number[];
  peerStatus(): readonly PeerStatus[];
  /** Queues a frame; false if there is no channel or too much waits already, and the frame is dropped. */
  send(to: number, frame: Uint8Array): boolean;
  /** To all other members, not to guests. */
  broadcast(frame: Uint8Array): void;
  /** Rejects with P2pError. */
  request(to: number, body: Uint8Array, options: RequestOptions): Promise<Uint8Array>;
  onFrame(handler: (from: number, frame: Uint8Array) => void): void;
  /** A handler that throws refuses the request; its text is not sent. */
  onRequest(handler: (from: number, body: Uint8Array) => Promise<Uint8Array>): void;
  onChannel(handler: (index: number, open: boolean) => void): void;
  /** Called when a member without a channel refuses to be dialed: nothing listens there. */
  onUnreachable(handler: (index: number) => void): void;
  close(): Promise<void>;
}

/**
 * A network whose peers change while it runs.
 *
 * A peer is its key; an index is only how the members of the present set are called. So a channel outlives a change as long
 * as both ends admit each other, and questions under way on it get their answers.
 *
 * Of two peers the one with the lower key opens the channel, whoever dialed. This is the same for both ends, for members and
 * guests, and in every set; an order by index would turn round while two nodes are in different epochs, and then both would
 * open, or none. Members dial members, guests dial members, and nobody dials a guest: whoever wants to be served comes.
 */
export interface PeerNetwork extends Network {
  /**
   * Replaces the set, at once: after it every method and every handler speaks of the new indexes, also of frames that came
   * before it. No handler is called by it, not even for a channel that it ends; ask `connected()` and `guests()` afterwards.
   * Who is in neither list any more is disconnected, its open questions end with `CLOSED`, and it is refused. Throws
   * RangeError, and changes nothing, if the set is too large, names a key twice, or `self` is not where our own key is.
   */
  update(set: PeerSet): void;
  guests(): readonly GuestStatus[];
  /** Asks a guest; rejects with P2pError. */
  requestGuest(peerKey: Uint8Array, body: Uint8Array, options: RequestOptions): Promise<Uint8Array>;
  /** As `onRequest`; frames of guests reach nobody. */
  onGuestRequest(handler: (peerKey: Uint8Array, body: Uint8Array) => Promise<Uint8Array>): void;
  onGuestChannel(handler: (peerKey: Uint8Array, open: boolean) => void): void;
  counts(): Promise<NetworkCounts>;
}
