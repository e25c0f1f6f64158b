import assert from 'node:assert/strict';
import { it } from 'node:test';
import { enumerateTwins } from './twins.ts';

it('C06: two copies under one key, every partition of two rounds, each member as the twin: no fork and nobody halts', () => {
  const { scenarios, states, complete, heights, violations } = enumerateTwins(2, 20_000);
  assert.deepEqual(violations, []);
  assert(complete, 'nothing was left out');
  // Four twins, sixteen cuts of five processes in each round, from every state that the round before led to.
  assert(scenarios > 800 && states > 600, `${scenarios} scenarios, ${states} states`);
  assert(Math.max(...Object.keys(heights).map(Number)) >= 8, 'and in most of them the chain goes on');
});
