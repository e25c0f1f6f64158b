import { TopicValidatorResult } from '@libp2p/gossipsub';
import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { encode, tryDecode } from '../ledger/codec.ts';
import { Channel } from './channel.ts';
import { Dialer } from './dialer.ts';
import { P2pError } from './errors.ts';
import { createHost, type Host } from './host.ts';
import {
  ANNOUNCE_AT_ONCE_MS,
  ANNOUNCE_MS,
  ANNOUNCE_SOON_MS,
  DIAL_POLITENESS_MS,
  REDIAL_POLITENESS_MS,
  STREAMS_PER_PROTOCOL_MAX,
} from './limits.ts';
import { peerIdOf } from './peer-id.ts';
import type { Network, NetworkOptions, PeerStatus } from './port.ts';
import { HELLO_VERSION, helloCodec, Records } from './records.ts';

export { P2pError } from './errors.ts';
export { peerIdOf } from './peer-id.ts';
export type { Log, Network, NetworkOptions, PeerInfo } from './port.ts';

/** Starts to listen, to dial and to find the other validators. */
export async function startNetwork(options: NetworkOptions): Promise<Network> {
  const network = new ValidatorNetwork(options);
  await network.start();
  return network;
}

interface Peer {
  readonly index: number;
  readonly name: string;
  readonly id: PeerId;
  channel: Channel | undefined;
  opening: boolean;
  reason: string | undefined;
  /** Of channels that ended. */
  bytesSent: number;
  bytesReceived: number;
}

