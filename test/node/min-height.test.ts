import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { register, testGenesis } from '../support/genesis.ts';
import { LoneNode } from '../support/lone-node.ts';

const chain = testGenesis();
const ROW = '/v1/state/records.entries/deed';

describe('H12: reads at a node that lags behind the one that was written to', () => {
  let folder: string;
  let ahead: LoneNode;
  let behind: LoneNode;
  const one = register(chain, 'deed');

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-lag-'));
    ahead = await new LoneNode(chain, join(folder, 'ahead')).start();
    behind = await new LoneNode(chain, join(folder, 'behind')).start();
  });
  after(async () => {
    await ahead.close();
    await behind.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('with minHeight see what was written, or are refused: never the state before it', async () => {
    await ahead.execute(1);
    await ahead.execute(2, one);
    ahead.finish();
    const { json } = await ahead.get(`/v1/transactions/${toHex(one.id)}`);
    assert.equal(json.status, 'final');
    const { height } = json.block as { height: number };
    await behind.execute(1);
    assert.deepEqual((await behind.get(`${ROW}?at=latest`)).json.exists, false, 'it lags');
    for (const at of ['final', 'latest']) {
      const { status, json } = await behind.get(`${ROW}?at=${at}&minHeight=${height}&timeoutMs=20`);
      assert.deepEqual([status, json.code], [503, 'behind']);
    }

    const latest = behind.get(`${ROW}?at=latest&minHeight=${height}`);
    const rows = behind.get(`/v1/state/records.entries?minHeight=${height}`);
    const final = behind.get(`${ROW}?minHeight=${height}&proof=true`);
    const checkpoints = behind.get(`/v1/checkpoints?minHeight=${height}`);
    await behind.execute(2, one);
    assert.deepEqual((await latest).json.exists, true);
    assert.equal(((await rows).json.items as unknown[]).length, 1);
    assert.equal((await behind.get(`${ROW}?minHeight=${height}&timeoutMs=20`)).json.code, 'behind', 'not final yet');
    behind.finish();
    const { status, json: row } = await final;
    assert.deepEqual([status, row.exists, row.height], [200, true, height]);
    assert('proof' in row);
    const [newest] = (await checkpoints).json.items as { checkpoint: { height: number } }[];
    assert.equal(newest?.checkpoint.height, height);
  });

  it('of final state wait for a certificate that waits for a block to be written', async () => {
    await behind.execute(3);
    const read = behind.get(`${ROW}?minHeight=3`);
    const list = behind.get('/v1/checkpoints?minHeight=3&limit=1');
    // The next block holds the ledger up while both are asked.
    await new Promise((resolve) => setTimeout(resolve, 50));
    behind.finish();
    const next = behind.execute(4);
    assert.equal((await read).json.height, 3);
    const [newest] = (await list).json.items as { checkpoint: { height: number } }[];
    assert.equal(newest?.checkpoint.height, 3);
    await next;
  });
});
