import { type Bundle, bundleCodec } from '../../ledger/bundle.ts';
import { equalBytes, utf8Encode } from '../../ledger/bytes.ts';
import { decode, encode, type Json } from '../../ledger/codec.ts';
import { mutate } from './mutate.ts';
import { exchangesOf } from './mutations.ts';
import { changesOf, type Place, randomPlace, tryEncode } from './places.ts';

type Random = (below: number) => number;

/** What is given to a verifier of bundles. */
export interface BundleInput {
  readonly proof: Uint8Array | string | Json;
  /** Of the proof: bytes, or characters of its JSON. */
  readonly size: number;
  /** Nothing was changed. */
  readonly isSound: boolean;
}

/** A sound bundle in one of its forms, or what became of it: its value, its bytes, its text or its JSON changed. */
export function bundleInput(bundles: readonly Bundle[], random: Random): BundleInput {
  const base = bundles[random(bundles.length)]!;
  const other = bundles[random(bundles.length)]!;
  if (random(40) === 0) return { ...inSomeForm(base, random), isSound: true };
  switch (random(8)) {
    case 0:
      return bytesInput(mutate(encode(bundleCodec, base), encode(bundleCodec, other), random));
    case 1: {
      const [text, otherText] = [base, other].map((one) => utf8Encode(JSON.stringify(bundleCodec.toJson(one))));
      return textInput(new TextDecoder().decode(mutate(text!, otherText!, random)));
    }
    case 2:
      return textInput(otherSpelling(JSON.stringify(bundleCodec.toJson(base)), random));
    case 3: {
      const json = bundleCodec.toJson(base);
      const changed = changedJson(json, random);
      const text = random(2) === 0 ? printed(changed) : undefined;
      return text === undefined ? objectInput(changed, JSON.stringify(json).length) : textInput(text);
    }
    default: {
      let changed = base;
      for (let round = random(4) === 0 ? 3 : 1; round > 0; round--) changed = changedValue(changed, other, random);
      return inSomeForm(changed, random);
    }
  }
}

function bytesInput(proof: Uint8Array): BundleInput {
  return { proof, size: proof.length, isSound: false };
}

function textInput(proof: string): BundleInput {
  return { proof, size: proof.length, isSound: false };
}

/** `size`: of what it was made from. */
function objectInput(proof: Json, size: number): BundleInput {
  return { proof, size, isSound: false };
}

function inSomeForm(bundle: Bundle, random: Random): BundleInput {
  if (random(3) > 0) return bytesInput(encode(bundleCodec, bundle));
  const json = bundleCodec.toJson(bundle);
  const forms = [
    () => objectInput(json, JSON.stringify(json).length),
    () => textInput(JSON.stringify(json)),
    () => textInput(`${JSON.stringify(json)}\n`),
    () => textInput(JSON.stringify(json, undefined, 2)),
    () => textInput(`${JSON.stringify(json, undefined, 2)}\n`),
  ];
  return forms[random(forms.length)]!();
}

/** Some of what JSON can not hold ends its printing. */
function printed(json: Json): string | undefined {
  try {
    return JSON.stringify(json);
  } catch {
    return undefined;
  }
}

/** One place of a bundle changed, or exchanged with a piece of another, so that it is still a Bundle. */
function changedValue(bundle: Bundle, other: Bundle, random: Random): Bundle {
  const before = encode(bundleCodec, bundle);
  for (;;) {
    // The fact has half of the changes: it is what the last steps are about.
    const place = random(2) === 0 ? randomPlace(bundle, random) : placeInFact(bundle, random);
    const changes = random(3) === 0 ? exchangesOf(place, [other]) : changesOf(place.value, random);
    if (changes.length === 0) continue;
    const bytes = tryEncode(bundleCodec, place.with(changes[random(changes.length)]!.value));
    if (bytes !== undefined && !equalBytes(bytes, before)) return decode(bundleCodec, bytes);
  }
}

