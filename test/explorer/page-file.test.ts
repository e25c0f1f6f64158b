import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { buildPage } from '../../build/pages.ts';
import { policyOf } from '../../node/pages.ts';

const BYTES_MAX = 160_000;
const DOCS_BYTES_MAX = 20_000;

describe('verify.html, the file', () => {
  let html: string;
  before(async () => {
    html = await buildPage('verify');
  });

  it('allows its own script and style by their hashes, and nothing else', () => {
    const policy = policyOf(Buffer.from(html));
    assert(policy !== undefined, 'the page states its policy');
    const directives = new Map(policy.split('; ').map((one) => [one.split(' ')[0], one.split(' ').slice(1).join(' ')]));
    assert.equal(directives.get('default-src'), "'none'");
    assert.equal(directives.get('script-src'), hashOf(contentOf(html, 'script')));
    assert.equal(directives.get('style-src'), hashOf(contentOf(html, 'style')));
    assert.doesNotMatch(policy, /unsafe|https?:|\*|data:|blob:/);
    assert(html.indexOf('http-equiv') < html.indexOf('<style'), 'the policy stands before what it judges');
  });

  it('refers to nothing outside itself, has no inline handler and no eval', () => {
    const markup = html.replace(contentOf(html, 'script'), '').replace(contentOf(html, 'style'), '');
    assert.doesNotMatch(markup, /\b(src|href|action|srcset|poster|data|style|on[a-z]+)\s*=/i);
    assert.doesNotMatch(contentOf(html, 'style'), /url\(|@import/);
    const script = contentOf(html, 'script');
    assert.doesNotMatch(script, /\beval\(|\bFunction\(|\bimport\(|fetch\(|XMLHttpRequest|WebSocket|sendBeacon/);
    assert.doesNotMatch(script, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|localStorage|indexedDB/);
  });

  it('is made of the same bytes each time, and stays small', async () => {
    assert.equal(await buildPage('verify'), html);
    assert(html.length <= BYTES_MAX, `${html.length} bytes, at most ${BYTES_MAX}`);
    assert.doesNotMatch(html, /<!-- \w+ -->|\{\{/, 'no place is left to be filled');
  });
});

describe('docs.html, the file', () => {
  let html: string;
  before(async () => {
    html = await buildPage('docs');
  });

  it('allows its own script and style, and requests to the node that served it', () => {
    const policy = policyOf(Buffer.from(html))!;
    assert.match(policy, /^default-src 'none'; /);
    assert(policy.includes(`script-src ${hashOf(contentOf(html, 'script'))};`));
    assert(policy.includes(`style-src ${hashOf(contentOf(html, 'style'))};`));
    assert(policy.includes("connect-src 'self';"));
    assert.doesNotMatch(policy, /unsafe|https?:|\*|data:|blob:/);
  });

  it('refers to nothing but this node, has no inline handler and no eval, and stays small', async () => {
    const [script, style] = [contentOf(html, 'script'), contentOf(html, 'style')];
    assert.doesNotMatch(html, /\b(src|href)=["']?(?:https?:|\/\/)/i);
    assert.doesNotMatch(style, /url\(|@import/);
    assert.doesNotMatch(script, /\beval\(|\bFunction\(|\bimport\(|innerHTML|outerHTML|insertAdjacentHTML|localStorage/);
    assert.equal(await buildPage('docs'), html);
    assert(html.length <= DOCS_BYTES_MAX, `${html.length} bytes, at most ${DOCS_BYTES_MAX}`);
  });
});

function contentOf(html: string, tag: 'script' | 'style'): string {
  const found = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html)?.[1];
  assert(found !== undefined && html.split(`<${tag}`).length === 2, `one ${tag}, inline`);
  return found;
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`;
}
