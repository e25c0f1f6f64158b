import { utf8Decode } from '../ledger/bytes.ts';
import type { Json } from '../ledger/codec.ts';
import { JSON_DEPTH_MAX } from './limits.ts';
import { Problem } from './problems.ts';

/**
 * JSON as bytes from outside: well-formed UTF-8 without BOM, bounded depth, no key twice in an object. JSON.parse alone
 * takes the last of two equal keys, and two readers of one text could then disagree (H02).
 */
export function parseStrictJson(bytes: Uint8Array): Json {
  const text = utf8Decode(bytes);
  if (text === undefined || text.startsWith('\ufeff'))
    throw new Problem('malformed', 'expected JSON in UTF-8 without BOM');
  const problem = structureProblem(text);
  if (problem !== undefined) throw new Problem('malformed', problem);
  try {
    return JSON.parse(text, refuseOdd) as Json;
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem('malformed', `not JSON: ${error instanceof Error ? error.message : 'unreadable'}`);
  }
}

/** 1e400 reads as Infinity, -0 as a number that prints otherwise; escaped surrogates can be lone. */
function refuseOdd(key: string, value: unknown): unknown {
  const odd =
    (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) ||
    (typeof value === 'string' && !value.isWellFormed()) ||
    !key.isWellFormed();
  if (odd)
    throw new Problem(
      'malformed',
      `${key === '' ? 'a value' : JSON.stringify(key)} has a number or text that JSON can't carry exactly`,
    );
  return value;
}

/** Depth and duplicate keys, found by walking over the text; anything else is left to JSON.parse. */
function structureProblem(text: string): string | undefined {
  /** For each open container: the keys so far, or undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') {
      const end = endOfString(text, at);
      if (end === undefined) return 'not JSON: a string does not end';
      const keys = open.at(-1);
      if (expectKey && keys !== undefined) {
        const key = readString(text.slice(at, end + 1));
        if (keys.has(key)) return `the key ${JSON.stringify(key.slice(0, 60))} occurs twice in one object`;
        keys.add(key);
        expectKey = false;
      }
      at = end;
    } else if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : undefined);
      if (open.length > JSON_DEPTH_MAX) return `nested deeper than ${JSON_DEPTH_MAX}`;
      expectKey = char === '{';
    } else if (char === '}' || char === ']') {
      open.pop();
      expectKey = false;
    } else if (char === ',') {
      expectKey = open.at(-1) !== undefined;
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number | undefined {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return undefined;
}

/** The key that a literal stands for: "a" and "\u0061" are the same. */
function readString(literal: string): string {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return literal;
  }
}
