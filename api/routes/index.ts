import type { Route } from '../route.ts';
import { withDescriptions } from './about.ts';
import { blockProofRoute, blockRoute, blocksRoute, checkpointRoute, checkpointsRoute } from './blocks.ts';
import { dryRunRoute } from './dry-run.ts';
import { encodeRoute } from './encode.ts';
import { eventsRoute } from './events.ts';
import { lightLatestRoute, lightUpdatesRoute } from './light.ts';
import { nodeRoutes } from './node.ts';
import { docsPageRoute, verifyPageRoute } from './pages.ts';
import { problemRoute, problemsRoute } from './problems.ts';
import { stateRoute, stateRowsRoute } from './state.ts';
import { proofRoute, statusOfBytesRoute, submitBatchRoute, submitRoute, transactionRoute } from './transactions.ts';

/** Everything the API answers. */
export const routes: readonly Route[] = withDescriptions([
  submitRoute,
  submitBatchRoute,
  encodeRoute,
  dryRunRoute,
  transactionRoute,
  statusOfBytesRoute,
  proofRoute,
  blocksRoute,
  blockRoute,
  blockProofRoute,
  checkpointsRoute,
  checkpointRoute,
  eventsRoute,
  lightUpdatesRoute,
  lightLatestRoute,
  stateRoute,
  stateRowsRoute,
  ...nodeRoutes,
  problemsRoute,
  problemRoute,
  verifyPageRoute,
  docsPageRoute,
]);
