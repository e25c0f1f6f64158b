import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** An accelerator that has no build for every platform: the module, or the reason why it can't be loaded. */
export function loadOptional<T>(name: string): { readonly module: T } | { readonly reason: string } {
  try {
    return { module: require(name) as T };
  } catch (error) {
    return { reason: error instanceof Error ? error.message.split('\n')[0]! : String(error) };
  }
}
