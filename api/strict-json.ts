import { utf8Decode } from '../ledger/bytes.ts';
import type { Json } from '../ledger/codec.ts';
import { JSON_DEPTH_MAX } from './limits.ts';
import { Problem } from './problems.ts';

/**
 * JSON as bytes from outside: well-formed UTF-8 without BOM, bounded depth, no key twice in an object, numbers only whole
 * and exact. JSON.parse alone takes the last of two equal keys and rounds 9007199254740993, and two readers of one text
 * could then disagree (H02).
 */
export function parseStrictJson(bytes: Uint8Array): Json {
  const text = utf8Decode(bytes);
  if (text === undefined || text.startsWith('\ufeff')) throw malformed('expected JSON in UTF-8 without BOM');
  const problem = structureProblem(text);
  if (problem !== undefined) throw malformed(problem);
  try {
    return JSON.parse(text, refuseLoneSurrogates) as Json;
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw malformed('not JSON');
  }
}

/** Escapes can write half a surrogate pair, which no UTF-8 has. */
function refuseLoneSurrogates(key: string, value: unknown): unknown {
  if (!key.isWellFormed() || (typeof value === 'string' && !value.isWellFormed())) {
    throw malformed(`${shown(key)} or its value has half a surrogate pair`);
  }
  return value;
}

/** What JSON.parse would let pass, found by walking over the text; all else is left to it. */
function structureProblem(text: string): string | undefined {
  /** For each open container: the keys so far, or undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '"') {
      const end = endOfString(text, at);
      if (end === undefined) return 'not JSON: a string does not end';
      const keys = open.at(-1);
      if (expectKey && keys !== undefined) {
        const key = readString(text.slice(at, end + 1));
        // Objects of many libraries lose this key or take it for the prototype.
        if (key === '__proto__') return 'the key __proto__ is not taken';
        if (keys.has(key)) return `the key ${shown(key)} occurs twice in one object`;
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
    } else if (char === '-' || (char >= '0' && char <= '9')) {
      const end = endOfNumber(text, at);
      if (!isExact(text.slice(at, end))) return `expected whole numbers up to 2^53 - 1, got ${text.slice(at, at + 24)}`;
      at = end - 1;
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

function endOfNumber(text: string, start: number): number {
  let at = start;
  while (at < text.length && '+-.eE0123456789'.includes(text[at]!)) at++;
  return at;
}

/** 1e400, 1.0, -0 and what a double rounds have no place in our JSON; amounts are strings. */
function isExact(number: string): boolean {
  return /^(0|-?[1-9][0-9]{0,15})$/.test(number) && Number.isSafeInteger(Number(number));
}

/** The key that a literal stands for: "a" and "\u0061" are the same. */
function readString(literal: string): string {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return literal;
  }
}

function shown(key: string): string {
  return JSON.stringify(key.slice(0, 60));
}

function malformed(detail: string): Problem {
  return new Problem('malformed', detail);
}
