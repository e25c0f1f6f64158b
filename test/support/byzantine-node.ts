import { pino } from 'pino';
import { type Batch, batchDigest } from '../../ledger/block.ts';
import { fromHex } from '../../ledger/bytes.ts';
import { tryDecode } from '../../ledger/codec.ts';
import { readKeyFile } from '../../light/keystore/key-file.ts';
import { readConfig } from '../../node/config.ts';
import { startNode } from '../../node/node.ts';
import {
  type Message,
  messageCodec,
  type Signable,
  signableBytes,
  signMessage,
  type Vote,
} from '../../node/pbft/messages.ts';
import { createSigner, type Signer } from '../../node/signatures.ts';
import { FRAME_MESSAGE, messageFrame } from '../../node/wire.ts';
import type { PeerNetwork } from '../../p2p/index.ts';

/**
 * A faulty validator as a real process: the production node, with a network that changes what it sends. Usage:
 * `node byzantine-node.ts <config> <strategy> <genesis id>`. It behaves well until it gets SIGUSR2. Not reachable from the
 * product's command.
 */

const [configPath, strategy, genesisIdHex] = process.argv.slice(2);
const genesisId = fromHex(genesisIdHex ?? '');
if (configPath === undefined || strategy === undefined || genesisId === undefined) throw new Error('bad arguments');

const config = await readConfig(configPath, {});
const signer: Signer = createSigner(readKeyFile(config.keys.consensus, 'consensus').seed);
/** What odd members were told instead, by view and height. */
const told = new Map<string, Vote>();

let faulty = false;
process.on('SIGUSR2', () => {
  faulty = true;
});

await startNode({
  config,
  version: 'byzantine',
  log: pino({ level: 'silent' }),
  onFatal: () => process.exit(1),
  wrapNetwork: corrupted,
});
process.stdout.write('ready\n');

function corrupted(network: PeerNetwork): PeerNetwork {
  const send = (to: number, frame: Uint8Array): boolean => {
    let sent = false;
    for (const one of instead(to, frame)) sent = deliver(to, one) || sent;
    return sent;
  };
  const deliver = (to: number, frame: Uint8Array): boolean => {
    if (strategy !== 'slow' || !faulty) return network.send(to, frame);
    setTimeout(() => network.send(to, frame), 700);
    return true;
  };
  return {
    ...bound(network),
    send,
    broadcast: (frame) => {
      for (const to of network.connected()) send(to, frame);
    },
  };
}

/** Methods of a class instance are not its own properties. */
function bound(network: PeerNetwork): PeerNetwork {
  return {
    self: network.self,
    addresses: () => network.addresses(),
    connected: () => network.connected(),
    peerStatus: () => network.peerStatus(),
    send: (to, frame) => network.send(to, frame),
    broadcast: (frame) => network.broadcast(frame),
    request: (to, body, options) => network.request(to, body, options),
    onFrame: (handler) => network.onFrame(handler),
    onRequest: (handler) => network.onRequest(handler),
    onChannel: (handler) => network.onChannel(handler),
    onUnreachable: (handler) => network.onUnreachable(handler),
    update: (set) => network.update(set),
    guests: () => network.guests(),
    requestGuest: (peerKey, body, options) => network.requestGuest(peerKey, body, options),
    onGuestRequest: (handler) => network.onGuestRequest(handler),
    onGuestChannel: (handler) => network.onGuestChannel(handler),
    counts: () => network.counts(),
    close: () => network.close(),
  };
}

function instead(to: number, frame: Uint8Array): readonly Uint8Array[] {
  if (!faulty) return [frame];
  if (strategy === 'silent') return [];
  const decoded = frame[0] === FRAME_MESSAGE ? tryDecode(messageCodec, frame.subarray(1)) : undefined;
  if (decoded === undefined || !decoded.ok) return [frame];
  const message = decoded.value;
  if (message.kind === 'prePrepare') {
    const { vote, batch } = message.value;
    if (strategy === 'equivocate' && to % 2 === 1) return [propose(vote, { ...batch, timestamp: batch.timestamp + 1 })];
    if (strategy === 'censor')
      return [propose(vote, { ...batch, transactions: batch.transactions.filter((id) => id[0]! % 2 === 0) })];
  }
  if (strategy === 'equivocate' && to % 2 === 1 && (message.kind === 'prepare' || message.kind === 'commit')) {
    const other = told.get(`${message.value.vote.view} ${message.value.vote.height}`);
    if (other !== undefined) return [messageFrame(signed({ kind: message.kind, vote: other }))];
  }
  return [frame];
}

function propose(vote: Vote, batch: Batch): Uint8Array {
  const other = { ...vote, digest: batchDigest(batch) };
  told.set(`${vote.view} ${vote.height}`, other);
  return messageFrame(signed({ kind: 'prePrepare', vote: other, batch }));
}

function signed(unsigned: Parameters<typeof signMessage>[0]): Message {
  return signMessage(unsigned, 1, (one: Signable) => signer.sign(signableBytes(genesisId!, one)));
}
