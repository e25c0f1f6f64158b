import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode } from '../../ledger/codec.ts';
import {
  type Epoch,
  epochTable,
  firstEpoch,
  idHorizonAt,
  nextEpoch,
  PREVIOUS,
  parametersTable,
  readEpoch,
  validatorsTable,
} from '../../ledger/modules/epoch.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import { defaultParameters, type Parameters } from '../../ledger/parameters.ts';
import { keyOf, MemoryState, TestChain } from '../support/execution.ts';

const VALIDATORS = [{ name: 'v', organisation: 'acme', key: keyOf('v'), peerKey: keyOf('p') }];
const lasting = (maxLifetimeMs: number): Parameters => ({ ...defaultParameters, maxLifetimeMs });
const first = (maxLifetimeMs: number): Epoch => {
  const parameters = lasting(maxLifetimeMs);
  return { ...firstEpoch(parameters), validators: VALIDATORS, parameters };
};

/** The epoch after `epoch`, ended at this height and block time by giving it another lifetime. */
function after(epoch: Epoch, maxLifetimeMs: number, height: number, time: number): Epoch {
  const parameters = lasting(maxLifetimeMs);
  return { ...epoch, ...nextEpoch(epoch, parameters, height, time), parameters };
}

test('epoch 0 is in the state of genesis, without one before it', () => {
  const { state, parameters } = new TestChain();
  const { number, firstHeight, idHorizonMaxMs, ...epoch } = readEpoch(state, CURRENT)!;
  assert.deepEqual([number, firstHeight, idHorizonMaxMs], [0, 1, parameters.maxLifetimeMs]);
  assert.deepEqual(epoch.parameters, parameters);
  assert.equal(epoch.validators[0]?.name, 'v0');
  assert.equal(idHorizonAt(epoch, 0), parameters.maxLifetimeMs);
  assert.equal(readEpoch(state, PREVIOUS), undefined);
});

test('an epoch is read only if all of it is there', () => {
  const epoch = first(1_000);
  const { number, firstHeight, idHorizonMs, idHorizonUntil, idHorizonMaxMs } = epoch;
  const row = { number, firstHeight, idHorizonMs, idHorizonUntil, idHorizonMaxMs };
  const change = (name: string, value: Uint8Array) => ({ table: name, key: Buffer.from(PREVIOUS), value });
  const changes = [
    change(epochTable.name, encode(epochTable.value, row)),
    change(validatorsTable.name, encode(validatorsTable.value, epoch.validators)),
    change(parametersTable.name, encode(parametersTable.value, epoch.parameters)),
  ];
  for (let lacking = 0; lacking <= changes.length; lacking++) {
    const state = new MemoryState();
    state.apply(changes.toSpliced(lacking, 1));
    assert.deepEqual(readEpoch(state, PREVIOUS), lacking === changes.length ? epoch : undefined);
  }
});

test('E8: a longer lifetime counts at once, a shorter one after the longer has passed', () => {
  let epoch = after(first(1_000), 3_000, 10, 50_000);
  assert.deepEqual([epoch.number, epoch.firstHeight], [1, 11]);
  assert.equal(idHorizonAt(epoch, 50_001), 3_000);
  epoch = after(epoch, 1_000, 20, 60_000);
  assert.deepEqual([epoch.number, epoch.firstHeight], [2, 21]);
  // Equality counts: an id of block 20 can be valid until then.
  assert.equal(idHorizonAt(epoch, 63_000), 3_000);
  assert.equal(idHorizonAt(epoch, 63_001), 1_000);
  assert.equal(epoch.idHorizonMaxMs, 3_000);
});

test('E8, trap: lifetime lowered by governance, then a replay: what can still execute is remembered', () => {
  const step = fc.record({ lifetime: fc.integer({ min: 1, max: 60 }), wait: fc.integer({ min: 1, max: 40 }) });
  let replays = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.array(step, { maxLength: 8 }), (lifetime, steps) => {
      /** The epoch of the block of each time. */
      const epochs: Epoch[] = [];
      let epoch = first(lifetime);
      for (const [at, next] of [...steps, { lifetime: 1, wait: 130 }].entries()) {
        for (let i = 0; i < next.wait; i++) epochs.push(epoch);
        const time = epochs.length - 1;
        const { idHorizonMaxMs } = epoch;
        epoch = after(epoch, next.lifetime, at, time);
        assert.equal(epoch.idHorizonMaxMs, Math.max(idHorizonMaxMs, next.lifetime));
      }
      for (const [executed, { parameters }] of epochs.entries()) {
        // N4: the longest that a transaction of this block may be valid.
        const validUntil = executed + parameters.maxLifetimeMs;
        for (let time = executed + 1; time <= Math.min(validUntil, epochs.length - 1); time++) {
          const horizon = idHorizonAt(epochs[time]!, time);
          assert(
            executed >= time - horizon,
            `executed at ${executed}, forgotten at ${time}, valid until ${validUntil}`,
          );
          assert(horizon <= epochs[time]!.idHorizonMaxMs);
          if (validUntil > time + epochs[time]!.parameters.maxLifetimeMs) continue;
          if (executed < time - epochs[time]!.parameters.maxLifetimeMs) replays++;
        }
      }
    }),
    { numRuns: 300 },
  );
  assert(replays > 100, `only ${replays} that the parameters alone would let execute again`);
});
