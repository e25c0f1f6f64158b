import { sha256 } from '../../ledger/hash.ts';
import { chooseSignatures, createSigner } from '../../node/signatures.ts';
import {
  type Log,
  type Network,
  type NetworkOptions,
  type PeerInfo,
  type PeerNetwork,
  type PeerSet,
  peerIdOf,
  startNetwork,
} from '../../p2p/index.ts';

const { verify } = chooseSignatures();

export interface Identity {
  readonly peerSecret: Uint8Array;
  readonly info: PeerInfo;
  sign(body: Uint8Array): Uint8Array;
}

/** Keys of a node that exists only in tests. */
export function identity(number: number): Identity {
  const peerSecret = sha256(Uint8Array.of(1, number));
  const peer = createSigner(peerSecret);
  const info = { name: `v${number}`, peerKey: peer.publicKey, addresses: [] };
  return { peerSecret, info, sign: (body) => peer.sign(body) };
}

export const quietLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** The set of these members, as one who may be among them or not sees it. */
export function setOf(
  members: readonly Identity[],
  self: Identity,
  { epoch = 0, guests = [] }: { epoch?: number; guests?: readonly Identity[] } = {},
): PeerSet {
  const index = members.indexOf(self);
  return {
    epoch,
    self: index < 0 ? undefined : index,
    peers: members.map(({ info }) => info),
    guests: guests.map(({ info }) => info),
  };
}

/** One validator's network on loopback, at a free port. */
export function startOne(
  members: readonly Identity[],
  self: number,
  overrides: Partial<NetworkOptions> = {},
): Promise<PeerNetwork> {
  const me = members[self]!;
  return startNetwork({
    genesisId: sha256(Uint8Array.of(9)),
    set: setOf(members, me),
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
