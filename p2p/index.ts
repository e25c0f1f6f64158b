import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { encode } from '../ledger/codec.ts';
import { publicKeyOf } from '../ledger/ed25519.ts';
import { MEMBER_ALLOWANCE } from './allowance.ts';
import { Channel } from './channel.ts';
import { Dialer } from './dialer.ts';
import { Discovery } from './discovery.ts';
import { P2pError } from './errors.ts';
import { MemberGossip } from './gossip.ts';
import { HELLO_VERSION, helloCodec, helloProblem, protocolProblem, recordsTopic, replicaProtocol } from './hello.ts';
import { createHost, type Gate, type Host, startHost } from './host.ts';
import {
  CONNECTIONS_PER_GUEST_MAX,
  CONNECTIONS_PER_MEMBER_MAX,
  DIAL_POLITENESS_MS,
  GOSSIP_SIGNATURE_UNITS,
  GUEST_CONNECTION_PRICE,
  GUEST_SIGNATURE_PRICE,
  GUEST_STREAM_PRICE,
  REDIAL_POLITENESS_MS,
  SIGN_OF_LIFE_MS,
  STREAMS_PER_PROTOCOL_MAX,
} from './limits.ts';
import { type Peer, Peers } from './peers.ts';
import type {
  GuestStatus,
  NetworkCounts,
  NetworkOptions,
  PeerNetwork,
  PeerSet,
  PeerStatus,
  RequestOptions,
} from './port.ts';
import { Records } from './records.ts';
import { Refusals } from './refusals.ts';

export { P2pError } from './errors.ts';
export { peerIdOf } from './peer-id.ts';
export type { Cipher, GuestInfo, Log, Network, NetworkOptions, PeerInfo, PeerNetwork, PeerSet } from './port.ts';

/** Starts to listen, to dial and to find the other nodes. */
export async function startNetwork(options: NetworkOptions): Promise<PeerNetwork> {
  const network = new Libp2pNetwork(options);
  await network.start();
  return network;
}

/** What is under way with a peer when it is removed ends within two periods of the timer. */
const SWEEPS_AFTER_REMOVAL = 2;

