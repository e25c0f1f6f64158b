import type { Json } from '../../ledger/codec.ts';
import { openApiDocument, openApiPath } from '../openapi.ts';
import { none, type Route, route } from '../route.ts';
import { anyObject, index } from '../schemas.ts';

/** The routes that describe all routes, themselves included. */
export function withDescriptions(described: readonly Route[]): readonly Route[] {
  let document: Json | undefined;
  const indexRoute = route({
    method: 'GET',
    path: '/',
    name: 'getIndex',
    summary: 'This list',
    consistency: 'node',
    params: none,
    query: none,
    answers: { 200: { description: 'What there is, for whoever opens the address without knowing', json: index } },
    problems: [],
    handle: async ({ node }) => ({
      status: 200,
      body: {
        name: node.info.name,
        version: node.info.version,
        routes: all.map(({ method, path, summary }) => ({ method, path: openApiPath(path), summary })),
      },
    }),
  });
  const openApiRoute = route({
    method: 'GET',
    path: '/openapi.json',
    name: 'getOpenApi',
    summary: 'This API as an OpenAPI 3.1 document',
    consistency: 'constant',
    params: none,
    query: none,
    answers: { 200: { description: 'The document', json: anyObject } },
    problems: [],
    async handle({ node }) {
      document ??= openApiDocument(all, node.info.version);
      return { status: 200, body: document };
    },
  });
  const all: readonly Route[] = [...described, indexRoute, openApiRoute];
  return all;
}
