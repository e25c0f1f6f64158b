import { bundleNode } from './node.ts';
import { writePages } from './pages.ts';

/** What `npm start` does first: the pages that nodes serve, and the nodes themselves in files that load quickly. */
await writePages();
await bundleNode();