class Libp2pNetwork implements PeerNetwork {
  readonly #options: NetworkOptions;
  readonly #ownKey: Uint8Array;
  readonly #peers: Peers;
  readonly #records: Records;
  readonly #refusals: Refusals;
  readonly #protocol: string;
  readonly #gossip: MemberGossip;
  #host!: Host;
  #discovery!: Discovery;
  #lifeTimer: NodeJS.Timeout | undefined;
  #sweeps = 0;
  #closed = false;
  #frame: (from: number, frame: Uint8Array) => void = () => {};
  #request: (from: number, body: Uint8Array) => Promise<Uint8Array> = notReady;
  #channel: (index: number, open: boolean) => void = () => {};
  #unreachable: (index: number) => void = () => {};
  #guestRequest: (peerKey: Uint8Array, body: Uint8Array) => Promise<Uint8Array> = notReady;
  #guestChannel: (peerKey: Uint8Array, open: boolean) => void = () => {};

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#ownKey = publicKeyOf(options.peerSecret);
    this.#peers = new Peers(this.#ownKey, (peer, reason) => this.#cutOff(peer, reason));
    this.#peers.replace(options.set);
    this.#records = new Records({
      ownKey: this.#ownKey,
      admits: (key) => equalBytes(key, this.#ownKey) || this.#peers.withKey(key) !== undefined,
      signRecord: (body) => options.signRecord(body),
      verifyRecord: (signature, body, key) => options.verifyRecord(signature, body, key),
    });
    this.#refusals = new Refusals(options.log);
    this.#protocol = replicaProtocol(options.genesisId);
    this.#gossip = new MemberGossip(recordsTopic(options.genesisId), {
      isMember: (id) => this.#peers.of(id)?.index !== undefined,
      charge: (id, units) => this.#chargeGossip(id, units),
    });
  }

  async start(): Promise<void> {
    const gate: Gate = {
      admits: (id, direction) => this.#admits(id, direction),
      received: (id, bytes) => this.#peers.of(id)?.guest?.charge(bytes),
    };
    const host = await createHost(this.#options, gate, this.#gossip);
    this.#host = host;
    await host.handle(this.#protocol, (stream, connection) => this.#onStream(stream, connection), {
      maxInboundStreams: STREAMS_PER_PROTOCOL_MAX,
    });
    host.addEventListener('connection:open', ({ detail }) => this.#onConnection(detail));
    host.addEventListener('peer:identify', ({ detail: { peerId, protocols } }) => this.#onIdentify(peerId, protocols));
    this.#discovery = new Discovery(host, this.#options, this.#records, {
      isComplete: () => this.#peers.members.every(({ channel }) => channel?.isOpen),
      news: (key, record) => this.#onNews(key, record),
      checked: (from) => {
        this.#peers.of(from)?.guest?.charge(GUEST_SIGNATURE_PRICE);
        this.#chargeGossip(from, GOSSIP_SIGNATURE_UNITS);
      },
    });
    await startHost(host, this.#options.listen);
    this.#discovery.start();
    for (const peer of this.#peers.members) this.#dial(peer);
    this.#lifeTimer = setInterval(() => {
      this.#showLife();
      if (this.#sweeps > 0) {
        this.#sweeps--;
        void this.#sweep();
      }
    }, SIGN_OF_LIFE_MS);
  }

  update(set: PeerSet): void {
    if (this.#closed) return;
    const { log } = this.#options;
    const { removed, promoted, demoted } = this.#peers.replace(set);
    log.info(
      { epoch: set.epoch, self: set.self, members: set.peers.length, guests: set.guests.length },
      'peers changed',
    );
    const reason = `neither member nor guest as of epoch ${set.epoch}`;
    for (const peer of removed) void this.#remove(peer, reason);
    this.#records.retain();
    for (const { id } of promoted) for (const one of this.#host.getConnections(id)) this.#gossip.joined(id, one);
    for (const peer of demoted) {
      this.#gossip.left(peer.id);
      void this.#stopDialing(peer);
    }
    for (const peer of this.#peers.members) this.#dialIfMissing(peer);
    this.#discovery.announceSoon();
  }

  get self(): number | undefined {
    return this.#peers.self;
  }

  addresses(): string[] {
    return this.#host.getMultiaddrs().map(String);
  }

  connected(): number[] {
    return this.#peers.members.filter(({ channel }) => channel?.isOpen).map(({ index }) => index!);
  }

  peerStatus(): readonly PeerStatus[] {
    return this.#peers.members.map((peer) => ({ index: peer.index!, ...this.#statusOf(peer) }));
  }

  guests(): readonly GuestStatus[] {
    return this.#peers.guests.map((peer) => ({ peerKey: peer.key, ...this.#statusOf(peer) }));
  }

  async counts(): Promise<NetworkCounts> {
    const all = [...this.#peers.all];
    const { pubsub } = this.#host.services;
    return {
      connections: this.#host.getConnections().length,
      channels: all.filter(({ channel }) => channel !== undefined).length,
      dialers: all.filter(({ dialer }) => dialer !== undefined).length,
      records: this.#records.count,
      stored: (await this.#host.peerStore.all()).filter(({ id }) => !id.equals(this.#host.peerId)).length,
      gossiping: pubsub.getPeers().length,
      listening: pubsub.getSubscribers(recordsTopic(this.#options.genesisId)).length,
      topics: pubsub.getTopics().length,
    };
  }

  send(to: number, frame: Uint8Array): boolean {
    const channel = this.#peers.member(to)?.channel;
    return channel?.isOpen === true && channel.sendFrame(frame);
  }

  broadcast(frame: Uint8Array): void {
    for (const { channel } of this.#peers.members) if (channel?.isOpen) channel.sendFrame(frame);
  }

  request(to: number, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    return ask(this.#peers.member(to), `member ${to}`, body, options);
  }

  requestGuest(peerKey: Uint8Array, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    const peer = this.#peers.withKey(peerKey);
    return ask(peer?.guest && peer, `guest ${toHex(peerKey)}`, body, options);
  }

  onFrame(handler: (from: number, frame: Uint8Array) => void): void {
    this.#frame = handler;
  }

  onRequest(handler: (from: number, body: Uint8Array) => Promise<Uint8Array>): void {
    this.#request = handler;
  }

  onChannel(handler: (index: number, open: boolean) => void): void {
    this.#channel = handler;
  }

  onUnreachable(handler: (index: number) => void): void {
    this.#unreachable = handler;
  }

  onGuestRequest(handler: (peerKey: Uint8Array, body: Uint8Array) => Promise<Uint8Array>): void {
    this.#guestRequest = handler;
  }

  onGuestChannel(handler: (peerKey: Uint8Array, open: boolean) => void): void {
    this.#guestChannel = handler;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#lifeTimer);
    this.#discovery.close();
    for (const peer of this.#peers.all) {
      void peer.dialer?.close();
      peer.channel?.end('closed here');
    }
    await this.#host.stop();
  }

  /** Asked when a peer has shown its key, and before anything is set up for it. */
  #admits(id: PeerId, direction: 'in' | 'out'): boolean {
    const peer = this.#peers.of(id);
    const reason =
      peer === undefined
        ? `neither member nor guest of ${this.#host.peerId} in epoch ${this.#peers.epoch}`
        : peer.guest?.refusal;
    if (reason !== undefined && direction === 'in') this.#refusals.note(id, reason);
    return reason === undefined;
  }

  /** Whoever is removed while its connection is being set up is noticed here. */
  #onConnection(connection: Connection): void {
    const peer = this.#peers.of(connection.remotePeer);
    if (peer === undefined || this.#closed) return connection.abort(new Error('not admitted'));
    peer.guest?.charge(GUEST_CONNECTION_PRICE);
    const most = peer.guest === undefined ? CONNECTIONS_PER_MEMBER_MAX : CONNECTIONS_PER_GUEST_MAX;
    const older = this.#host.getConnections(peer.id).filter((one) => one !== connection);
    for (const one of older.slice(0, Math.max(0, older.length - most + 1)))
      one.abort(new Error('too many connections'));
    this.#openIfOurs(peer, connection);
  }

  #openIfOurs(peer: Peer, connection: Connection): void {
    if (peer.weOpen && !peer.opening && peer.channel === undefined) void this.#open(peer, connection);
  }

  /** The channel is one stream over whichever connection there is. */
  async #open(peer: Peer, connection: Connection): Promise<void> {
    peer.opening = true;
    try {
      this.#useStream(peer, await connection.newStream(this.#protocol));
    } catch (error) {
      await this.#explain(peer, error);
      if (!this.#peers.has(peer)) return;
      // A connection over which no channel comes about is of no use; the dialer tries again.
      await this.#host.hangUp(peer.id).catch(() => {});
      this.#redial(peer, DIAL_POLITENESS_MS);
    } finally {
      peer.opening = false;
    }
  }

  #onStream(stream: Stream, { remotePeer }: Connection): void {
    const peer = this.#peers.of(remotePeer);
    // One end opens channels, so there is never a choice between two directions.
    if (peer === undefined || peer.weOpen) return stream.abort(new Error('not expected'));
    peer.guest?.charge(GUEST_STREAM_PRICE);
    this.#useStream(peer, stream);
  }

  /** N11: the newest authenticated stream of a peer replaces an older one. */
  #useStream(peer: Peer, stream: Stream): void {
    if (this.#closed || !this.#peers.has(peer)) return stream.abort(new Error('not admitted'));
    peer.channel?.end('replaced by a newer one');
    const { genesisId, log } = this.#options;
    const hello = encode(helloCodec, { version: HELLO_VERSION, genesisId });
    const channel: Channel = new Channel(stream, hello, {
      allowance: () => peer.guest ?? MEMBER_ALLOWANCE,
      hello: (payload) => helloProblem(payload, genesisId),
      opened: () => {
        peer.reason = undefined;
        for (const record of this.#records.all()) channel.sendRecord(record);
        log.info({ peer: peer.name }, 'channel open');
        this.#tell(peer, true);
      },
      closed: (reason) => this.#onClosed(peer, channel, reason),
      // Whoever has become a guest while its frame came is a guest.
      frame: (payload) => peer.index !== undefined && this.#frame(peer.index, payload),
      record: (payload) => this.#discovery.receive(payload, peer.id),
      request: (body) =>
        peer.index === undefined ? this.#guestRequest(peer.key, body) : this.#request(peer.index, body),
    });
    peer.channel = channel;
  }

  #onClosed(peer: Peer, channel: Channel, reason: string): void {
    peer.bytesSent += channel.bytesSent;
    peer.bytesReceived += channel.bytesReceived;
    if (peer.channel !== channel) return;
    peer.channel = undefined;
    peer.reason = reason;
    if (this.#closed) return;
    this.#options.log.info({ peer: peer.name, reason }, 'channel closed');
    if (!this.#peers.has(peer)) return;
    this.#tell(peer, false);
    void this.#host
      .hangUp(peer.id)
      .catch(() => {})
      .finally(() => this.#redial(peer, peer.weOpen ? 0 : REDIAL_POLITENESS_MS));
  }

  #tell({ index, key }: Peer, open: boolean): void {
    if (index === undefined) this.#guestChannel(key, open);
    else this.#channel(index, open);
  }

  /** G02: says when the other side is on another chain, naming both. */
  #onIdentify(id: PeerId, protocols: readonly string[]): void {
    const peer = this.#peers.of(id);
    const problem = protocolProblem(protocols, this.#options.genesisId);
    if (peer !== undefined && problem !== undefined) this.#noChannel(peer, problem);
  }

  async #explain(peer: Peer, error: unknown): Promise<void> {
    const known = await this.#host.peerStore.get(peer.id).catch(() => undefined);
    const protocols = known?.protocols ?? [];
    const text = error instanceof Error ? error.message : String(error);
    // Whoever does not admit us says nothing, since it has set nothing up.
    const silent = `it ended the connection (${text}): does it admit ${this.#host.peerId}?`;
    const problem = protocolProblem(protocols, this.#options.genesisId);
    this.#noChannel(peer, problem ?? (protocols.length === 0 ? silent : text));
  }

  #noChannel(peer: Peer, reason: string): void {
    if (peer.reason === reason || this.#closed || !this.#peers.has(peer)) return;
    peer.reason = reason;
    this.#options.log.warn({ peer: peer.name, reason }, 'no channel');
  }

  /** The greater key leaves dialing to the other for a moment, where that one can know the address and would dial. */
  #dial(peer: Peer): void {
    const isKnown = this.#records.addressesOf(peer.key).length > 0;
    this.#startDialing(peer, isKnown && !peer.weOpen && this.self !== undefined ? DIAL_POLITENESS_MS : 0);
  }

  #dialIfMissing(peer: Peer): void {
    if (peer.channel === undefined) this.#dial(peer);
  }

  /** Much may have changed since this was decided. */
  #redial(peer: Peer, waitMs: number): void {
    if (!this.#closed && this.#peers.has(peer) && peer.index !== undefined) this.#startDialing(peer, waitMs);
  }

  #startDialing(peer: Peer, waitMs: number): void {
    peer.dialer ??= new Dialer(this.#host, peer.id, {
      addresses: () => this.#addressesOf(peer),
      isNeeded: () => peer.channel === undefined,
      reached: (connection) => this.#openIfOurs(peer, connection),
      refused: () => peer.index !== undefined && this.#unreachable(peer.index),
    });
    peer.dialer.start(waitMs);
  }

  async #stopDialing(peer: Peer): Promise<void> {
    const { dialer } = peer;
    peer.dialer = undefined;
    await dialer?.close();
  }

  /** Known by record, genesis or configuration. */
  #addressesOf({ id, key, addresses }: Peer): readonly string[] {
    const bootstrap = this.#options.bootstrap.filter((address) => address.endsWith(`/p2p/${id}`));
    return [...this.#records.addressesOf(key), ...bootstrap, ...addresses];
  }

  #statusOf(peer: Peer): Omit<PeerStatus, 'index'> {
    const { name, channel, dialer } = peer;
    const reason = channel?.isOpen ? undefined : (peer.reason ?? dialer?.reason);
    return {
      name,
      connected: channel?.isOpen ?? false,
      addresses: this.#addressesOf(peer),
      bytesSent: peer.bytesSent + (channel?.bytesSent ?? 0),
      bytesReceived: peer.bytesReceived + (channel?.bytesReceived ?? 0),
      ...(reason === undefined ? {} : { reason }),
    };
  }

  /** Of somebody who is not admitted any more nothing stays behind. */
  async #remove(peer: Peer, reason: string): Promise<void> {
    this.#options.log.info({ peer: peer.name, reason }, 'peer removed');
    this.#disconnect(peer, reason);
    await this.#stopDialing(peer);
    this.#sweeps = SWEEPS_AFTER_REMOVAL;
    await this.#sweep();
  }

  /**
   * Makes libp2p forget who is not admitted. Gossipsub looks there for what to forget itself when a connection ends, and has
   * by now; what was under way with the peer may still write something down, so it is looked for again some seconds later.
   */
  async #sweep(): Promise<void> {
    const { peerStore, peerId } = this.#host;
    for (const { id } of await peerStore.all().catch(() => [])) {
      if (this.#peers.of(id) === undefined && !id.equals(peerId)) await peerStore.delete(id).catch(() => {});
    }
  }

  #cutOff(peer: Peer, reason: string): void {
    this.#options.log.warn({ peer: peer.name, reason }, 'guest cut off');
    this.#disconnect(peer, reason);
    peer.reason = reason;
  }

  /** Whoever makes too much work in gossip is not heard there until it connects again; its channel stays. */
  #chargeGossip(id: PeerId, units: number): boolean {
    const peer = this.#peers.of(id);
    if (peer === undefined) return false;
    const before = peer.gossip.level();
    peer.gossip.take(units);
    if (before >= 0 && peer.gossip.level() < 0) this.#options.log.warn({ peer: peer.name }, 'too much gossip');
    return peer.gossip.level() >= 0;
  }

  #disconnect(peer: Peer, reason: string): void {
    peer.channel?.end(reason);
    for (const connection of this.#host.getConnections(peer.id)) connection.abort(new Error(reason));
  }

  /** Guests have no part in gossip, so they are told here. */
  #onNews(key: Uint8Array, record: Uint8Array): void {
    const about = this.#peers.withKey(key);
    if (about?.index === undefined) return;
    this.#dialIfMissing(about);
    for (const { channel } of this.#peers.guests) if (channel?.isOpen) channel.sendRecord(record);
  }

  /** Members hear of each other often enough; to and from guests nothing else comes when nobody asks. */
  #showLife(): void {
    for (const { index, channel } of this.#peers.all) {
      if (channel?.isOpen && (index === undefined || this.self === undefined)) channel.sendRecord(this.#discovery.own);
    }
  }
}

function ask(peer: Peer | undefined, name: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
  if (!peer?.channel?.isOpen) return Promise.reject(new P2pError('NO_CHANNEL', `no channel to ${name}`));
  return peer.channel.request(body, options);
}

function notReady(): Promise<Uint8Array> {
  return Promise.reject(new P2pError('REFUSED', 'not ready'));
}
