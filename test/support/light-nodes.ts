import { updatesCodec } from '../../ledger/bundle.ts';
import { fromHex, toHex } from '../../ledger/bytes.ts';
import { type Certificate, certificateCodec } from '../../ledger/checkpoint.ts';
import { encode } from '../../ledger/codec.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { type Reply, signedReplyCodec } from '../../ledger/reply.ts';
import { tableKeyToText } from '../../ledger/table.ts';
import { decodeTransaction } from '../../ledger/transaction.ts';
import { createLightClient, type LightClient, type LightClientOptions, LightError } from '../../light/client.ts';
import type { LightStore } from '../../light/store.ts';
import { type Chain, encodeBundle, GENESIS_TIME } from './chain.ts';

export const TABLE = 'records.entries';
/** An hour after genesis. */
export const NOW = GENESIS_TIME + 3_600_000;

/** A node that a light client asks: a chain in memory behind what `fetch` would give. */
export interface LightNode {
  readonly chain: Chain;
  /** Height of its newest certificate. */
  certified: number;
  /** Index of the member that signs its replies. */
  readonly member: number;
  /** Answers instead of the true ones, by the beginning of the path after `/v1/`; undefined lets the true one through. */
  lie: (path: string) => Uint8Array | Response | undefined;
  /** Paths that were asked for. */
  readonly asked: string[];
  certificate(): Certificate;
}

export function lightNode(chain: Chain, member = 0, certified = chain.height): LightNode {
  const node: LightNode = {
    chain,
    certified,
    member,
    lie: () => undefined,
    asked: [],
    certificate: () => chain.certify(node.certified),
  };
  return node;
}

/** A client of the nodes, `http://node-0` and so on, with the genesis file's text of the first one's chain. */
export function clientOf(nodes: readonly LightNode[], options: Partial<LightClientOptions> = {}): LightClient {
  const named = Object.fromEntries(nodes.map((node, i) => [`node-${i}`, node]));
  const urls = Object.keys(named).map((name) => `http://${name}`);
  const { genesis } = nodes[0]!.chain;
  return createLightClient({ genesis: genesis.text, urls, fetch: fetchFrom(named), now: () => NOW, ...options });
}

export function memoryStore(): LightStore & { readonly kept: Uint8Array | undefined } {
  let kept: Uint8Array | undefined;
  return {
    load: async () => kept,
    save: async (bytes) => {
      kept = bytes;
    },
    get kept() {
      return kept;
    },
  };
}

export const isError = (code: string, message?: RegExp) => (error: unknown) =>
  error instanceof LightError && error.code === code && (message === undefined || message.test(error.message));

/** `fetch` over nodes by the host of their address; an unknown host can't be reached. */
export function fetchFrom(nodes: Readonly<Record<string, LightNode>>): typeof fetch {
  return async (input, init) => {
    const url = new URL(String(input));
    const node = nodes[url.host];
    if (node === undefined) throw new TypeError('fetch failed');
    const path = url.pathname.replace('/v1/', '') + url.search;
    node.asked.push(path);
    const said = node.lie(path);
    if (said instanceof Response) return said;
    const body = said ?? (await answer(node, url, init));
    return new Response(body as BodyInit | undefined, { status: body === undefined ? 404 : 200 });
  };
}

async function answer(node: LightNode, url: URL, init?: RequestInit): Promise<Uint8Array | string | undefined> {
  const { chain } = node;
  const [kind, a, b] = url.pathname.replace('/v1/', '').split('/');
  switch (kind) {
    case 'light': {
      if (a === 'latest') return node.certified === 0 ? undefined : encode(certificateCodec, node.certificate());
      const from = Number(url.searchParams.get('fromEpoch'));
      return encode(updatesCodec, { handoffs: chain.handoffs.slice(from, from + 64) });
    }
    case 'blocks': {
      const under = url.searchParams.get('under');
      const ends = chain.handoffs.map(({ certificate }) => certificate);
      const end = ends.find(({ checkpoint }) => checkpoint.height === Number(under));
      const certificate = end ?? chain.certify(under === null ? node.certified : Number(under));
      return Number(a) > certificate.checkpoint.height
        ? undefined
        : encodeBundle(chain.blockBundle(Number(a), certificate));
    }
    case 'state': {
      const table = quorateApplication.table(decodeURIComponent(a!))!;
      const parts = tableKeyToText(table, fromHex(b!)!)!
        .split(':')
        .map((part) => fromHex(part) ?? part);
      return encodeBundle(chain.stateBundle(table, parts, node.certificate()));
    }
    default:
      return b === 'proof' ? proofOf(node, a!) : JSON.stringify(await statusOf(node, init));
  }
}

function proofOf(node: LightNode, idHex: string): Uint8Array | undefined {
  for (const [height, { transactions }] of node.chain.blocks.entries()) {
    const index = transactions.findIndex(({ id }) => toHex(id) === idHex);
    if (index >= 0) return encodeBundle(node.chain.transactionBundle(height, index, node.certificate()));
  }
  return undefined;
}

/** A node says `expired` of whatever it does not have: its chain is the whole world. */
async function statusOf({ chain, member }: LightNode, init?: RequestInit) {
  const decoded = decodeTransaction(chain.genesis.id, new Uint8Array(init?.body as Uint8Array<ArrayBuffer>));
  if (!decoded.ok) throw new Error(decoded.problem);
  const { id } = decoded.value;
  const none = { kind: 'none', value: {} } as const;
  const reply: Reply = {
    id,
    status: 'expired',
    epoch: chain.epoch,
    height: 0,
    blockHash: new Uint8Array(32),
    receipt: none,
  };
  return { status: 'expired', reply: signedReplyCodec.toJson(chain.signReply(member, reply)) };
}
