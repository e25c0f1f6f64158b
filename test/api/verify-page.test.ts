import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { BuiltPage } from '../../api/ports.ts';
import { buildPage } from '../../build/pages.ts';
import { policyOf } from '../../node/pages.ts';
import { plainGet, startTestApi, type TestApi } from '../support/api-client.ts';

describe('GET /verify', () => {
  let api: TestApi;
  let verifyPage: BuiltPage;
  before(async () => {
    const html = new Uint8Array(Buffer.from(await buildPage('verify')));
    verifyPage = { html, policy: policyOf(html)! };
    api = await startTestApi({}, { verifyPage });
  });
  after(() => api.close());

  it('serves the bytes of the file, under the policy that the file states', async () => {
    const { status, headers, bytes } = await api.call('/verify');
    assert.equal(status, 200);
    assert.deepEqual(bytes, verifyPage.html);
    assert.equal(headers.get('content-type'), 'text/html; charset=utf-8');
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    const stated = policyOf(bytes);
    assert.match(stated!, /^default-src 'none'; script-src 'sha256-/);
    assert.equal(headers.get('content-security-policy'), `${stated}; frame-ancestors 'none'`);
  });

  it('may be kept by a cache that asks each time', async () => {
    const { headers } = await api.call('/verify');
    assert.equal(headers.get('cache-control'), 'no-cache');
    const again = await api.raw(plainGet('/verify', `If-None-Match: ${headers.get('etag')}`));
    assert.deepEqual([again.status, again.bytes.length], [304, 0]);
    const other = await api.raw(plainGet('/verify', 'If-None-Match: "other"'));
    assert.equal(other.status, 200);
  });

  it('is listed at / and described in the OpenAPI document', async () => {
    const index = await api.call('/');
    assert(JSON.stringify(index.json).includes('"path":"/verify"'));
    const { paths } = (await api.call('/openapi.json')).json as {
      paths: Record<string, { get: { responses: Record<string, { content: object }> } }>;
    };
    assert.deepEqual(Object.keys(paths['/verify']!.get.responses['200']!.content), ['text/html']);
  });

  it('says what to run where the page was not built', async () => {
    const without = await startTestApi({}, {});
    const { status, json } = await without.call('/verify');
    await without.close();
    assert.deepEqual([status, json.code], [404, 'not-found']);
    assert.match(String(json.detail), /npm run build:page/);
  });
});
