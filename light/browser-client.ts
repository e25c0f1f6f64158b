/** The light client of light/index.ts, as a file for pages: follows a chain, compares nodes, and proves what it answers. */
export * from './browser.ts';
export {
  createLightClient,
  type LightClient,
  type LightClientOptions,
  LightError,
  type Position,
  type Proven,
  printForkEvidence,
  type SourceState,
} from './client.ts';
export type { LightStore } from './store.ts';
