import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { updatesCodec } from '../../ledger/bundle.ts';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { decode, type Json } from '../../ledger/codec.ts';
import { checkReplies, signedReplyCodec } from '../../ledger/reply.ts';
import { verifyBundle } from '../../light/sync.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { startTestApi, type TestApi } from '../support/api-client.ts';
import { freshTransaction, postBytes, postJson } from '../support/api-requests.ts';
import { FINAL, fakeChain, NEWEST } from '../support/fake-node.ts';

const chain = fakeChain();
const { verify } = chooseSignatures();
const asBytes = { headers: { accept: 'application/octet-stream' } };

describe('what light clients ask over REST', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  beforeEach(() => api.reset());
  after(() => api.close());

  it('the newest certificate comes as JSON or bytes, and is never cached', async () => {
    const { json, headers } = await api.call('/v1/light/latest');
    const { bytes } = await api.call('/v1/light/latest', asBytes);
    assert.deepEqual(certificateCodec.toJson(decode(certificateCodec, bytes)), json);
    assert.equal((json.checkpoint as { height: number }).height, FINAL);
    assert.equal(headers.get('cache-control'), 'no-store');
    api.node.young = true;
    assert.equal((await api.call('/v1/light/latest')).json.code, 'not-final');
  });

  it('hand-offs come from the epoch that is asked for; a page that is not full is not cached', async () => {
    const { json, headers } = await api.call('/v1/light/updates?fromEpoch=0');
    assert.deepEqual(json, { handoffs: [] });
    assert.equal(headers.get('cache-control'), 'no-store');
    const { bytes } = await api.call('/v1/light/updates', asBytes);
    assert.deepEqual(decode(updatesCodec, bytes), { handoffs: [] });
    for (const epoch of ['-1', '1e3', 'x', '']) {
      assert.equal((await api.call(`/v1/light/updates?fromEpoch=${epoch}`)).json.code, 'malformed', epoch);
    }
  });

  it('a block header has a proof, under the newest certificate or the one asked for', async () => {
    for (const [query, certified] of [
      ['', FINAL],
      ['?under=4', 4],
    ] as const) {
      const { bytes } = await api.call(`/v1/blocks/2/proof${query}`, asBytes);
      const report = verifyBundle(bytes, chain.genesis.text, { verify });
      assert.deepEqual([report.facts?.block?.height, report.facts?.certified.height], [2, certified]);
    }
    assert.equal((await api.call(`/v1/blocks/${NEWEST}/proof`)).json.code, 'not-final');
    assert.equal((await api.call(`/v1/blocks/3/proof?under=2`)).json.code, 'not-found');
  });

  it('a row is read as of a height, by the bytes of its key too; a height that is not kept says so (K14)', async () => {
    const key = toHex(utf8Encode('deed 1'));
    const { json } = await api.call(`/v1/state/records.entries/${key}?keyAs=bytes&at=${FINAL}&proof=true`);
    assert.deepEqual([json.exists, json.height], [true, FINAL]);
    const asText = await api.call('/v1/state/records.entries/deed%201?proof=true');
    assert.deepEqual(json.proof, asText.json.proof);
    assert.equal((await api.call('/v1/state/records.entries/deed%201?at=2')).json.code, 'pruned');
    assert.equal((await api.call('/v1/state/records.entries/deed%201?at=77')).json.code, 'not-final');
    for (const bad of ['deed', '0xa', `0x${'00'.repeat(257)}`]) {
      const answer = await api.call(`/v1/state/records.entries/${bad}?keyAs=bytes`);
      assert.equal(answer.json.code, 'malformed', bad);
    }
  });

  it('C5: a status comes signed on request, about an id or about bytes; what is pending or unknown has no signature', async () => {
    const one = chain.blocks[1]!.transactions[1]!;
    const { json } = await api.call(`/v1/transactions/${toHex(one.id)}?signed=true`);
    const reply = signedReplyCodec.fromJson(json.reply as Json);
    assert.deepEqual([reply.reply.status, reply.reply.height], ['final', 1]);
    const trust = { genesisId: chain.genesis.id, epoch: 0, validators: [chain.genesis.validators[0]!] };
    assert(checkReplies([reply], one.id, trust, verify).ok);
    const plain = await api.call(`/v1/transactions/${toHex(one.id)}`);
    assert.equal(plain.json.reply, undefined);
    const byBytes = await api.call('/v1/transactions/status?signed=true', postBytes(one.bytes));
    assert.deepEqual(byBytes.json, json);
    const fresh = freshTransaction(70);
    const asJson = postJson({ transaction: toHex(fresh.bytes) });
    assert.equal((await api.call('/v1/transactions/status', asJson)).json.code, 'not-found');
    await api.call('/v1/transactions', postBytes(fresh.bytes));
    const pending = await api.call('/v1/transactions/status?signed=true', asJson);
    assert.deepEqual([pending.json.status, pending.json.reply], ['pending', undefined]);
    assert.equal((await api.call('/v1/transactions/status', postBytes(Uint8Array.of(1)))).json.code, 'malformed');
  });

  it('C3: a node that has halted signs nothing', async () => {
    api.node.mode = 'halted';
    const { id } = chain.blocks[1]!.transactions[1]!;
    assert.equal((await api.call(`/v1/transactions/${toHex(id)}?signed=true`)).json.code, 'halted');
    assert.equal((await api.call(`/v1/transactions/${toHex(id)}`)).status, 200);
  });
});
