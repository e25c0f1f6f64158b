import type { ApiCounts } from '../../api/index.ts';
import type { NodeMode, NodePort } from '../../api/ports.ts';
import type { Validator } from '../validator.ts';
import type { DataFolder } from './data-folder.ts';
import type { LoopDelay } from './loop-delay.ts';

/** What metrics are read from when somebody asks for them; nothing is counted for their sake. */
export interface MetricsSource {
  readonly node: Pick<NodePort, 'info' | 'chain' | 'consensus' | 'mempool' | 'peers' | 'evidence' | 'validators'>;
  readonly validator: Pick<Validator, 'state' | 'counters' | 'catchUps' | 'executed'>;
  readonly data: DataFolder;
  readonly loop: Pick<LoopDelay, 'p99'>;
  api(): Promise<ApiCounts>;
}

/** One value, or one for each set of labels. */
export type Reading = number | readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];

export interface Metric {
  readonly name: string;
  /** A counter counts from the start of the process. */
  readonly type: 'gauge' | 'counter';
  /** Also what docs/operations.md says of it. */
  readonly help: string;
  readonly labels?: readonly string[];
  read(source: MetricsSource): Reading | Promise<Reading>;
}

const MODES = ['starting', 'active', 'behind', 'doubt', 'halted', 'observing'] as const satisfies readonly NodeMode[];

const gauge = (name: string, help: string, read: Metric['read'], ...labels: readonly string[]): Metric => ({
  name,
  type: 'gauge',
  help,
  labels,
  read,
});
const counter = (name: string, help: string, read: Metric['read'], ...labels: readonly string[]): Metric => ({
  name,
  type: 'counter',
  help,
  labels,
  read,
});

/** Every metric of ours. Names by the conventions of Prometheus: base units, `_total` for counters. */
export const METRICS: readonly Metric[] = [
  gauge(
    'quorate_info',
    'Always 1; its labels say which node this is',
    ({ node: { info } }) => {
      const { name, version, chain } = info;
      return [{ labels: { node: name, version, chain }, value: 1 }];
    },
    'node',
    'version',
    'chain',
  ),
  gauge(
    'quorate_mode',
    '1 for the mode that the node is in, 0 for the others',
    ({ node }) => {
      const { mode } = node.consensus();
      return MODES.map((one) => ({ labels: { mode: one }, value: one === mode ? 1 : 0 }));
    },
    'mode',
  ),
  gauge('quorate_height', 'Height of the newest executed block', ({ node }) => node.chain().height),
  gauge(
    'quorate_final_height',
    'Height of the newest block under a certificate',
    ({ node }) => node.chain().finalHeight,
  ),
  gauge(
    'quorate_block_age_seconds',
    'Chain time since the time of the newest executed block',
    ({ node, validator }) => Math.max(0, node.chain().time - validator.state.executed.timestamp) / 1_000,
  ),
  gauge('quorate_epoch', 'Epoch of the validator set', ({ node }) => node.chain().epoch),
  gauge('quorate_view', 'View of this epoch that was entered last', ({ node }) => node.consensus().view),
  gauge(
    'quorate_view_timeout_seconds',
    'How long the leader of the view may be silent',
    ({ node }) => node.consensus().viewTimeoutMs / 1_000,
  ),
  gauge('quorate_members', 'Validators of the epoch', ({ node }) => node.validators().length),
  gauge('quorate_quorum_members', 'How many of them a quorum is', ({ node }) => node.consensus().quorum),
  gauge(
    'quorate_connected_members',
    'Validators with a live channel, this one included',
    ({ node }) => node.consensus().connected,
  ),
  gauge('quorate_batches_in_flight', 'Batches proposed and not executed', ({ node }) => node.consensus().inFlight),
  gauge(
    'quorate_mempool_transactions',
    'Transactions that wait to be ordered',
    ({ node }) => node.mempool().transactions,
  ),
  gauge(
    'quorate_mempool_transactions_max',
    'How many of them there may be',
    ({ node }) => node.mempool().transactionsMax,
  ),
  gauge('quorate_mempool_bytes', 'Bytes of the waiting transactions', ({ node }) => node.mempool().bytes),
  gauge('quorate_mempool_bytes_max', 'How many of them there may be', ({ node }) => node.mempool().bytesMax),
  gauge(
    'quorate_evidence_pieces',
    'Proofs of double signing that this node holds',
    ({ node }) => node.evidence().length,
  ),
  counter('quorate_blocks_executed_total', 'Blocks executed', ({ validator }) => validator.executed.blocks),
  counter(
    'quorate_transactions_executed_total',
    'Transactions with a receipt in them',
    ({ validator }) => validator.executed.transactions,
  ),
  counter(
    'quorate_view_changes_total',
    'Views that this node has left',
    ({ validator }) => validator.counters.viewChanges,
  ),
  counter(
    'quorate_batches_refused_total',
    'Proposals of leaders that were refused',
    ({ validator }) => validator.counters.refusedBatches,
  ),
  counter(
    'quorate_peer_messages_refused_total',
    'What validators sent and was refused',
    ({ validator }) => validator.counters.blamed,
  ),
  counter(
    'quorate_catch_ups_total',
    'How often blocks were fetched from others',
    ({ validator }) => validator.catchUps.catchUps,
  ),
  counter(
    'quorate_snapshots_total',
    'How often a snapshot was taken from others',
    ({ validator }) => validator.catchUps.snapshots,
  ),
  ...peerMetrics(),
  ...apiMetrics(),
  gauge(
    'quorate_loop_delay_p99_seconds',
    'How late the replica thread comes to what is due, exceeded in one of a hundred looks since the last scrape',
    ({ loop }) => loop.p99(),
  ),
  gauge('quorate_data_bytes', 'Bytes of files in the data directory, measured once a minute', ({ data }) =>
    data.bytes(),
  ),
  gauge(
    'quorate_data_free_bytes',
    'Free bytes where the data directory is',
    async ({ data }) => (await data.freeBytes()) ?? [],
  ),
];

function peerMetrics(): readonly Metric[] {
  type Peer = ReturnType<NodePort['peers']>[number];
  const each = (value: (peer: Peer) => number): Metric['read'] => {
    return ({ node }) => node.peers().map((peer) => ({ labels: { peer: peer.name }, value: value(peer) }));
  };
  return [
    gauge(
      'quorate_peer_connected',
      '1 if there is a channel to this validator',
      each((peer) => Number(peer.connected)),
      'peer',
    ),
    counter(
      'quorate_peer_sent_bytes_total',
      'Bytes sent to this validator',
      each((peer) => peer.bytesSent),
      'peer',
    ),
    counter(
      'quorate_peer_received_bytes_total',
      'Bytes received of this validator',
      each((peer) => peer.bytesReceived),
      'peer',
    ),
  ];
}

function apiMetrics(): readonly Metric[] {
  const of = (name: keyof ApiCounts): Metric['read'] => {
    return async ({ api }) => (await api())[name];
  };
  return [
    gauge('quorate_api_connections', 'Open connections of the REST API', of('connections')),
    gauge('quorate_api_requests', 'Requests in work', of('requests')),
    gauge('quorate_api_waits', 'Transactions that requests wait for', of('waits')),
    gauge('quorate_api_body_bytes', 'Bytes of bodies that are being read or in work', of('bodyBytes')),
    counter(
      'quorate_api_connections_refused_total',
      'Connections dropped because there were too many',
      of('connectionsRefused'),
    ),
    counter('quorate_api_requests_refused_total', 'Requests answered `busy`', of('requestsRefused')),
  ];
}
