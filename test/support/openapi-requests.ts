import fc from 'fast-check';

/** What is read here of an OpenAPI 3.1 document. */
export interface OpenApi {
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: { readonly schemas: { readonly [name: string]: Schema } };
}

export interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: 'path' | 'query';
    readonly required: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: { readonly [type: string]: { readonly schema: Schema } } };
  readonly responses: {
    readonly [status: string]: { readonly content?: { readonly [type: string]: { readonly schema?: Schema } } };
  };
}

/** Of JSON Schema what the document uses; another keyword is an error, so that the generator does not fall behind. */
export type Schema = { readonly [keyword: string]: unknown };

/** One request, as a client that knows only the document would make it. */
export interface DescribedRequest {
  readonly path: string;
  readonly method: string;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly pathValues: readonly string[];
  readonly body: { readonly type: string; readonly content: Uint8Array | string } | undefined;
}

/** What requests may be made of besides the document. */
export interface Material {
  /** Texts that answers had, like ids, cursors and keys; grows while requests are made. */
  readonly texts: readonly string[];
  /** Octets that are sound bodies. */
  readonly bodies: readonly Uint8Array[];
}

/** Longest wait that is asked for, in ms, whatever the document allows. */
export const WAIT_ASKED_MAX_MS = 40;
const KEYWORDS = new Set(
  'type enum const minimum maximum exclusiveMinimum pattern maxLength minLength properties required additionalProperties items minItems maxItems oneOf anyOf allOf $ref description default contentMediaType format discriminator'.split(
    ' ',
  ),
);

/** Requests to every operation: mostly as the document says, some with what it forbids. */
export function requestsOf(document: OpenApi, material: Material): fc.Arbitrary<DescribedRequest> {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => requestOf(document, material, path, method, operation)),
  );
  return fc.oneof(...operations);
}

function requestOf(
  document: OpenApi,
  material: Material,
  path: string,
  method: string,
  { parameters = [], requestBody }: Operation,
): fc.Arbitrary<DescribedRequest> {
  const values = (place: 'path' | 'query') => parameters.filter((one) => one.in === place);
  const text = (name: string, schema: Schema) => parameterOf(document, material, name, schema);
  const queries = values('query').map(({ name, schema }) => {
    const given = text(name, schema).map((value) => [name, value] as const);
    // Without it a node waits for as long as it finds right.
    return name === 'timeoutMs' ? given : fc.option(given, { nil: undefined });
  });
  const stray = fc.option(fc.tuple(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 })), {
    nil: undefined,
    freq: 20,
  });
  return fc.record({
    path: fc.constant(path),
    method: fc.constant(method.toUpperCase()),
    pathValues: fc.tuple(...values('path').map(({ name, schema }) => text(name, schema))),
    query: fc.tuple(...queries, stray).map((given) => given.filter((one) => one !== undefined)),
    body: requestBody === undefined ? fc.constant(undefined) : bodyOf(document, material, requestBody.content),
  });
}

function parameterOf(document: OpenApi, { texts }: Material, name: string, schema: Schema): fc.Arbitrary<string> {
  const bounded = name === 'timeoutMs' ? { ...schema, maximum: WAIT_ASKED_MAX_MS } : schema;
  return fc.oneof(
    { weight: 6, arbitrary: fitting(document, bounded).map(String) },
    // One of them may be a long time.
    {
      weight: name === 'timeoutMs' ? 0 : 6,
      arbitrary: fc.nat().map((i) => texts[i % Math.max(1, texts.length)] ?? '0'),
    },
    { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }) },
    // A wait that is beyond the bound must be refused, not waited for.
    { weight: 1, arbitrary: fc.constantFrom('-1', '1e9', '9007199254740993', '0x', '__proto__', '\u0000', '..%2f') },
  );
}

function bodyOf(
  document: OpenApi,
  { bodies }: Material,
  content: { readonly [type: string]: { readonly schema: Schema } },
): fc.Arbitrary<DescribedRequest['body']> {
  const forms = Object.entries(content).flatMap(([type, { schema }]): fc.Arbitrary<DescribedRequest['body']>[] => {
    if (type !== 'application/json') {
      const sound = fc.nat().map((i) => bodies[i % bodies.length]!);
      const changed = fc.tuple(sound, fc.nat(), fc.nat(255)).map(([bytes, at, value]) => {
        const copy = bytes.slice();
        copy[at % copy.length] = value;
        return copy;
      });
      const cut = fc.tuple(sound, fc.nat()).map(([bytes, length]) => bytes.slice(0, length % bytes.length));
      const octets = fc.oneof(sound, changed, cut, fc.uint8Array({ maxLength: 400 }));
      return [octets.map((bytes) => ({ type, content: bytes }))];
    }
    const json = fc.oneof(fitting(document, schema), fc.jsonValue()).map((value) => JSON.stringify(value));
    const text = fc.oneof({ weight: 8, arbitrary: json }, { weight: 1, arbitrary: fc.string() });
    return [text.map((content) => ({ type, content }))];
  });
  return fc.oneof(...forms);
}

/** Values that fit the schema. */
function fitting(document: OpenApi, schema: Schema): fc.Arbitrary<unknown> {
  const strange = Object.keys(schema).find((keyword) => !KEYWORDS.has(keyword));
  if (strange !== undefined) throw new Error(`the keyword ${strange} of ${JSON.stringify(schema)} is not known here`);
  const of = (inner: unknown) => fitting(document, inner as Schema);
  const { $ref, oneOf, anyOf, allOf, enum: values, type } = schema;
  if (typeof $ref === 'string') return of(document.components.schemas[$ref.split('/').at(-1)!]);
  if (Array.isArray(oneOf ?? anyOf)) return fc.oneof(...((oneOf ?? anyOf) as Schema[]).map(of));
  if (Array.isArray(allOf)) return fc.tuple(...allOf.map(of)).map((parts) => Object.assign({}, ...parts));
  if ('const' in schema) return fc.constant(schema.const);
  if (Array.isArray(values)) return fc.constantFrom(...values);
  switch (type) {
    case 'string':
      return stringOf(schema);
    case 'integer':
    case 'number':
      return fc.integer({
        min: (schema.minimum as number | undefined) ?? 0,
        max: Math.min((schema.maximum as number | undefined) ?? 2 ** 31, Number.MAX_SAFE_INTEGER),
      });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(of(schema.items), {
        minLength: (schema.minItems as number | undefined) ?? 0,
        maxLength: Math.min((schema.maxItems as number | undefined) ?? 3, ((schema.minItems as number) ?? 0) + 3),
      });
    case 'object': {
      const { properties = {}, required = [] } = schema as {
        properties?: { readonly [name: string]: Schema };
        required?: readonly string[];
      };
      const fields = Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, of(inner)]));
      return fc.record(fields, { requiredKeys: required as string[] });
    }
    default:
      return fc.jsonValue();
  }
}

function stringOf({ pattern, minLength, maxLength }: Schema): fc.Arbitrary<string> {
  if (typeof pattern === 'string') return fc.stringMatching(new RegExp(pattern), { size: 'small' });
  const min = (minLength as number | undefined) ?? 0;
  return fc.string({ minLength: min, maxLength: Math.min((maxLength as number | undefined) ?? 30, min + 30) });
}
