import fc from 'fast-check';
import { type Codec, type Json, tryFromJson } from '../../ledger/codec.ts';
import { type JsonSchema, schemaOf } from '../../ledger/describe.ts';

/** Lists are tried up to this length; longer ones only cost time. */
const ITEMS_MAX = 3;
const BYTES_MAX = 48;

/** Any value of a codec's type, made from its JSON Schema, so that the schema is tried as well. */
export function valuesOf<T>(codec: Codec<T>): fc.Arbitrary<T> {
  return jsonOf(schemaOf(codec))
    .map((json) => tryFromJson(codec, json))
    .filter(({ ok }) => ok)
    .map((decoded) => (decoded as Extract<typeof decoded, { ok: true }>).value);
}

function jsonOf(schema: JsonSchema): fc.Arbitrary<Json> {
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as Json[]));
  if (Array.isArray(schema.oneOf)) return fc.oneof(...(schema.oneOf as JsonSchema[]).map(jsonOf));
  if ('const' in schema) return fc.constant(schema.const!);
  switch (schema.type) {
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return integers(schema.maximum as number);
    case 'string':
      return texts(schema);
    case 'array':
      return fc.array(jsonOf(schema.items as JsonSchema), {
        minLength: schema.minItems as number,
        maxLength: Math.max(schema.minItems as number, Math.min(schema.maxItems as number, ITEMS_MAX)),
      });
    case 'object': {
      const properties = Object.entries(schema.properties as Record<string, JsonSchema>);
      return fc.record(Object.fromEntries(properties.map(([name, one]) => [name, jsonOf(one)])));
    }
    default:
      throw new Error(`no values for the schema ${JSON.stringify(schema)}`);
  }
}

function integers(max: number): fc.Arbitrary<number> {
  return fc.oneof(
    fc.integer({ min: 0, max }),
    fc.constantFrom(0, 1, max),
    fc.integer({ min: 0, max: Math.min(max, 300) }),
  );
}

function texts({ pattern, minLength, maxLength }: JsonSchema): fc.Arbitrary<string> {
  if (typeof pattern !== 'string') {
    const bounds = { minLength: minLength as number, maxLength: Math.min(maxLength as number, BYTES_MAX) };
    const names = fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/).filter((one) => one.length <= bounds.maxLength);
    return fc.oneof({ weight: 3, arbitrary: names }, fc.string({ unit: 'binary', ...bounds }));
  }
  if (!pattern.startsWith('^0x')) return fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map(String);
  const digits = /\{(\d+)\}\$$/.exec(pattern)?.[1];
  const length = digits === undefined ? undefined : Number(digits) / 2;
  const most = typeof maxLength === 'number' ? (maxLength - 2) / 2 : 0;
  const bytes = fc.uint8Array(
    length === undefined ? { maxLength: Math.min(most, BYTES_MAX) } : { minLength: length, maxLength: length },
  );
  return bytes.map((one) => `0x${Buffer.from(one).toString('hex')}`);
}
