import { type GossipSub, type GossipSubComponents, gossipsub, StrictNoSign } from '@libp2p/gossipsub';
import type { Connection, PeerId, StreamHandler, Topology } from '@libp2p/interface';
import { GOSSIP_QUEUE_BYTES_MAX, GOSSIP_RPC_BYTES_MAX } from './limits.ts';

type Registrar = GossipSubComponents['registrar'];

/**
 * Gossipsub among members. It takes a message apart before anybody can refuse it, and 64 KiB can be 65,536 of them: so
 * guests have no part in it, and get the records over their channels.
 */
export class MemberGossip {
  readonly #topic: string;
  readonly #isMember: (peer: PeerId) => boolean;
  #topology: Topology | undefined;

  constructor(topic: string, isMember: (peer: PeerId) => boolean) {
    this.#topic = topic;
    this.#isMember = isMember;
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

  /** A peer that is connected is no member any more. */
  left(peer: PeerId): void {
    void this.#topology?.onDisconnect?.(peer);
  }

  /** Through this registrar gossipsub sees members only. */
  #gated(registrar: Registrar): Registrar {
    const handle: Registrar['handle'] = (protocol, handler, options) =>
      registrar.handle(protocol, this.#fromMembers(handler), options);
    const register: Registrar['register'] = (protocol, topology, options) => {
      // The same for each version of the protocol.
      this.#topology = topology;
      const onConnect: Topology['onConnect'] = (peer, connection) =>
        this.#isMember(peer) ? topology.onConnect?.(peer, connection) : undefined;
      return registrar.register(protocol, { ...topology, onConnect }, options);
    };
    return Object.assign(Object.create(registrar) as Registrar, { handle, register });
  }

  #fromMembers(handler: StreamHandler): StreamHandler {
    return (stream, connection) => {
      const refuse = (): void => stream.abort(new Error('gossip is among members'));
      if (!this.#isMember(connection.remotePeer)) return refuse();
      stream.addEventListener('message', (event) => {
        if (this.#isMember(connection.remotePeer)) return;
        event.stopImmediatePropagation();
        refuse();
      });
      return handler(stream, connection);
    };
  }
}
