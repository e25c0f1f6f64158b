import type { Route } from '../route.ts';
import { withDescriptions } from './about.ts';
import { blockRoute, blocksRoute, checkpointRoute, checkpointsRoute } from './blocks.ts';
import { encodeRoute } from './encode.ts';
import { nodeRoutes } from './node.ts';
import { stateRoute, stateRowsRoute } from './state.ts';
import { proofRoute, submitBatchRoute, submitRoute, transactionRoute } from './transactions.ts';
import { verifyPageRoute } from './verify-page.ts';

/** Everything the API answers. */
export const routes: readonly Route[] = withDescriptions([
  submitRoute,
  submitBatchRoute,
  encodeRoute,
  transactionRoute,
  proofRoute,
  blocksRoute,
  blockRoute,
  checkpointsRoute,
  checkpointRoute,
  stateRoute,
  stateRowsRoute,
  ...nodeRoutes,
  verifyPageRoute,
]);
