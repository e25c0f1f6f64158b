import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { GossipSub, GossipSubComponents } from '@libp2p/gossipsub';
import { type Identify, identify } from '@libp2p/identify';
import type { ConnectionGater, Libp2p, MultiaddrConnection, PeerId } from '@libp2p/interface';
import { createLibp2p } from 'libp2p';
import { P2pError } from './errors.ts';
import type { MemberGossip } from './gossip.ts';
import { leanNoise, leanTcp, leanYamux } from './lean.ts';
import {
  CONNECTIONS_MAX,
  CONNECTIONS_PER_SECOND,
  DIAL_TIMEOUT_MS,
  HANDSHAKE_MS,
  PENDING_CONNECTIONS_MAX,
  STREAMS_IN_MAX,
} from './limits.ts';
import type { NetworkOptions } from './port.ts';

export type Host = Libp2p<{ identify: Identify; pubsub: GossipSub }>;

/** Who comes in. */
export interface Gate {
  /** Asked when a peer has shown its key and before anything is set up for it; the gate says why it refuses. */
  admits(peer: PeerId, direction: 'in' | 'out'): boolean;
  /** So many bytes came on a connection of an admitted peer, whatever they are. */
  received(peer: PeerId, bytes: number): void;
}

export type HostOptions = Pick<NetworkOptions, 'peerSecret' | 'listen' | 'announce' | 'cipher'>;

/**
 * A libp2p node that talks to admitted peers only, over TCP with Noise and yamux. It is not started yet, so that no
 * connection comes before somebody listens to its events.
 */
export async function createHost(options: HostOptions, gate: Gate, gossip: MemberGossip): Promise<Host> {
  const { peerSecret, listen, announce, cipher } = options;
  return createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', peerSecret),
    addresses: { listen: [...listen], announce: [...announce] },
    transports: [leanTcp()],
    connectionEncrypters: [leanNoise(cipher)],
    streamMuxers: [leanYamux({ maxInboundStreams: STREAMS_IN_MAX })],
    connectionGater: gaterOf(gate),
    connectionManager: {
      maxConnections: CONNECTIONS_MAX,
      inboundConnectionThreshold: CONNECTIONS_PER_SECOND,
      maxIncomingPendingConnections: PENDING_CONNECTIONS_MAX,
      inboundUpgradeTimeout: HANDSHAKE_MS,
      dialTimeout: DIAL_TIMEOUT_MS,
      // Dialing again is ours: it never gives up.
      reconnectRetries: 0,
    },
    // Silence on a channel ends it; a second watch would only add traffic.
    connectionMonitor: { enabled: false },
    services: {
      identify: identify(),
      pubsub: (components: GossipSubComponents) => gossip.service(components),
    },
  });
}

/** Rejects with P2pError `LISTEN` if no address can be listened on. */
export async function startHost(host: Host, listen: readonly string[]): Promise<void> {
  try {
    await host.start();
  } catch (error) {
    // libp2p puts a reason with its stack behind each address that failed.
    const { message } = error as Error;
    const reason = /Error: ([^\n]+)/.exec(message)?.[1] ?? message;
    throw new P2pError('LISTEN', `can't listen on ${listen.join(', ')}: ${reason}`);
  }
}

/** Refused before any stream exists. */
function gaterOf({ admits, received }: Gate): ConnectionGater {
  const denies = (direction: 'in' | 'out') => (peer: PeerId, connection: MultiaddrConnection) => {
    if (!admits(peer, direction)) return true;
    connection.addEventListener('message', ({ data }) => received(peer, data.byteLength));
    return false;
  };
  return {
    denyDialPeer: (peer) => !admits(peer, 'out'),
    denyDialMultiaddr: () => false,
    denyInboundEncryptedConnection: denies('in'),
    denyOutboundEncryptedConnection: denies('out'),
  };
}
