import type { TestContext } from 'node:test';
import { MemberGossip } from '../../p2p/gossip.ts';
import { createHost, type Host } from '../../p2p/host.ts';
import type { Identity } from './networks.ts';

/** A node's key in the hands of somebody who keeps to nothing. */
export async function rawHost({ peerSecret }: Identity, test?: TestContext): Promise<Host> {
  const gossip = new MemberGossip('', { isMember: () => true, charge: () => true });
  const options = { peerSecret, listen: ['/ip4/127.0.0.1/tcp/0'], announce: [] };
  const host = await createHost(options, { admits: () => true, received() {} }, gossip);
  await host.start();
  test?.after(() => host.stop());
  return host;
}
