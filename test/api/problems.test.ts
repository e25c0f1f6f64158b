import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { PROBLEMS, type ProblemCode } from '../../api/problems.ts';
import { startTestApi, type TestApi } from '../support/api-client.ts';

const CODES = Object.keys(PROBLEMS) as ProblemCode[];
const JSON_ONLY = { headers: { accept: 'application/json' } };

describe('pages about problems', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  after(() => api.close());

  it('the type of a problem is a path at the node that answered, and leads to its page', async () => {
    const { json, headers } = await api.call('/v1/blocks/99');
    assert.equal(json.type, '/problems/not-found');
    assert.match(headers.get('content-type')!, /^application\/problem\+json/);
    const page = await api.call(String(json.type));
    assert.equal(page.status, 200);
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
    assert(Buffer.from(page.bytes).toString().includes('<code>not-found</code>'));
  });

  it('each code has one with what happened, what to do, how to try again, and such an answer', async () => {
    for (const code of CODES) {
      const { title, description, remedy, example, status } = PROBLEMS[code];
      const html = Buffer.from((await api.call(`/problems/${code}`)).bytes).toString();
      const text = html.replace(/<[^>]+>/g, '').replace(/&#(\d+);/g, (_, char) => String.fromCharCode(Number(char)));
      for (const part of [title, description, remedy].map((one) => one.replaceAll('`', ''))) {
        assert(part.length > 8 && text.includes(part), `${code}: ${part}`);
      }
      assert(text.includes(JSON.stringify(example)), code);
      assert(text.includes(`HTTP/1.1 ${status}`), code);
      assert.doesNotMatch(html, /<script|<img|<link|https?:|\son\w+=/i, `${code}: nothing to run or load`);
    }
  });

  it('is JSON for who asks for it, and says that this depends on Accept', async () => {
    const { json, headers } = await api.call('/problems/busy', JSON_ONLY);
    assert.match(headers.get('content-type')!, /^application\/json/);
    assert.match(headers.get('vary')!, /accept/i);
    assert.deepEqual([json.code, json.status, json.retryAfter], ['busy', 503, 1]);
    assert.deepEqual((json.example as { type: string }).type, '/problems/busy');
    const list = (await api.call('/problems', JSON_ONLY)).json.items as { code: string }[];
    assert.deepEqual(
      list.map(({ code }) => code),
      CODES,
    );
  });

  it('the list leads to each of them', async () => {
    const html = Buffer.from((await api.call('/problems')).bytes).toString();
    const links = [...html.matchAll(/href="\/problems\/([^"]+)"/g)].map(([, code]) => code);
    assert.deepEqual(links, CODES);
  });

  it('may do nothing but look as it does', async () => {
    for (const path of ['/problems', '/problems/busy']) {
      const { headers, bytes } = await api.call(path);
      const policy = headers.get('content-security-policy')!;
      assert.match(policy, /^default-src 'none'; style-src 'sha256-/);
      assert.doesNotMatch(policy, /unsafe|script-src|\*/);
      const [, style = ''] = /<style>(.*)<\/style>/s.exec(Buffer.from(bytes).toString())!;
      assert(policy.includes(createHash('sha256').update(style).digest('base64')), 'its style is the one allowed');
    }
  });

  it('what is no code is not found, whatever it is, and is not shown again', async () => {
    for (const code of ['nothing', 'toString', '__proto__', '%3Cscript%3E']) {
      const { status, json } = await api.call(`/problems/${code}`);
      assert.deepEqual([status, json.code], [404, 'not-found']);
      assert.equal(json.detail, 'no such problem; /problems lists them');
    }
  });
});
