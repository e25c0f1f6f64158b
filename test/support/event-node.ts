import type { BlockView, NodePort, ViewEntered, Watcher } from '../../api/ports.ts';
import { blockHash } from '../../ledger/block.ts';
import type { Chain } from './chain.ts';
import { fakeNode } from './fake-node.ts';

export interface EventNode extends NodePort {
  /** Newest final height. */
  final: number;
  /** Blocks below are not kept. */
  base: number;
  /** Heights that were read, in order. */
  readonly read: number[];
  readonly watchers: ReadonlySet<Watcher>;
  /** Everything up to this height is final from now on. */
  makeFinal(height: number): void;
  enterView(view: ViewEntered): void;
  /** Runs before a block is given: may wait or fail. */
  beforeBlock(height: number): Promise<void>;
}

/** A node that has only what event streams ask for, over a chain in memory whose blocks become final when they are told to. */
export function eventNode(chain: Chain, final: number): EventNode {
  const watchers = new Set<Watcher>();
  const views = chain.blocks.map(
    ({ header, transactions, receipts }): BlockView => ({
      hash: blockHash(header),
      header,
      transactions: transactions.map(({ id, bytes }, i) => ({ id, bytes, receipt: receipts[i]! })),
    }),
  );
  const ends = chain.handoffs.map(({ certificate }) => certificate.checkpoint.height);
  const fake = fakeNode();
  const node: EventNode = {
    ...fake,
    info: { ...fake.info, genesisId: chain.genesis.id },
    final,
    base: 0,
    read: [],
    watchers,
    makeFinal(height) {
      node.final = height;
      for (const watcher of watchers) watcher.final(height);
    },
    enterView(view) {
      for (const watcher of watchers) watcher.viewEntered(view);
    },
    beforeBlock: async () => undefined,
    chain: () => ({ ...fake.chain(), height: node.final, finalHeight: node.final }),
    async block(at) {
      const height = Number(at);
      node.read.push(height);
      await node.beforeBlock(height);
      return height < node.base ? undefined : views[height];
    },
    blocks: async (from, limit) => views.slice(Math.max(from, node.base)).slice(0, limit),
    async epochAt(height) {
      if (height === 0) return { epoch: undefined, next: undefined };
      const handoff = chain.handoffs[ends.indexOf(height)];
      const next = handoff && { number: ends.indexOf(height) + 1, validators: handoff.next };
      return { epoch: ends.filter((end) => end < height).length, next };
    },
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
  return node;
}
