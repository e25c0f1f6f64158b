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
  /** Signs peer records, 32 bytes. */
  readonly consensusKey: Uint8Array;
  /** Multiaddrs from genesis, hints. */
  readonly addresses: readonly string[];
}

export interface NetworkOptions {
  readonly genesisId: Uint8Array;
  /** Own index in `peers`. */
  readonly self: number;
  readonly peers: readonly PeerInfo[];
  /** 32-byte Ed25519 seed of the libp2p identity. */
  readonly peerSecret: Uint8Array;
  /** Multiaddrs; port 0 takes a free one. */
  readonly listen: readonly string[];
  /** Multiaddrs with /p2p/<id>; one reachable one is enough to find everybody. */
  readonly bootstrap: readonly string[];
  /** Multiaddrs told to others instead of the listening ones. */
  readonly announce: readonly string[];
  /** Signs the encoded body of a peer record with the consensus key; adds the sign bytes' prefix. */
  signRecord(body: Uint8Array): Uint8Array;
  verifyRecord(signature: Uint8Array, body: Uint8Array, publicKey: Uint8Array): boolean;
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

/**
 * Channels to the other validators, by index. Nothing here is trusted: what a frame claims is for the receiver to check.
 * N11: there is one session per key. If two hosts hold one, the newest stream that the lower index opened counts; where it
 * is the lower index that dials, the host it reached first stays until that connection ends.
 */
export interface Network {
  readonly self: number;
  /** Own multiaddrs with /p2p/<id>. */
  addresses(): string[];
  /** Indexes of the others with a live channel, ascending. */
  connected(): number[];
  peerStatus(): readonly PeerStatus[];
  /** Queues a frame; false if there is no channel or too much waits already, and the frame is dropped. */
  send(to: number, frame: Uint8Array): boolean;
  broadcast(frame: Uint8Array): void;
  /** Rejects with P2pError. */
  request(to: number, body: Uint8Array, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Uint8Array>;
  onFrame(handler: (from: number, frame: Uint8Array) => void): void;
  /** A handler that throws refuses the request; its text is not sent. */
  onRequest(handler: (from: number, body: Uint8Array) => Promise<Uint8Array>): void;
  onChannel(handler: (index: number, open: boolean) => void): void;
  /** Called when a member without a channel refuses to be dialed: nothing listens there. */
  onUnreachable(handler: (index: number) => void): void;
  close(): Promise<void>;
}
