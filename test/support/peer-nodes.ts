import type { TestContext } from 'node:test';
import { type Log, type NetworkOptions, type PeerNetwork, peerIdOf } from '../../p2p/index.ts';
import { bootstrapOf, type Identity, quietLog, setOf, startOne } from './networks.ts';
import { eventually } from './processes.ts';

interface Line {
  readonly fields: { readonly peer?: string; readonly reason?: string };
  readonly message: string;
}

/** A network on loopback with a set that a test changes, what it logged, and the members as it sees them. */
export interface PeerNode {
  readonly who: Identity;
  readonly network: PeerNetwork;
  readonly lines: readonly Line[];
  members: readonly Identity[];
}

export interface NodeOptions {
  /** Its address is the only one that the node is given. */
  readonly first?: PeerNode;
  readonly guests?: readonly Identity[];
  readonly overrides?: Partial<NetworkOptions>;
}

/** One node; `who` may be none of the members. Closed when the test ends. */
export async function startNode(
  test: TestContext,
  who: Identity,
  members: readonly Identity[],
  { first, guests = [], overrides = {} }: NodeOptions = {},
): Promise<PeerNode> {
  const lines: Line[] = [];
  const take = (fields: object, message: string): void => void lines.push({ fields: { ...fields }, message });
  const log: Log = { ...quietLog, info: take, warn: take };
  const bootstrap = first === undefined ? [] : [bootstrapOf(first.network, first.who)];
  const network = await startOne([who], 0, { set: setOf(members, who, { guests }), bootstrap, log, ...overrides });
  test.after(() => network.close());
  return { who, network, lines, members };
}

/** All members of a set, which know nothing but the first one's address. */
export async function startNodes(test: TestContext, people: readonly Identity[]): Promise<readonly PeerNode[]> {
  const first = await startNode(test, people[0]!, people);
  const others = await Promise.all(people.slice(1).map((who) => startNode(test, who, people, { first })));
  return [first, ...others];
}

export function update(
  node: PeerNode,
  members: readonly Identity[],
  epoch: number,
  guests: readonly Identity[] = [],
): void {
  node.network.update(setOf(members, node.who, { epoch, guests }));
  node.members = members;
}

export const peerIdText = (who: Identity): string => peerIdOf(who.info.peerKey).toString();

export const connectedOf = ({ network, members }: PeerNode): readonly Identity[] =>
  network.connected().map((index) => members[index]!);

/** Until each node has a channel to every other one of `people`, and to no other member. */
export async function meshed(nodes: readonly PeerNode[], people: readonly Identity[]): Promise<void> {
  for (const node of nodes) {
    const others = people.filter((who) => who !== node.who);
    await eventually(
      async () => {
        const connected = connectedOf(node);
        return connected.length === others.length && others.every((who) => connected.includes(who));
      },
      `${node.who.info.name} is connected to ${others.map(({ info }) => info.name)}`,
    );
  }
}

/** Counts how often the node tells from now on that a channel closed. */
export function closings({ network }: PeerNode): () => number {
  let count = 0;
  network.onChannel((_, open) => {
    if (!open) count++;
  });
  return () => count;
}

/** The reasons in lines with this text about this peer. */
export const reasonsOf = ({ lines }: PeerNode, message: string, peer: string): readonly (string | undefined)[] =>
  lines.filter((line) => line.message === message && line.fields.peer === peer).map(({ fields }) => fields.reason);
