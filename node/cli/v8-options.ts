/**
 * Of the process of a node: each half of a heap's young objects takes at most 8 MiB; V8 would take 64, which no processor's cache holds, and
 * seldom give it back. About 95 MiB less a validator after 100,000 transactions, and some less CPU. It can only be said when a process starts.
 */
export const V8_OPTIONS = ['--max-semi-space-size=8'] as const;
