import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sha256 } from '../../ledger/hash.ts';
import type { Unsigned } from '../../node/pbft/messages.ts';
import { restoreState } from '../../node/pbft/restore.ts';
import type { Verified } from '../../node/pbft/verify.ts';
import { Runner, type RunnerPorts } from '../../node/runner.ts';
import { Cluster } from '../support/cluster.ts';

const NOW = { wall: 0, monotonic: 0 };

/** A runner whose journal says that a group is durable only when it is told to; what it signed then. */
function held() {
  const cluster = new Cluster(4);
  cluster.order('a');
  const sent = cluster.wire.find(({ to, message }) => to === 1 && message.kind === 'prePrepare')!;
  assert(sent.message.kind === 'prePrepare');
  const { state, guard } = cluster.members[1]!;
  const signed: Unsigned[] = [];
  const waiting: (() => void)[] = [];
  const nothing = (): void => {};
  const ports: Partial<RunnerPorts> = {
    journal: {
      append: () => new Promise((resolve) => waiting.push(() => resolve({ group: 1, chain: new Uint8Array(32) }))),
    } as unknown as RunnerPorts['journal'],
    guard: {
      sign: (unsigned: Unsigned) => {
        signed.push(unsigned);
        return guard.sign(unsigned);
      },
    } as unknown as RunnerPorts['guard'],
    now: () => cluster.now(),
    setTimer: () => nothing,
    bodiesOf: () => new Uint8Array(0),
  };
  // All other ports take what comes.
  const runner = new Runner(
    state,
    new Proxy(ports, { get: (target, name) => Reflect.get(target, name) ?? nothing }) as RunnerPorts,
  );
  const { message } = sent;
  runner.dispatch({ type: 'message', message: message as Verified<typeof message> });
  runner.dispatch({ type: 'bodies', height: 1, digest: message.value.vote.digest, problem: undefined, governs: false });
  assert(waiting.length > 0, 'the vote waits for its fsync');
  const durable = async (): Promise<readonly string[]> => {
    for (const resolve of waiting) resolve();
    await new Promise((resolve) => setImmediate(resolve));
    return signed.map(({ kind }) => kind).filter((kind) => kind !== 'status');
  };
  return { state, runner, guard, digest: message.value.vote.digest, durable };
}

it('S1: a vote is signed when its record is durable, and not before', async () => {
  const { durable } = held();
  assert.deepEqual(await durable(), ['prepare']);
});

it('rule N11: a vote whose record becomes durable late is not signed when another digest was executed meanwhile', async () => {
  const { state, durable } = held();
  state.executed = { ...state.executed, height: 1 };
  state.ordered.set(1, { epoch: 0, digest: sha256(Uint8Array.of(9)), view: 1 });
  assert.deepEqual(await durable(), []);
});

it('rule N11: it is signed when just this digest was executed', async () => {
  const { state, digest, durable } = held();
  state.executed = { ...state.executed, height: 1 };
  state.ordered.set(1, { epoch: 0, digest, view: 0 });
  assert.deepEqual(await durable(), ['prepare']);
});

it('E3: a vote whose record becomes durable when its epoch is over is never signed', async () => {
  const { state, runner, guard, durable } = held();
  const config = { ...state.config, epoch: 1, firstHeight: 1 };
  guard.enter({ epoch: 1, self: 1, signer: undefined });
  runner.enter(restoreState(config, { head: state.executed, stable: undefined, records: [] }, NOW));
  assert.deepEqual(await durable(), []);
});
