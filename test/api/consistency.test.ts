import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openApiDocument, openApiPath } from '../../api/openapi.ts';
import { CONSISTENCY, type Route } from '../../api/route.ts';
import { routes } from '../../api/routes/index.ts';
import { consistencyParts, withParts } from '../support/consistency-table.ts';

const DOCUMENT = fileURLToPath(new URL('../../docs/consistency.md', import.meta.url));
const ofHeight = new Set(['final', 'committed', 'stated']);

describe('consistency classes', () => {
  it('docs/consistency.md has the table of the routes; QUORATE_UPDATE=1 writes it', () => {
    const document = readFileSync(DOCUMENT, 'utf8');
    const expected = withParts(document, consistencyParts(routes));
    if (process.env.QUORATE_UPDATE === '1') writeFileSync(DOCUMENT, expected);
    else assert.equal(document, expected);
  });

  it('the OpenAPI document says the class of every operation', () => {
    const { paths } = openApiDocument(routes, '1.2.3') as {
      paths: Record<string, Record<string, { 'x-consistency': string; description: string }>>;
    };
    for (const { method, path, consistency, consistencyNote = '' } of routes) {
      const operation = paths[openApiPath(path)]![method.toLowerCase()]!;
      assert.equal(operation['x-consistency'], consistency, path);
      for (const part of [CONSISTENCY[consistency], consistencyNote])
        assert(operation.description.includes(part), path);
    }
  });

  it('H12: every read of a class that depends on a height takes minHeight, and no other', () => {
    // A stream waits for the heights that it is asked for anyway.
    const isWhole = ({ answers }: Route): boolean => Object.values(answers).every(({ events }) => events === undefined);
    const reads = routes.filter((route) => route.method === 'GET' && isWhole(route));
    const names = (some: typeof reads) => some.map(({ name }) => name);
    const taking = reads.filter(({ query }) => 'minHeight' in query.shape);
    assert.deepEqual(names(taking), names(reads.filter(({ consistency }) => ofHeight.has(consistency))));
  });

  it('what is stated says where', () => {
    for (const { consistency, consistencyNote, name } of routes) {
      if (consistency === 'stated') assert(consistencyNote !== undefined, name);
    }
  });
});
