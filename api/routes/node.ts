import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import type { NodePort } from '../ports.ts';
import { Problem } from '../problems.ts';
import { noQuery, type Route, type RouteAnswer, route } from '../route.ts';

function get(path: string, summary: string, answer: (node: NodePort) => Json | RouteAnswer): Route {
  return route({
    method: 'GET',
    path,
    summary,
    query: noQuery,
    bodyBytesMax: 0,
    async handle({ node }) {
      const answered = answer(node);
      return isAnswer(answered) ? answered : { status: 200, body: answered };
    },
  });
}

function isAnswer(answer: Json | RouteAnswer): answer is RouteAnswer {
  return typeof answer === 'object' && answer !== null && 'status' in answer && 'body' in answer;
}

/** What the node itself is and sees. */
export const nodeRoutes: readonly Route[] = [
  get('/v1/chain', 'Heights, roots and chain time', chainJson),
  get('/v1/genesis', 'The genesis file, byte by byte', ({ info }) => ({
    status: 200,
    body: utf8Encode(info.genesisText),
    headers: { 'content-type': 'application/json; charset=utf-8' },
    immutable: true,
  })),
  get('/v1/status', 'This node in one look', (node) => ({
    name: node.info.name,
    index: node.info.index,
    version: node.info.version,
    chain: chainJson(node),
    consensus: consensusJson(node),
    mempool: { ...node.mempool() },
    peers: peersJson(node),
  })),
  get('/v1/validators', 'The validators of the epoch', (node) => ({
    items: node.validators().map((one) => ({ ...one, key: toHex(one.key) })),
  })),
  get('/v1/consensus', 'Where the protocol stands here', consensusJson),
  get('/v1/peers', 'Connections to the other validators', (node) => ({ items: peersJson(node) })),
  get('/v1/mempool', 'What waits to be ordered', (node) => ({ ...node.mempool() })),
  get('/livez', 'The process answers', () => ({ live: true })),
  get('/readyz', 'The node votes and sees a quorum', (node) => {
    const { mode, reason, connected, quorum } = node.consensus();
    if (mode === 'halted') throw new Problem('halted', reason ?? 'halted');
    if (mode !== 'active') throw new Problem('syncing', `mode ${mode}: ${reason ?? ''}`, 1);
    if (connected < quorum)
      throw new Problem('no-quorum', `${connected} of ${quorum} validators needed are connected`, 1);
    return { ready: true, connected };
  }),
];

function chainJson(node: NodePort): Json {
  const { info } = node;
  const chain = node.chain();
  return {
    chain: info.chain,
    genesisId: toHex(info.genesisId),
    epoch: chain.epoch,
    height: chain.height,
    blockHash: toHex(chain.blockHash),
    stateRoot: toHex(chain.stateRoot),
    finalHeight: chain.finalHeight,
    finalStateRoot: toHex(chain.finalStateRoot),
    time: chain.time,
    maxLifetimeMs: chain.maxLifetimeMs,
  };
}

function consensusJson(node: NodePort): Json {
  return { ...node.consensus() };
}

function peersJson(node: NodePort): Json {
  return node.peers().map((peer) => ({ ...peer, addresses: [...peer.addresses] }));
}
