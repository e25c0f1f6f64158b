/** What `npm run bench -- <name>` measures. */
export const BENCHES: readonly string[] = [
  'throughput',
  'operations',
  'single',
  'latency',
  'overload',
  'length',
  'memory',
  'disk',
  'restart',
  'failover',
  'light',
  'observers',
  'attacked',
  'budget',
  'catch-up',
  'scale',
  'wan',
  'window',
];

/** Under which name a bench is recorded: memory and disk are the same rows of one run. */
export function recordedAs(bench: string): string {
  return bench === 'disk' ? 'memory' : bench;
}
