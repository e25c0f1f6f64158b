import type { PendingLog } from '../../node/pending-log.ts';

/** For tests in which nothing is acknowledged for longer than the test runs. */
export const NO_DISK: PendingLog = { keep: async () => {}, begin: async () => {}, close: async () => {} };
