import { setTimeout as delay } from 'node:timers/promises';

const EVERY_MS = 10;
const TIMEOUT_MS = 5_000;

/** When blocks became final at one node, on this process's clock. */
export interface FinalityWatch {
  /** In ms; undefined if it has not been seen to be final. */
  finalAt(height: number): number | undefined;
  stop(): Promise<void>;
}

/** Asks a node again and again how far finality has come there: late by what the question takes, never early. */
export function watchFinality(url: string): FinalityWatch {
  const seen: { readonly height: number; readonly at: number }[] = [];
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      const answer = await fetch(`${url}/v1/chain`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
        .then((response) => (response.ok ? response.json() : undefined))
        // An overloaded node answers later; the next answer covers what this one would have said.
        .catch(() => undefined);
      const height = (answer as { finalHeight: number } | undefined)?.finalHeight;
      if (height !== undefined && height > (seen.at(-1)?.height ?? -1)) seen.push({ height, at: performance.now() });
      await delay(EVERY_MS);
    }
  })();
  return {
    finalAt(height) {
      return seen.find((one) => one.height >= height)?.at;
    },
    async stop() {
      stopped = true;
      await watching;
    },
  };
}
