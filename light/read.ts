import { type Codec, type Json, tryDecode, tryFromJson } from '../ledger/codec.ts';

/**
 * What bytes, or the JSON form as text or parsed, say; or what is wrong with them. Never throws for bad input. `what`: how
 * the texts of problems call it.
 */
export function readAs<T>(codec: Codec<T>, given: Uint8Array | string | Json, what: string): T | string {
  try {
    const read =
      given instanceof Uint8Array
        ? tryDecode(codec, given)
        : tryFromJson(codec, typeof given === 'string' ? (JSON.parse(given) as Json) : given);
    if (!read.ok) return read.problem;
    return typeof given !== 'string' || isPrint(given, codec.toJson(read.value))
      ? read.value
      : `the text is not the JSON print of the ${what}: it was changed somewhere`;
  } catch (error) {
    // JSON.parse; or an object that no JSON gives, which may throw anything when it is read.
    return `not JSON: ${error instanceof Error ? error.message : 'it can not be read'}`;
  }
}

/**
 * One value has two texts, on one line or indented by two spaces: a changed byte anywhere is seen, also one that JSON would
 * overlook, like a key that occurs twice.
 */
function isPrint(text: string, json: Json): boolean {
  const body = text.endsWith('\n') ? text.slice(0, -1) : text;
  return body === JSON.stringify(json) || body === JSON.stringify(json, undefined, 2);
}
