import { concatBytes, toHex } from '../../ledger/bytes.ts';
import type { Codec, Json } from '../../ledger/codec.ts';
import { layoutOf } from '../../ledger/describe.ts';

/** Bytes that must be refused at `step`. */
export interface BadBytes {
  readonly [field: string]: Json;
  readonly name: string;
  readonly step: string;
  readonly bytes: string;
}

/** JSON text that must be refused at `step`. It is text, because `-0` or a field twice would not survive as JSON. */
export interface BadText {
  readonly [field: string]: Json;
  readonly name: string;
  readonly step: string;
  readonly text: string;
}

/** Encodings that no decoder may accept, each with the reason as its name. */
export function undecodable(cases: Readonly<Record<string, Uint8Array>>): BadBytes[] {
  return Object.entries(cases).map(([name, bytes]) => ({ name, step: 'decode', bytes: toHex(bytes) }));
}

/** JSON that is not the JSON form of the type, each with the reason as its name. */
export function unreadable(cases: Readonly<Record<string, string>>): BadText[] {
  return Object.entries(cases).map(([name, text]) => ({ name, step: 'json', text }));
}

/** Hex digits, bytes, and whole encodings, joined. */
export function joined(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  return concatBytes(
    ...parts.map((part) => (typeof part === 'string' ? Uint8Array.from(Buffer.from(part, 'hex')) : part)),
  );
}

/** What every structure refuses: bytes cut off or left over, and in JSON fields too many, too few, or of another type. */
export function commonBadCases(codec: Codec<unknown>, sound: Uint8Array, json: Json): (BadBytes | BadText)[] {
  const bytes = undecodable({
    'no bytes': new Uint8Array(0),
    'last byte missing': sound.subarray(0, -1),
    'trailing byte': joined(sound, '00'),
  });
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return [...bytes, ...unreadable({ 'not an array': '{}', 'an item of another type': '[7]' })];
  }
  const [first, ...others] = Object.entries(json);
  const printed = (entries: readonly (readonly [string, Json])[]): string =>
    JSON.stringify(Object.fromEntries(entries));
  if (first === undefined) throw new Error(`${layoutOf(codec)} has no fields`);
  return [
    ...bytes,
    ...unreadable({
      'a field missing': printed(others),
      'a field too many': printed([first, ...others, ['note', '']]),
      'a field of another type': printed([[first[0], null], ...others]),
      'not an object': JSON.stringify(Object.values(json)),
    }),
  ];
}
