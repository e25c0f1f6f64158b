import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { blockHash } from '../../ledger/block.ts';
import { bundleCodec } from '../../ledger/bundle.ts';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { decode, type Json } from '../../ledger/codec.ts';
import { type Answer, plainGet, startTestApi, type TestApi } from '../support/api-client.ts';
import { ACCOUNTS } from '../support/chain.ts';
import { FINAL, fakeChain, NEWEST } from '../support/fake-node.ts';

describe('reads over REST', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  beforeEach(() => api.reset());
  after(() => api.close());

  const chain = fakeChain();
  const hashOf = (height: number) => toHex(blockHash(chain.blocks[height]!.header));
  const code = async (path: string) => (await api.call(path)).json.code;

  it('every answer says where the chain stands', async () => {
    for (const path of ['/', '/v1/chain', '/v1/blocks/0', '/v1/blocks/99', '/nowhere', '/livez']) {
      const { headers } = await api.call(path);
      assert.deepEqual(
        ['quorate-height', 'quorate-final-height', 'quorate-time'].map((name) => headers.get(name)),
        [`${NEWEST}`, `${FINAL}`, '1700000060000'],
        path,
      );
    }
  });

  it('a block is found by height, hash, `latest` and `final`', async () => {
    for (const [at, height] of [
      ['2', 2],
      [hashOf(2), 2],
      ['latest', NEWEST],
      ['final', FINAL],
    ] as const) {
      const { status, json } = await api.call(`/v1/blocks/${at}`);
      assert.deepEqual([status, json.hash, json.final], [200, hashOf(height), height <= FINAL], at);
      assert.equal((json.transactions as Json[]).length, chain.blocks[height]!.header.count);
    }
  });

  it('only final blocks under a fixed name may be cached for ever; a second ask with the ETag is 304', async () => {
    for (const [at, cached] of [
      ['2', true],
      [hashOf(2), true],
      ['6', false],
      ['final', false],
      ['latest', false],
    ] as const) {
      const { headers } = await api.call(`/v1/blocks/${at}`);
      assert.equal(/immutable/.test(headers.get('cache-control')!), cached, at);
    }
    const { headers } = await api.call('/v1/blocks/2');
    const again = await api.raw(plainGet('/v1/blocks/2', `If-None-Match: ${headers.get('etag')}`));
    assert.equal(again.status, 304);
    assert.equal((await api.raw(plainGet('/v1/blocks/2', 'If-None-Match: "other"'))).status, 200);
  });

  it('K14: heights that are pruned, in the future, negative or no numbers have a defined answer', async () => {
    for (const height of ['7', '99', '999999999999999', `0x${'00'.repeat(32)}`]) {
      assert.equal(await code(`/v1/blocks/${height}`), 'not-found', height);
    }
    for (const height of ['-1', '1e3', '01', '1.0', '0x12', '9007199254740993', 'Latest', '%20', '+1']) {
      assert.equal(await code(`/v1/blocks/${height}`), 'malformed', height);
      assert.equal(await code(`/v1/checkpoints/${height}`), 'malformed', height);
    }
    assert.equal(await code('/v1/checkpoints/0'), 'not-found');
    assert.equal(await code('/v1/checkpoints/6'), 'not-found');
  });

  it('a certificate is JSON or bytes of the same', async () => {
    const json = await api.call('/v1/checkpoints/3');
    const bytes = await api.call('/v1/checkpoints/3', { headers: { accept: 'application/octet-stream' } });
    assert.deepEqual(certificateCodec.toJson(decode(certificateCodec, bytes.bytes)), json.json);
    const latest = await api.call('/v1/checkpoints/latest');
    assert.equal((latest.json.checkpoint as { height: number }).height, FINAL);
    assert.equal(latest.headers.get('cache-control'), 'no-store');
  });

  it('H07: pages follow each other without gap or repetition, in both orders, up to the limit', async () => {
    const heightsOf = (page: Answer) =>
      (page.json.items as { header?: { height: number }; checkpoint?: { height: number } }[]).map(
        ({ header, checkpoint }) => (header ?? checkpoint)!.height,
      );
    for (const [list, all] of [
      ['blocks', [6, 5, 4, 3, 2, 1, 0]],
      ['checkpoints', [5, 4, 3, 2, 1]],
    ] as const) {
      for (const order of ['desc', 'asc'] as const) {
        const heights: number[] = [];
        let cursor: unknown;
        do {
          const more = cursor === undefined ? '' : `&cursor=${cursor}`;
          const page = await api.call(`/v1/${list}?limit=2&order=${order}${more}`);
          heights.push(...heightsOf(page));
          cursor = page.json.cursor;
        } while (cursor !== undefined);
        assert.deepEqual(heights, order === 'desc' ? all : all.toReversed(), `${list} ${order}`);
      }
    }
    for (const limit of ['0', '-1', '201', '1000000000', '1e2', '']) {
      assert.equal(await code(`/v1/blocks?limit=${limit}`), 'malformed', limit);
    }
  });

  it('R8: pages of blocks go on below the blocks that a snapshot left out', async () => {
    const { blocks } = api.node;
    const lacks = (height: number): boolean => height === 2 || height === 3;
    const found = async (from: number, limit: number, descending: boolean) =>
      (await blocks(from, 100, descending)).filter(({ header }) => !lacks(header.height)).slice(0, limit);
    Object.assign(api.node, { blocks: found });
    const heightsOf = ({ json }: Answer) =>
      (json.items as { header: { height: number } }[]).map(({ header }) => header.height);
    for (const order of ['desc', 'asc'] as const) {
      const heights: number[] = [];
      let cursor: unknown;
      do {
        const more = cursor === undefined ? '' : `&cursor=${cursor}`;
        const page = await api.call(`/v1/blocks?limit=3&order=${order}${more}`);
        heights.push(...heightsOf(page));
        cursor = page.json.cursor;
      } while (cursor !== undefined);
      assert.deepEqual(heights, order === 'desc' ? [6, 5, 4, 1, 0] : [0, 1, 4, 5, 6]);
    }
  });

  it('H07: a cursor of another list, or one that was changed, is refused', async () => {
    const { cursor } = (await api.call('/v1/blocks?limit=3')).json;
    const forge = (text: string) => Buffer.from(text).toString('base64url');
    const others = ['x', `${cursor}=`, 'a'.repeat(900), forge('blocks-asc 3'), forge('blocks-desc -1')];
    for (const other of [...others, forge('blocks-desc 1e3'), forge('blocks-desc 3 4'), forge('checkpoints-desc 3')]) {
      assert.equal(await code(`/v1/blocks?cursor=${other}`), 'malformed', other);
    }
    assert.equal(await code(`/v1/blocks?order=asc&cursor=${cursor}`), 'malformed');
    assert.equal(await code(`/v1/state/records.entries?cursor=${cursor}`), 'malformed');
  });

  it('a row comes decoded and as bytes, with a proof on request; one that is not there is an answer too', async () => {
    const row = await api.call(`/v1/state/records.entries/${encodeURIComponent('deed 1')}`);
    assert.deepEqual([row.json.exists, row.json.height], [true, FINAL]);
    assert.equal((row.json.value as { note: string }).note, 'note of deed 1');
    assert.equal((await api.call('/v1/state/records.entries/x?at=latest')).json.height, NEWEST);
    const balance = await api.call(`/v1/state/assets.balances/${toHex(ACCOUNTS[1].key)}:gold?proof=true`);
    assert.equal(bundleCodec.fromJson(balance.json.proof as Json).fact.kind, 'state');
    const absent = await api.call('/v1/state/records.entries/nothing?proof=true');
    assert.deepEqual([absent.json.exists, absent.json.value], [false, undefined]);
    const { fact } = bundleCodec.fromJson(absent.json.proof as Json);
    assert(fact.kind === 'state' && fact.value.value.kind === 'absent');
  });

  it('what is no table, no key, or can have no proof is refused', async () => {
    assert.equal(await code('/v1/state/records.nothing/readme'), 'not-found');
    assert.equal(await code('/v1/state/__proto__'), 'not-found');
    assert.equal(await code('/v1/state/members.accounts/zz'), 'malformed');
    assert.equal(await code('/v1/state/members.accounts?prefix=zz'), 'malformed');
    assert.equal(await code('/v1/state/records.entries/readme?proof=true&at=latest'), 'malformed');
    assert.equal(await code('/v1/state/records.entries/readme?proof=yes'), 'malformed');
    api.node.young = true;
    assert.equal(await code('/v1/state/records.entries/readme?proof=true&timeoutMs=0'), 'behind');
    assert.equal(await code(`/v1/state/records.entries/readme?proof=true&at=${FINAL}`), 'not-final');
  });

  it('rows come in the order of their keys, page by page, by prefix', async () => {
    const keys: string[] = [];
    let cursor: unknown = '';
    while (cursor !== undefined) {
      const { json } = await api.call(`/v1/state/records.entries?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
      keys.push(...(json.items as { key: string }[]).map(({ key }) => key));
      cursor = json.cursor;
    }
    assert.deepEqual(keys, ['deed 1', 'deed 2', 'deed 3', 'deed 4']);
    const { json } = await api.call('/v1/state/records.entries?prefix=deed%203');
    assert.deepEqual(
      (json.items as { key: string }[]).map(({ key }) => key),
      ['deed 3'],
    );
  });

  it('the genesis file is answered byte by byte', async () => {
    const { bytes, headers } = await api.call('/v1/genesis');
    assert.deepEqual(bytes, utf8Encode(chain.genesis.text));
    assert.match(headers.get('cache-control')!, /immutable/);
  });

  it('the node tells about itself', async () => {
    const { json } = await api.call('/v1/status');
    assert.equal(json.name, 'node-0');
    for (const [path, part] of [
      ['chain', 'chain'],
      ['consensus', 'consensus'],
      ['mempool', 'mempool'],
    ] as const) {
      assert.deepEqual((await api.call(`/v1/${path}`)).json, json[part]);
    }
    assert.deepEqual((await api.call('/v1/peers')).json.items, json.peers);
    assert.equal(((await api.call('/v1/validators')).json.items as Json[]).length, 4);
    const { routes } = (await api.call('/')).json as { routes: { path: string }[] };
    assert(routes.some(({ path }) => path === '/v1/blocks/{at}'));
  });

  it('not ready is 503 with the reason; alive it is all the same', async () => {
    assert.equal((await api.call('/readyz')).status, 200);
    for (const [mode, expected] of [
      ['starting', 'syncing'],
      ['behind', 'syncing'],
      ['doubt', 'syncing'],
      ['halted', 'halted'],
    ] as const) {
      api.node.mode = mode;
      const { status, json } = await api.call('/readyz');
      assert.deepEqual([status, json.code], [503, expected]);
      assert.match(json.detail as string, /a reason/);
    }
    api.node.mode = 'active';
    api.node.connected = 2;
    assert.equal(await code('/readyz'), 'no-quorum');
    assert.equal((await api.call('/livez')).status, 200);
  });

  it('a node without a vote is ready while it is current, and says what it lacks', async () => {
    api.node.mode = 'observing';
    api.node.connected = 1;
    assert.deepEqual((await api.call('/readyz')).json, { ready: true, connected: 1 });
    api.node.current = false;
    const { status, json } = await api.call('/readyz');
    assert.deepEqual([status, json.code], [503, 'syncing']);
    assert.match(
      json.detail as string,
      /^mode observing: executed \d+, no validator has said yet that nothing is newer\. .* \(\/v1\/consensus\/why\)$/,
    );
    api.node.connected = 0;
    assert.equal(await code('/readyz'), 'no-quorum');
  });
});
