import { type GossipSub, type GossipSubComponents, gossipsub, StrictNoSign } from '@libp2p/gossipsub';
import type { Connection, PeerId, Stream, StreamHandler, Topology } from '@libp2p/interface';
import { GOSSIP_QUEUE_BYTES_MAX, GOSSIP_RPC_BYTES_MAX, GOSSIP_UNIT_BYTES, GOSSIP_UNITS_BURST } from './limits.ts';

type Registrar = GossipSubComponents['registrar'];

/** Who has part in gossip. */
export interface GossipGate {
  isMember(peer: PeerId): boolean;
  /** False if this is more work than a member may cause. */
  charge(peer: PeerId, units: number): boolean;
}

/**
 * Gossipsub among members, each within its budget: it takes a message apart before anybody can refuse it, and 64 KiB can be
 * 65,536 of them, which takes some 200 ms. Guests have no part in it; they get the records over their channels.
 */
export class MemberGossip {
  readonly #topic: string;
  readonly #gate: GossipGate;
  /** Open streams of members. */
  readonly #streams = new Map<string, Set<Stream>>();
  #topology: Topology | undefined;

  constructor(topic: string, gate: GossipGate) {
    this.#topic = topic;
    this.#gate = gate;
  }

  /** The service of a libp2p node. */
  service(components: GossipSubComponents): GossipSub {
    const { privateKey, peerId, peerStore, connectionManager, logger } = components;
    const create = gossipsub({
      // Records carry the signature of the peer key; libp2p's would say nothing more.
      globalSignaturePolicy: StrictNoSign,
      allowPublishToZeroTopicPeers: true,
      floodPublish: true,
      emitSelf: false,
      fallbackToFloodsub: false,
      allowedTopics: [this.#topic],
      maxInboundDataLength: GOSSIP_RPC_BYTES_MAX,
      maxOutboundBufferSize: GOSSIP_QUEUE_BYTES_MAX,
      // Peers are known by key: it is no fault to share an address, and of who is gone nothing is kept.
      scoreParams: { IPColocationFactorWeight: 0, retainScore: 0 },
    });
    return create({
      privateKey,
      peerId,
      peerStore,
      connectionManager,
      logger,
      registrar: this.#gated(components.registrar),
    });
  }

  /** A peer with this connection has become a member. */
  joined(peer: PeerId, connection: Connection): void {
    void this.#topology?.onConnect?.(peer, connection);
  }

  /** A peer that is connected is no member any more. Its streams end, so that it opens new ones if it is one again. */
  left(peer: PeerId): void {
    void this.#topology?.onDisconnect?.(peer);
    for (const stream of this.#streams.get(peer.toString()) ?? []) refuse(stream);
  }

  /** Through this registrar gossipsub sees members only. */
  #gated(registrar: Registrar): Registrar {
    const handle: Registrar['handle'] = (protocol, handler, options) =>
      registrar.handle(protocol, this.#fromMembers(handler), options);
    const register: Registrar['register'] = (protocol, topology, options) => {
      // The same for each version of the protocol.
      this.#topology = topology;
      const onConnect: Topology['onConnect'] = (peer, connection) =>
        this.#gate.isMember(peer) ? topology.onConnect?.(peer, connection) : undefined;
      return registrar.register(protocol, { ...topology, onConnect }, options);
    };
    return Object.assign(Object.create(registrar) as Registrar, { handle, register });
  }

  /**
   * Gives gossipsub the streams of members. That of somebody else is refused when something comes on it, not before: the
   * gossipsub of the other end would miss the end of a stream that it has only begun to open, and never open another. If it
   * has become a member by then, the stream is as good as any.
   */
  #fromMembers(handler: StreamHandler): StreamHandler {
    return (stream, connection) => {
      const { remotePeer } = connection;
      let price = new GossipPrice();
      let isTaken = false;
      const admits = (units: number): boolean =>
        this.#gate.isMember(remotePeer) && this.#gate.charge(remotePeer, units);
      const take = (): void => {
        this.#keep(stream, remotePeer.toString());
        void handler(stream, connection);
        // It listens at once, unless it has stopped: bytes that come before would be lost.
        isTaken = stream.listenerCount('message') > 1;
        if (!isTaken) refuse(stream);
      };
      // Before gossipsub's own listener, which does not get what is refused here.
      stream.addEventListener('message', (event) => {
        const isAdmitted = admits(price.of(event.data.subarray()));
        if (isAdmitted && isTaken) return;
        event.stopImmediatePropagation();
        if (!isAdmitted) return refuse(stream);
        take();
        if (!isTaken) return;
        // These come again, to both.
        price = new GossipPrice();
        stream.unshift(event.data);
      });
      if (admits(1)) take();
    };
  }

  #keep(stream: Stream, peer: string): void {
    const streams = this.#streams.get(peer) ?? new Set();
    this.#streams.set(peer, streams.add(stream));
    stream.addEventListener('close', () => {
      streams.delete(stream);
      if (streams.size === 0 && this.#streams.get(peer) === streams) this.#streams.delete(peer);
    });
  }
}

const refuse = (stream: Stream): void => stream.abort(new Error('no gossip with this peer'));

/** What the bytes of one stream cost; each message has its length before it, as an unsigned varint. */
export class GossipPrice {
  /** Bytes of a message that are still to come. */
  #left = 0;
  #length = 0;
  #factor = 1;

  /** In units, of the next bytes, however they are cut. */
  of(bytes: Uint8Array): number {
    let units = bytes.length / GOSSIP_UNIT_BYTES;
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const part = Math.min(this.#left, bytes.length - at);
        this.#left -= part;
        at += part;
        continue;
      }
      const byte = bytes[at++]!;
      this.#length += (byte & 127) * this.#factor;
      this.#factor *= 128;
      // Too long, or no length at all: all that there is.
      if (this.#length > GOSSIP_RPC_BYTES_MAX) return GOSSIP_UNITS_BURST;
      if (byte >= 128) continue;
      this.#left = this.#length;
      this.#length = 0;
      this.#factor = 1;
      units++;
    }
    return units;
  }
}