function placeInFact(bundle: Bundle, random: Random): Place<Bundle> {
  const { kind, value } = bundle.fact;
  const { path, value: found, with: put } = randomPlace<Bundle['fact']['value']>(value, random);
  return {
    path: `fact.value.${path}`,
    value: found,
    with: (other) => ({ ...bundle, fact: { kind, value: put(other) } as Bundle['fact'] }),
  };
}

/** The same value in JSON that no printer gives, or a little more than it. */
function otherSpelling(text: string, random: Random): string {
  const at = random(text.length);
  const insert = (what: string): string => text.slice(0, at) + what + text.slice(at);
  const spellings = [
    () => ` ${text}`,
    () => `${text}\n\n`,
    () => `\ufeff${text}`,
    () => `${text}${text}`,
    () => insert([' ', '\n', '\u0000', ',', '"', '\ud800'][random(6)]!),
    () => text.replace('{', '{"format":"quorate-proof-1",'),
    () => text.replace('"fact"', '"\\u0066act"'),
    () => text.replace('"format":"quorate-proof-1",', '').replace(/\}$/, ',"format":"quorate-proof-1"}'),
    () => text.replace(/:(\d+)/, (_, digits) => `:${digits}.0`),
    () => text.replace(/:(\d+)/, (_, digits) => `:${digits}e0`),
    () => text.replace(/:(\d+)/, (_, digits) => `:-${digits}`),
    () => text.replace(/0x([0-9a-f]+)/, (_, digits: string) => `0x${digits.toUpperCase()}`),
    () => JSON.stringify(JSON.parse(text), undefined, 1 + random(4)),
    () => `${'['.repeat(20_000)}${text}${']'.repeat(20_000)}`,
  ];
  return spellings[random(spellings.length)]!();
}

/** One place of JSON changed, also to what no JSON text gives. */
export function changedJson(json: Json, random: Random): Json {
  const place = randomPlace(json, random);
  if (random(3) > 0) {
    const changes = changesOf(place.value, random);
    if (changes.length > 0) return place.with(changes[random(changes.length)]!.value);
  }
  return place.with(STRANGE[random(STRANGE.length)]!(place.value));
}

const STRANGE: readonly ((value: unknown) => unknown)[] = [
  () => null,
  () => undefined,
  () => true,
  () => -0,
  () => 0.5,
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => 10n,
  () => Symbol.iterator,
  () => () => 0,
  () => '0x',
  () => '0X00',
  () => '\ud800',
  () => 'x'.repeat(200_000),
  () => Uint8Array.of(1, 2, 3),
  () => new Date(0),
  () => new Array(2 ** 32 - 1),
  (value) => [value],
  (value) => ({ kind: 'block', value }),
  (value) => (isObject(value) ? { ...value, note: 1 } : { value }),
  (value) => (isObject(value) ? JSON.parse(`{"__proto__":{},${JSON.stringify(value).slice(1)}`) : value),
  (value) => (isObject(value) ? Object.fromEntries(Object.entries(value).slice(1)) : value),
  (value) => (isObject(value) ? Object.fromEntries(Object.entries(value).reverse()) : value),
  (value) => (isObject(value) ? inherited(value) : value),
  () => new Proxy({}, traps()),
  () => new Proxy([], traps()),
  (value) => (isObject(value) ? Object.defineProperty({ ...value }, 'kind', { get: thrown, enumerable: true }) : value),
  () => {
    const circle: Record<string, unknown> = {};
    circle.value = circle;
    return circle;
  },
  () => {
    let deep: unknown = 0;
    for (let i = 0; i < 20_000; i++) deep = [deep];
    return deep;
  },
];

function isObject(value: unknown): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The first field is not its own. */
function inherited(value: Record<string, Json>): unknown {
  const [first, ...others] = Object.entries(value);
  return Object.assign(
    Object.create(first === undefined ? null : { [first[0]]: first[1] }),
    Object.fromEntries(others),
  );
}

function thrown(): never {
  throw new Error('read');
}

function traps(): ProxyHandler<object> {
  return { get: thrown, ownKeys: thrown, has: thrown, getPrototypeOf: thrown, getOwnPropertyDescriptor: thrown };
}