class ValidatorNetwork implements Network {
  readonly self: number;
  readonly #options: NetworkOptions;
  readonly #peers: readonly Peer[];
  readonly #byId: ReadonlyMap<string, Peer>;
  readonly #records: Records;
  readonly #protocol: string;
  readonly #topic: string;
  readonly #dialers: Dialer[] = [];
  #host!: Host;
  #announceTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #frame: (from: number, frame: Uint8Array) => void = () => {};
  #request: (from: number, body: Uint8Array) => Promise<Uint8Array> = () =>
    Promise.reject(new P2pError('REFUSED', 'not ready'));
  #channel: (index: number, open: boolean) => void = () => {};
  #unreachable: (index: number) => void = () => {};

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.self = options.self;
    this.#peers = options.peers.map(({ name, peerKey }, index) => ({
      index,
      name,
      id: peerIdOf(peerKey),
      channel: undefined,
      opening: false,
      reason: undefined,
      bytesSent: 0,
      bytesReceived: 0,
    }));
    this.#byId = new Map(this.#peers.map((peer) => [peer.id.toString(), peer]));
    this.#records = new Records(options);
    const chain = toHex(options.genesisId).slice(2);
    this.#protocol = `/quorate/1/${chain}/replica`;
    this.#topic = `/quorate/1/${chain}/records`;
  }

  async start(): Promise<void> {
    const host = await createHost(this.#options, (id) => this.#memberOf(id) !== undefined);
    this.#host = host;
    await host.handle(this.#protocol, (stream, connection) => this.#onStream(stream, connection), {
      maxInboundStreams: STREAMS_PER_PROTOCOL_MAX,
    });
    host.addEventListener('peer:connect', ({ detail }) => this.#onConnect(detail));
    this.#startGossip(host);
    for (const peer of this.#peers) {
      this.#dialers.push(
        new Dialer(
          host,
          peer.id,
          () => this.#addressesOf(peer),
          () => peer.channel === undefined,
          () => this.#unreachable(peer.index),
        ),
      );
      if (peer.index !== this.self) this.#dial(peer);
    }
    this.#announce();
  }

  addresses(): string[] {
    return this.#host.getMultiaddrs().map(String);
  }

  connected(): number[] {
    return this.#peers.filter(({ channel }) => channel?.isOpen).map(({ index }) => index);
  }

  peerStatus(): readonly PeerStatus[] {
    return this.#others().map((peer) => {
      const { index, name, channel } = peer;
      const reason = channel?.isOpen ? undefined : (peer.reason ?? this.#dialers[index]?.reason);
      return {
        index,
        name,
        connected: channel?.isOpen ?? false,
        addresses: this.#addressesOf(peer),
        bytesSent: peer.bytesSent + (channel?.bytesSent ?? 0),
        bytesReceived: peer.bytesReceived + (channel?.bytesReceived ?? 0),
        ...(reason === undefined ? {} : { reason }),
      };
    });
  }

  send(to: number, frame: Uint8Array): boolean {
    const channel = this.#peers[to]?.channel;
    return channel?.isOpen === true && channel.sendFrame(frame);
  }

  broadcast(frame: Uint8Array): void {
    for (const { index } of this.#others()) this.send(index, frame);
  }

  request(to: number, body: Uint8Array, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Uint8Array> {
    const channel = this.#peers[to]?.channel;
    if (!channel?.isOpen) return Promise.reject(new P2pError('NO_CHANNEL', `no channel to member ${to}`));
    return channel.request(body, options);
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

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#announceTimer);
    for (const dialer of this.#dialers) dialer.close();
    for (const { channel } of this.#peers) channel?.end('closed here');
    await this.#host.stop();
  }

  #others(): readonly Peer[] {
    return this.#peers.filter(({ index }) => index !== this.self);
  }

  #memberOf(id: PeerId): Peer | undefined {
    const peer = this.#byId.get(id.toString());
    return peer?.index === this.self ? undefined : peer;
  }

  /** Known by record, genesis or configuration. */
  #addressesOf({ index, id }: Peer): readonly string[] {
    const bootstrap = this.#options.bootstrap.filter((address) => address.endsWith(`/p2p/${id}`));
    const hints = this.#options.peers[index]?.addresses ?? [];
    return [...this.#records.addressesOf(index), ...bootstrap, ...hints];
  }

  /** The greater index leaves dialing to the other for a moment, where that one can know the address. */
  #dial(peer: Peer): void {
    const known = this.#records.addressesOf(peer.index).length > 0;
    this.#dialers[peer.index]?.start(known && peer.index < this.self ? DIAL_POLITENESS_MS : 0);
  }

  /** The channel is one stream, opened by the lower index over whichever connection there is. */
  #onConnect(id: PeerId): void {
    const peer = this.#memberOf(id);
    if (peer !== undefined && peer.index > this.self) void this.#open(peer);
  }

  async #open(peer: Peer): Promise<void> {
    if (peer.opening || peer.channel !== undefined || this.#closed) return;
    peer.opening = true;
    try {
      const [connection] = this.#host.getConnections(peer.id);
      if (connection === undefined) return;
      this.#useStream(peer, await connection.newStream(this.#protocol));
    } catch (error) {
      await this.#explain(peer, error);
      // A connection over which no channel comes about is of no use; the dialer tries again.
      await this.#host.hangUp(peer.id).catch(() => {});
      this.#dialers[peer.index]?.start(DIAL_POLITENESS_MS);
    } finally {
      peer.opening = false;
    }
  }

  /** G02: says when the other side is on another chain, naming both. */
  async #explain(peer: Peer, error: unknown): Promise<void> {
    const known = await this.#host.peerStore.get(peer.id).catch(() => undefined);
    const other = known?.protocols.find((protocol) => /^\/quorate\/\d+\/[0-9a-f]{64}\/replica$/.test(protocol));
    const before = peer.reason;
    if (other !== undefined && other !== this.#protocol) {
      peer.reason = `it is on genesis 0x${other.split('/')[3]}, we are on ${toHex(this.#options.genesisId)}`;
    } else {
      peer.reason = error instanceof Error ? error.message : String(error);
    }
    if (peer.reason !== before) this.#options.log.warn({ peer: peer.name, reason: peer.reason }, 'no channel');
  }

  #onStream(stream: Stream, connection: Connection): void {
    const peer = this.#memberOf(connection.remotePeer);
    // Only the lower index opens channels, so there is never a choice between two directions.
    if (peer === undefined || peer.index > this.self) return stream.abort(new Error('not expected'));
    this.#useStream(peer, stream);
  }

  /** N11: the newest authenticated stream of a member replaces an older one. */
  #useStream(peer: Peer, stream: Stream): void {
    if (this.#closed) return stream.abort(new Error('closed'));
    peer.channel?.end('replaced by a newer one');
    const { genesisId, log } = this.#options;
    const hello = encode(helloCodec, { version: HELLO_VERSION, genesisId, index: this.self });
    const channel: Channel = new Channel(stream, hello, {
      hello: (payload) => this.#helloProblem(peer, payload),
      opened: () => {
        peer.reason = undefined;
        for (const record of this.#records.all()) channel.sendRecord(record);
        log.info({ peer: peer.name }, 'channel open');
        this.#channel(peer.index, true);
      },
      closed: (reason) => this.#onClosed(peer, channel, reason),
      frame: (payload) => this.#frame(peer.index, payload),
      record: (payload) => this.#onRecord(payload),
      request: (body) => this.#request(peer.index, body),
    });
    peer.channel = channel;
  }

  #helloProblem(peer: Peer, payload: Uint8Array): string | undefined {
    const decoded = tryDecode(helloCodec, payload);
    if (!decoded.ok) return `hello: ${decoded.problem}`;
    const { version, genesisId, index } = decoded.value;
    if (version !== HELLO_VERSION) return `it speaks version ${version}, we speak ${HELLO_VERSION}`;
    if (!equalBytes(genesisId, this.#options.genesisId)) {
      return `it is on genesis ${toHex(genesisId)}, we are on ${toHex(this.#options.genesisId)}`;
    }
    return index === peer.index ? undefined : `it calls itself member ${index}, its key is of member ${peer.index}`;
  }

  #onClosed(peer: Peer, channel: Channel, reason: string): void {
    peer.bytesSent += channel.bytesSent;
    peer.bytesReceived += channel.bytesReceived;
    if (peer.channel !== channel) return;
    peer.channel = undefined;
    peer.reason = reason;
    if (this.#closed) return;
    this.#options.log.info({ peer: peer.name, reason }, 'channel closed');
    this.#channel(peer.index, false);
    void this.#host
      .hangUp(peer.id)
      .catch(() => {})
      .finally(() => this.#dialers[peer.index]?.start(peer.index < this.self ? REDIAL_POLITENESS_MS : 0));
  }

  #startGossip(host: Host): void {
    const { pubsub } = host.services;
    pubsub.topicValidators.set(this.#topic, (_from, { data }) => {
      const received = this.#onRecord(data);
      if (received === 'old') return TopicValidatorResult.Ignore;
      return received === 'new' ? TopicValidatorResult.Accept : TopicValidatorResult.Reject;
    });
    pubsub.addEventListener('subscription-change', ({ detail }) => {
      const joined = detail.subscriptions.some(({ topic, subscribe }) => subscribe && topic === this.#topic);
      if (joined && !this.#closed) this.#announceIn(ANNOUNCE_AT_ONCE_MS);
    });
    pubsub.subscribe(this.#topic);
  }

  #onRecord(bytes: Uint8Array): 'new' | 'old' | 'bad' {
    const received = this.#records.receive(bytes);
    if (received === 'old') return 'old';
    if ('problem' in received) {
      this.#options.log.debug({ reason: received.problem }, 'peer record refused');
      return 'bad';
    }
    const peer = this.#peers[received.index];
    if (peer !== undefined && peer.index !== this.self && peer.channel === undefined) this.#dial(peer);
    return 'new';
  }

  /** Publishes our own record: often while somebody is missing, else now and then; a changed address spreads by itself. */
  #announce(): void {
    if (this.#closed) return;
    const { announce } = this.#options;
    const addresses =
      announce.length > 0 ? announce : this.#host.getMultiaddrs().map((address) => withoutPeer(String(address)));
    const record = this.#records.make(this.self, addresses);
    this.#host.services.pubsub.publish(this.#topic, record).catch((error: unknown) => {
      this.#options.log.debug({ reason: String(error) }, 'peer record not published');
    });
    const complete = this.connected().length === this.#peers.length - 1;
    this.#announceIn(complete ? ANNOUNCE_MS : ANNOUNCE_SOON_MS);
  }

  #announceIn(delayMs: number): void {
    clearTimeout(this.#announceTimer);
    this.#announceTimer = setTimeout(() => this.#announce(), delayMs);
  }
}

function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '');
}
