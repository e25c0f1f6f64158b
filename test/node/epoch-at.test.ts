import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { updatesCodec } from '../../ledger/bundle.ts';
import { encode } from '../../ledger/codec.ts';
import type { Epoch } from '../../ledger/modules/epoch.ts';
import { epochAt, writeHandoffs } from '../../node/ledger/handoffs.ts';
import { Store } from '../../node/store/store.ts';
import { changedChain, toValidator } from '../support/chain.ts';

const chain = changedChain();
const ENDS = chain.handoffs.map(({ certificate }) => certificate.checkpoint.height);
const SETS = [chain.genesis.validators, ...chain.handoffs.map(({ next }) => next.map(toValidator))];

/** As the rows of a state say it. */
const epoch = (number: number): Epoch => ({
  number,
  firstHeight: (ENDS[number - 1] ?? 0) + 1,
  validators: SETS[number]!,
  parameters: chain.genesis.parameters,
  idHorizonMs: 0,
  idHorizonUntil: 0,
  idHorizonMaxMs: 0,
});

/** Told from the chain. */
function expected(height: number) {
  const at = ENDS.findIndex((end) => end >= height);
  const number = at < 0 ? ENDS.length : at;
  const next = ENDS[number] === height ? { number: number + 1, validators: SETS[number + 1] } : undefined;
  return { epoch: height === 0 ? undefined : number, next };
}

describe('where a block is among the epochs', () => {
  let folder: string;
  let store: Store;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-epochs-'));
    store = await Store.open(folder);
  });

  after(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const now of [0, 1, 2, 3]) {
    it(`is known in epoch ${now} of every block up to its own, by the hand-offs that rule E3 has made durable`, async () => {
      // Of the change to this epoch the state speaks before its hand-off is written.
      if (now > 1) await writeHandoffs(store, encode(updatesCodec, { handoffs: [chain.handoffs[now - 2]!] }));
      const state = { current: epoch(now), previous: now === 0 ? undefined : epoch(now - 1) };
      const last = ENDS[now] ?? chain.height;
      for (let height = 0; height < last; height++)
        assert.deepEqual(await epochAt(store, state, height), expected(height), `block ${height}`);
    });
  }

  it('a hand-off that lacks is damage', async () => {
    await assert.rejects(epochAt(store, { current: epoch(3), previous: undefined }, 15), { code: 'STATE_DAMAGED' });
  });
});
