import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * In MiB, of a thread's young objects. V8 would take 48 and not give back what grew old there: 180 MiB less a validator after
 * 80,000 transactions, at no measurable cost.
 */
const YOUNG_OBJECTS_MIB = 12;

/** Starts the worker of `workerUrl(name, base)`. */
export function startWorker(name: string, base: string, options: WorkerOptions): Worker {
  return new Worker(workerUrl(name, base), {
    ...options,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_OBJECTS_MIB },
  });
}

/**
 * The file of a worker beside the module at `base` (its `import.meta.url`): `.ts` when run from source, `.js` from
 * `dist/`, where the compiler does not rewrite names in strings. `name` has no ending: `workerUrl('worker', import.meta.url)`.
 */
export function workerUrl(name: string, base: string): URL {
  return new URL(`./${name}${base.endsWith('.ts') ? '.ts' : '.js'}`, base);
}
