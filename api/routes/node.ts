import type { z } from 'zod';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { signedReadyCodec } from '../../ledger/ready.ts';
import { minHeightQuery, reachHeight } from '../min-height.ts';
import type { NodePort } from '../ports.ts';
import { Problem } from '../problems.ts';
import { none, type Route, route } from '../route.ts';
import {
  anyObject,
  candidacy,
  chain,
  consensus,
  evidence,
  live,
  mempool,
  nodeStatus,
  peers,
  ready,
  validators,
  why,
} from '../schemas.ts';

type Row = Pick<Route, 'path' | 'name' | 'summary'> & Partial<Pick<Route, 'problems'>>;

function get(row: Row, json: z.ZodType, answer: (node: NodePort) => Json): Route {
  return route({
    method: 'GET',
    params: none,
    query: none,
    consistency: 'node',
    answers: { 200: { description: row.summary, json } },
    problems: [],
    ...row,
    handle: async ({ node }) => ({ status: 200, body: answer(node) }),
  });
}

const genesisRoute = route({
  method: 'GET',
  path: '/v1/genesis',
  name: 'getGenesis',
  summary: 'The genesis file, byte by byte',
  consistency: 'constant',
  params: none,
  query: none,
  answers: { 200: { description: 'The file as it is', json: anyObject } },
  problems: [],
  cacheable: true,
  handle: async ({ node }) => ({
    status: 200,
    body: utf8Encode(node.info.genesisText),
    headers: { 'content-type': 'application/json; charset=utf-8' },
    immutable: true,
  }),
});

const chainRoute = route({
  method: 'GET',
  path: '/v1/chain',
  name: 'getChain',
  summary: 'Heights, roots and chain time',
  consistency: 'stated',
  consistencyNote: '`finalHeight` and `finalStateRoot` are final, `height`, `blockHash` and `stateRoot` committed',
  params: none,
  query: minHeightQuery,
  answers: { 200: { description: 'Of the newest block executed here', json: chain } },
  problems: ['behind'],
  async handle(context, { query, signal }) {
    await reachHeight(context, query, 'committed', signal);
    return { status: 200, body: chainJson(context.node) };
  },
});

/** What the node itself is and sees. */
export const nodeRoutes: readonly Route[] = [
  chainRoute,
  genesisRoute,
  get({ path: '/v1/status', name: 'getStatus', summary: 'This node in one look' }, nodeStatus, (node) => ({
    name: node.info.name,
    ...(node.index() !== undefined && { index: node.index() }),
    version: node.info.version,
    chain: chainJson(node),
    consensus: consensusJson(node),
    mempool: { ...node.mempool() },
    peers: peersJson(node),
  })),
  get(
    { path: '/v1/validators', name: 'listValidators', summary: 'The validators of the epoch' },
    validators,
    (node) => ({
      items: node.validators().map((one) => ({ ...one, key: toHex(one.key) })),
    }),
  ),
  get(
    { path: '/v1/consensus', name: 'getConsensus', summary: 'Where the protocol stands here' },
    consensus,
    consensusJson,
  ),
  get(
    { path: '/v1/consensus/why', name: 'getWhy', summary: 'What this node waits for and from whom, in one sentence' },
    why,
    (node) => {
      const { from, missing, ...rest } = node.why();
      return { ...rest, from: [...from], missing: missing.map((one) => ({ ...one })) };
    },
  ),
  get({ path: '/v1/peers', name: 'listPeers', summary: 'Connections to the other validators' }, peers, (node) => ({
    items: peersJson(node),
  })),
  get({ path: '/v1/mempool', name: 'getMempool', summary: 'What waits to be ordered' }, mempool, (node) => ({
    ...node.mempool(),
  })),
  get(
    { path: '/v1/evidence', name: 'listEvidence', summary: 'Validators that signed two contents for one slot' },
    evidence,
    (node) => ({
      items: node.evidence().map((one) => ({ ...one, evidence: toHex(one.evidence) })),
    }),
  ),
  get(
    {
      path: '/v1/candidacy',
      name: 'getCandidacy',
      summary: 'Signed READY of a node that could become a validator, for governance.activate',
      problems: ['not-ready'],
    },
    candidacy,
    (node) => {
      const ready = node.signReady();
      if (typeof ready === 'string') throw new Problem('not-ready', ready);
      return signedReadyCodec.toJson(ready);
    },
  ),
  get({ path: '/livez', name: 'getLive', summary: 'The process answers' }, live, () => ({ live: true })),
  get(
    {
      path: '/readyz',
      name: 'getReady',
      summary: 'The node votes and sees a quorum, or follows without a vote and is current',
      problems: ['syncing', 'no-quorum', 'halted'],
    },
    ready,
    (node) => {
      const { mode, reason = 'no reason given', connected, quorum } = node.consensus();
      if (mode === 'halted') throw new Problem('halted', reason);
      if (mode === 'observing') return observing(node);
      if (mode !== 'active') throw new Problem('syncing', `mode ${mode}: ${reason}`);
      if (connected < quorum)
        throw new Problem('no-quorum', `${connected} of ${quorum} validators needed are connected`);
      return { ready: true, connected };
    },
  ),
];

/** Without a vote it follows whoever has one. R9: what it does not hear of it has to ask for. */
function observing(node: NodePort): Json {
  const { executed, low, connected } = node.consensus();
  if (connected === 0) throw new Problem('no-quorum', 'no validator is connected');
  if (!node.isCurrent()) {
    const why = low > executed ? `certified ${low}` : 'no validator has said yet that nothing is newer';
    throw new Problem('syncing', `mode observing: executed ${executed}, ${why}`);
  }
  return { ready: true, connected };
}

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
