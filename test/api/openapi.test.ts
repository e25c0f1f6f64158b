import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import fc from 'fast-check';
import { WAIT_MAX_MS } from '../../api/limits.ts';
import { openApiDocument, openApiPath } from '../../api/openapi.ts';
import { PROBLEMS } from '../../api/problems.ts';
import { problemsOf } from '../../api/route.ts';
import { routes } from '../../api/routes/index.ts';
import type { Json } from '../../ledger/codec.ts';
import { type OpenApi, requestsOf, WAIT_ASKED_MAX_MS } from '../support/openapi-requests.ts';

type Node = { readonly [key: string]: Json };

describe('the OpenAPI document', () => {
  const document = openApiDocument(routes, '1.2.3') as Node;
  const paths = document.paths as { [path: string]: { [method: string]: Node } };

  it('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(document);
    assert.deepEqual([valid, errors], [true, undefined]);
    assert.equal(document.openapi, '3.1.0');
    const broken = structuredClone(document) as { paths: { [path: string]: { get: Node } } };
    broken.paths['/v1/chain']!.get = { ...broken.paths['/v1/chain']!.get, parameters: [{ name: 'x', in: 'nowhere' }] };
    assert.equal((await new Validator().validate(broken)).valid, false, 'the validator finds what is wrong');
  });

  it('makes no request of which a node may take longer than a moment', () => {
    const material = { texts: ['400', '30000'], bodies: [Uint8Array.of(1)] };
    const requests = fc.sample(requestsOf(document as unknown as OpenApi, material), { numRuns: 3_000, seed: 7 });
    let waits = 0;
    for (const { path, method, query } of requests) {
      const parameters = (paths[path]![method.toLowerCase()]!.parameters ?? []) as { name: string }[];
      if (!parameters.some(({ name }) => name === 'timeoutMs')) continue;
      waits++;
      const [asked = 'none'] = query.filter(([name]) => name === 'timeoutMs').map(([, value]) => value);
      const isShort = /^\d+$/.test(asked) && (Number(asked) <= WAIT_ASKED_MAX_MS || Number(asked) > WAIT_MAX_MS);
      assert(isShort || !/^\d+$|^none$/.test(asked), `${method} ${path} with ${JSON.stringify(query)}`);
    }
    assert(waits > 100);
  });

  it('has every route with its parameters, body and answers, and none besides', () => {
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const expected = routes.map(({ method, path }) => `${method.toLowerCase()} ${openApiPath(path)}`);
    assert.deepEqual(operations.sort(), expected.sort());
    for (const route of routes) {
      const operation = paths[openApiPath(route.path)]![route.method.toLowerCase()]!;
      const parameters = operation.parameters as { name: string; in: string; required: boolean; schema: Node }[];
      const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name);
      assert.deepEqual(
        parameters.filter((one) => one.in === 'path').map(({ name }) => name),
        inPath,
        route.path,
      );
      assert(
        parameters.every((one) => one.required === (one.in === 'path')),
        'no query parameter must be given',
      );
      assert.equal('requestBody' in operation, route.body !== undefined);
      const statuses = new Set([
        ...Object.keys(route.answers).map(Number),
        ...(route.cacheable ? [304] : []),
        ...[...problemsOf(route)].map((code) => PROBLEMS[code].status),
      ]);
      assert.deepEqual(
        Object.keys(operation.responses as Node).map(Number),
        [...statuses].sort((a, b) => a - b),
      );
    }
  });

  it('names each operation once', () => {
    const names = routes.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
  });

  it('has what every reference points to', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!);
    assert(references.length > 50);
    for (const reference of new Set(references)) {
      let at: Json | undefined = document;
      for (const step of reference.split('/')) at = (at as Node)[step];
      assert.equal(typeof at, 'object', reference);
    }
  });

  it('describes a parameter as what it is after reading, with its bounds and default', () => {
    const list = paths['/v1/blocks']!.get!.parameters as { name: string; schema: Node }[];
    assert.deepEqual(list.find(({ name }) => name === 'limit')!.schema, {
      type: 'integer',
      minimum: 1,
      maximum: 200,
      default: 20,
    });
  });

  it('describes every problem with its code', () => {
    const all = JSON.stringify(document);
    for (const [code, { description }] of Object.entries(PROBLEMS)) {
      if (code === 'method-not-allowed') continue;
      assert(all.includes(JSON.stringify(description).slice(1, -1)), code);
    }
  });
});
