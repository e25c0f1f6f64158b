import { CliError, EXIT } from './errors.ts';
import { ask } from './http.ts';
import { print, table } from './output.ts';

interface NodeStatus {
  readonly name: string;
  readonly chain: {
    readonly chain: string;
    readonly height: number;
    readonly finalHeight: number;
    readonly finalStateRoot: string;
  };
  readonly consensus: {
    readonly mode: string;
    readonly reason?: string;
    readonly view: number;
    readonly leader: number;
  };
  readonly mempool: { readonly transactions: number };
  readonly peers: readonly { readonly name: string; readonly connected: boolean; readonly reason?: string }[];
}

interface Validators {
  readonly items: readonly { readonly index: number; readonly name: string; readonly leader: boolean }[];
}

/** `quorate status`: one line a node, and what each one lacks. Exit 1 if a node is not active, 3 if none answers. */
export async function status(urls: readonly string[], asJson: boolean): Promise<number> {
  const answers = await Promise.all(urls.map((url) => statusOf(url)));
  const found = answers.filter((answer) => 'status' in answer);
  if (found.length === 0) throw (answers[0] as { error: unknown }).error;
  const rows: string[][] = [];
  const notes: string[] = [];
  for (const [i, answer] of answers.entries()) {
    if (!('status' in answer)) {
      rows.push(['?', urls[i]!, 'unreachable', '', '', '', '', '']);
      continue;
    }
    const { name, chain, consensus, mempool, peers } = answer.status;
    const leader = answer.validators.items.find((one) => one.leader)?.name ?? String(consensus.leader);
    const connected = peers.filter((peer) => peer.connected).length;
    const root = `${chain.finalStateRoot.slice(0, 12)}…`;
    const cells = [chain.height, chain.finalHeight, root, leader, `${connected}/${peers.length}`, mempool.transactions];
    rows.push([name, urls[i]!, consensus.mode, ...cells.map(String)]);
    if (consensus.reason !== undefined) notes.push(`${name}: ${consensus.reason}`);
    for (const peer of peers)
      if (!peer.connected) notes.push(`${name}: no channel to ${peer.name}: ${peer.reason ?? 'unknown'}`);
  }
  const heading = ['node', 'url', 'mode', 'height', 'final', 'state root', 'leader', 'peers', 'pending'];
  const json = answers.map((answer, i) =>
    'status' in answer ? { url: urls[i]!, ...answer.status } : { url: urls[i]!, unreachable: true },
  );
  print(asJson, { nodes: json }, [...table(heading, rows), ...(notes.length > 0 ? ['', ...notes] : [])]);
  return found.every((answer) => ['active', 'observing'].includes(answer.status.consensus.mode))
    ? EXIT.ok
    : EXIT.failed;
}

async function statusOf(url: string): Promise<{ status: NodeStatus; validators: Validators } | { error: unknown }> {
  try {
    const [found, validators] = await Promise.all([
      ask<NodeStatus>(url, '/v1/status'),
      ask<Validators>(url, '/v1/validators'),
    ]);
    return { status: found, validators };
  } catch (error) {
    if (error instanceof CliError) return { error };
    throw error;
  }
}
