import { z } from 'zod';
import type { Json } from '../ledger/codec.ts';
import { PROBLEMS, type ProblemCode } from './problems.ts';
import { type AnswerForm, CONSISTENCY, problemsOf, type Route } from './route.ts';
import { components } from './schemas.ts';

type JsonObject = { readonly [key: string]: Json };

/** The route table as an OpenAPI 3.1 document: nothing in it is written by hand twice. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = openApiPath(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Quorate',
      version,
      description:
        'REST API of a Quorate validator. Bytes are 0x and lower-case hex, amounts decimal strings, times ms.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: { schemas: componentSchemas(), headers: HEADERS },
  };
}

/** `/v1/blocks/:at` as OpenAPI writes it: `/v1/blocks/{at}`. */
export function openApiPath(path: string): string {
  return path.replace(/:(\w+)/g, '{$1}');
}

/** The part of the API that a path belongs to. */
function groupOf(path: string): string {
  const [, version, name = ''] = path.split('/');
  if (version !== 'v1') return 'server';
  return ['transactions', 'blocks', 'checkpoints', 'light', 'state', 'events'].includes(name) ? name : 'node';
}

const CHAIN_HEADERS = ['Quorate-Height', 'Quorate-Final-Height', 'Quorate-Time'];
const HEADERS: JsonObject = {
  'Quorate-Height': header('Newest executed block of this node'),
  'Quorate-Final-Height': header('Newest block under a certificate at this node'),
  'Quorate-Time': header('Chain time in ms: what validUntil is chosen from'),
  'Retry-After': header('Seconds after which trying again makes sense'),
};

function header(description: string): JsonObject {
  return { description, schema: { type: 'integer', minimum: 0 } };
}

function operation(route: Route): Json {
  const { name, summary, consistency, consistencyNote, params, query, headers, body, answers, cacheable } = route;
  const responses: Record<string, Json> = {};
  for (const [status, answer] of Object.entries(answers)) responses[status] = response(answer);
  if (cacheable) responses['304'] = { description: 'What If-None-Match names is still right', headers: headersOf() };
  const byStatus = Map.groupBy(problemsOf(route), (code) => PROBLEMS[code].status);
  for (const [status, codes] of byStatus) responses[status] = problemResponse(codes);
  return {
    operationId: name,
    summary,
    tags: [groupOf(route.path)],
    description: `Consistency: \`${consistency}\`. ${CONSISTENCY[consistency]}${consistencyNote === undefined ? '' : ` ${consistencyNote}.`}`,
    'x-consistency': consistency,
    parameters: [
      ...parameters('path', params),
      ...parameters('query', query),
      ...(headers === undefined ? [] : parameters('header', headers)),
    ],
    ...(body && {
      requestBody: {
        required: true,
        content: {
          'application/json': { schema: schemaOf(body.json, 'input') },
          ...(body.bytes && { 'application/octet-stream': { schema: binary(body.bytes) } }),
        },
      },
    }),
    responses,
  };
}

function response({ description, json, bytes, html, events }: AnswerForm): Json {
  return {
    description,
    headers: headersOf(),
    content: {
      ...(json && { 'application/json': { schema: schemaOf(json, 'output') } }),
      ...(bytes && { 'application/octet-stream': { schema: binary(bytes) } }),
      ...(events && { 'text/event-stream': { schema: eventStream(events) } }),
      ...(html && { 'text/html': { schema: { type: 'string', description: html } } }),
    },
  };
}

/** OpenAPI 3.1 has no words for streams: each message as an object of its lines, `data` as the JSON in it. */
function eventStream(events: NonNullable<AnswerForm['events']>): Json {
  return {
    type: 'array',
    items: {
      oneOf: Object.entries(events).map(([event, data]) => ({
        type: 'object',
        properties: {
          id: { type: 'string' },
          event: { const: event },
          data: { type: 'string', contentMediaType: 'application/json', contentSchema: schemaOf(data, 'output') },
        },
        required: ['event', 'data'],
      })),
    },
  };
}

function problemResponse(codes: readonly ProblemCode[]): Json {
  const lines = codes.map((code) => `\`${code}\` (retry: ${PROBLEMS[code].retry}): ${PROBLEMS[code].description}`);
  const retries = codes.some((code) => 'retryAfter' in PROBLEMS[code]);
  return {
    description: lines.join('\n\n'),
    headers: headersOf(...(retries ? ['Retry-After'] : [])),
    content: {
      'application/problem+json': {
        schema: {
          allOf: [
            { $ref: '#/components/schemas/Problem' },
            { type: 'object', properties: { code: { enum: [...codes] } } },
          ],
        },
      },
    },
  };
}

function headersOf(...more: readonly string[]): JsonObject {
  return Object.fromEntries(
    [...CHAIN_HEADERS, ...more].map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  );
}

/** Types are those after reading (an integer, not its digits); what may lack is what the reader lets lack. */
function parameters(place: 'path' | 'query' | 'header', schema: z.ZodObject): Json[] {
  const { properties = {} } = plainSchema(schema, 'output') as { properties?: JsonObject };
  const { required = [] } = plainSchema(schema, 'input') as { required?: readonly string[] };
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as JsonObject;
    return {
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description !== undefined && { description }),
      schema: rest,
    };
  });
}

function binary(description: string): Json {
  return { description, contentMediaType: 'application/octet-stream' };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const id = components.get(schema)?.id;
  return id === undefined ? plainSchema(schema, io) : { $ref: `#/components/schemas/${id}` };
}

function plainSchema(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  return withoutIds(z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonObject);
}

/** Requests are described as they are sent; answers have no transforms, so that both are the same for them. */
function componentSchemas(): Json {
  const { schemas } = z.toJSONSchema(components, {
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => [id, withoutIds(schema as unknown as JsonObject)]),
  );
}

function withoutIds({ $schema: _schema, $id: _id, ...rest }: JsonObject): JsonObject {
  return rest;
}
