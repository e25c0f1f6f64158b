import { sha256 } from '../../ledger/hash.ts';
import { chooseSignatures, createSigner } from '../../node/signatures.ts';
import { type Log, type Network, type NetworkOptions, type PeerInfo, peerIdOf, startNetwork } from '../../p2p/index.ts';

const { verify } = chooseSignatures();

export interface Identity {
  readonly peerSecret: Uint8Array;
  readonly info: PeerInfo;
  sign(body: Uint8Array): Uint8Array;
}

/** Keys of a validator that exists only in tests. */
export function identity(number: number): Identity {
  const peerSecret = sha256(Uint8Array.of(1, number));
  const consensus = createSigner(sha256(Uint8Array.of(2, number)));
  const peer = createSigner(peerSecret);
  const info = { name: `v${number}`, peerKey: peer.publicKey, consensusKey: consensus.publicKey, addresses: [] };
  return { peerSecret, info, sign: (body) => consensus.sign(body) };
}

export const quietLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** One validator's network on loopback, at a free port. */
export function startOne(
  members: readonly Identity[],
  self: number,
  overrides: Partial<NetworkOptions> = {},
): Promise<Network> {
  const me = members[self]!;
  return startNetwork({
    genesisId: sha256(Uint8Array.of(9)),
    self,
    peers: members.map(({ info }) => info),
    peerSecret: me.peerSecret,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [],
    announce: [],
    signRecord: me.sign,
    verifyRecord: verify,
    log: quietLog,
    ...overrides,
  });
}

export function bootstrapOf(network: Network, who: Identity): string {
  const address = network.addresses()[0]!;
  return address.includes('/p2p/') ? address : `${address}/p2p/${peerIdOf(who.info.peerKey)}`;
}

/** Resolves when the network has channels to all of `others`. Its `onChannel` handler must be free. */
export function connectedTo(network: Network, others: readonly number[]): Promise<void> {
  const all = () => others.every((index) => network.connected().includes(index));
  return new Promise((resolve) => {
    network.onChannel(() => all() && resolve());
    if (all()) resolve();
  });
}
