import type { Json } from '../ledger/codec.ts';

/**
 * One value has two texts, on one line or indented by two spaces: a changed byte anywhere is seen, also one that JSON would
 * overlook, like a key that occurs twice.
 */
export function isPrint(text: string, json: Json): boolean {
  const body = text.endsWith('\n') ? text.slice(0, -1) : text;
  return body === JSON.stringify(json) || body === JSON.stringify(json, undefined, 2);
}
