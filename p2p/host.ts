import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { type GossipSub, gossipsub, StrictNoSign } from '@libp2p/gossipsub';
import { type Identify, identify } from '@libp2p/identify';
import type { ConnectionGater, Libp2p, PeerId } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { P2pError } from './errors.ts';
import { CONNECTIONS_PER_SECOND, DIAL_TIMEOUT_MS, HANDSHAKE_MS, PENDING_CONNECTIONS_MAX } from './limits.ts';
import type { NetworkOptions } from './port.ts';

export type Host = Libp2p<{ identify: Identify; pubsub: GossipSub }>;

/** A libp2p node that talks to members only, over TCP with Noise and yamux. */
export async function createHost(options: NetworkOptions, isMember: (peer: PeerId) => boolean): Promise<Host> {
  const { peerSecret, listen, announce, peers } = options;
  const starting = createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', peerSecret),
    addresses: { listen: [...listen], announce: [...announce] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: gater(isMember),
    connectionManager: {
      maxConnections: 4 * peers.length + 16,
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
      pubsub: gossipsub({
        // Records carry the signature of the consensus key; libp2p's would say nothing more.
        globalSignaturePolicy: StrictNoSign,
        allowPublishToZeroTopicPeers: true,
        floodPublish: true,
        emitSelf: false,
      }),
    },
  });
  return starting.catch((error: Error) => {
    // libp2p puts a reason with its stack behind each address that failed.
    const reason = /Error: ([^\n]+)/.exec(error.message)?.[1] ?? error.message;
    throw new P2pError('LISTEN', `can't listen on ${listen.join(', ')}: ${reason}`);
  });
}

/** Only members of the set: refused before any stream exists. */
function gater(isMember: (peer: PeerId) => boolean): ConnectionGater {
  const deny = (peer: PeerId): boolean => !isMember(peer);
  return {
    denyDialPeer: deny,
    denyDialMultiaddr: () => false,
    denyInboundEncryptedConnection: deny,
    denyOutboundEncryptedConnection: deny,
  };
}
