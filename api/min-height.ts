import { z } from 'zod';
import { HEIGHT_WAIT_DEFAULT_MS, HEIGHTS_AHEAD_MAX, WAIT_MAX_MS } from './limits.ts';
import { Problem } from './problems.ts';
import { type ApiContext, integer } from './route.ts';

export const minHeight = integer(0, 999_999_999_999_999)
  .optional()
  .meta({ description: 'Answer only once this node is at this height, like that of a block read elsewhere; else 503' });

export const minHeightQuery = z.strictObject({
  minHeight,
  timeoutMs: integer(0, WAIT_MAX_MS)
    .default(HEIGHT_WAIT_DEFAULT_MS)
    .meta({ description: 'Longest wait for `minHeight` in ms' }),
});

interface Asked {
  readonly minHeight?: number | undefined;
  readonly timeoutMs: number;
}

/**
 * H12: waits until this node has executed `minHeight`, or for `final` has a certificate of it too. Throws the problem
 * `behind` when the time is over, and at once for a height that it can't reach in any wait.
 */
export async function reachHeight(
  { node, waiting }: ApiContext,
  { minHeight: wanted = 0, timeoutMs }: Asked,
  until: 'committed' | 'final',
  signal: AbortSignal,
): Promise<void> {
  const isAt = (): boolean => wanted <= (until === 'final' ? node.chain().finalHeight : node.chain().height);
  if (isAt()) return;
  if (timeoutMs > 0 && wanted <= node.chain().height + HEIGHTS_AHEAD_MAX) {
    waiting.enter(1);
    try {
      await node.reach(wanted, until, timeoutMs, signal);
    } finally {
      waiting.leave(1);
    }
    if (isAt()) return;
  }
  const { height, finalHeight } = node.chain();
  throw new Problem('behind', `expected height ${wanted}; executed here is ${height}, final ${finalHeight}`);
}
