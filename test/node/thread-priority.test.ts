import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { test } from 'node:test';
import { LEDGER_NICE, VERIFY_NICE } from '../../node/thread-priority.ts';
import { packChecks } from '../../node/verify/packed.ts';
import { createVerifyPool } from '../../node/verify/pool.ts';

/** Nice values of this process's threads (proc_pid_stat(5), field 19). */
function niceOfThreads(): number[] {
  return readdirSync('/proc/self/task').map((id) => {
    const stat = readFileSync(`/proc/self/task/${id}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

test('threads that verify signatures come behind the replica, and no other thread does', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const own = getPriority(0);
  const later = Math.min(19, own + VERIFY_NICE);
  assert(LEDGER_NICE > 0 && LEDGER_NICE < VERIFY_NICE);
  const before = niceOfThreads().filter((nice) => nice === later).length;
  const pool = createVerifyPool({ workers: 2, onFatal: assert.fail });
  t.after(() => pool.close());
  await Promise.all([pool.verify(packChecks([])), pool.verify(packChecks([]))]);
  const nice = niceOfThreads();
  assert.equal(nice.filter((one) => one === later).length - before, 2);
  assert.equal(getPriority(0), own);
});
