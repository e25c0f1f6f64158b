/**
 * The file of a worker beside the module at `base` (its `import.meta.url`): `.ts` when run from source, `.js` from
 * `dist/`, where the compiler does not rewrite names in strings. `name` has no ending: `workerUrl('worker', import.meta.url)`.
 */
export function workerUrl(name: string, base: string): URL {
  return new URL(`./${name}${base.endsWith('.ts') ? '.ts' : '.js'}`, base);
}
