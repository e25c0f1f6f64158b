import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { test } from 'node:test';
import { startLedger } from '../../node/ledger/client.ts';
import { LEDGER_NICE, VERIFY_NICE } from '../../node/thread-priority.ts';
import { packChecks } from '../../node/verify/packed.ts';
import { createVerifyPool } from '../../node/verify/pool.ts';
import { testGenesis } from '../support/genesis.ts';
import { temporaryFolder } from '../support/processes.ts';

/** Nice values of this process's threads (proc_pid_stat(5), field 19). */
function niceOfThreads(): number[] {
  return readdirSync('/proc/self/task').map((id) => {
    const stat = readFileSync(`/proc/self/task/${id}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

const own = getPriority(0);
// Who is last already can't be put further behind.
const skip = process.platform !== 'linux' || own + VERIFY_NICE > 19;
const behind = (nice: number) => niceOfThreads().filter((one) => one === own + nice).length;

test('threads that verify signatures come last', { skip }, async (t) => {
  const pool = createVerifyPool({ workers: 2, onFatal: assert.fail });
  t.after(() => pool.close());
  // One each: a batch goes to the thread with the fewest checks.
  const check = { signature: new Uint8Array(64), message: new Uint8Array(0), publicKey: new Uint8Array(32) };
  await Promise.all([pool.verify(packChecks([check])), pool.verify(packChecks([check]))]);
  assert.equal(behind(VERIFY_NICE), 2);
  assert.equal(getPriority(0), own);
});

test('the thread that executes comes before them and behind the replica', { skip }, async (t) => {
  assert(LEDGER_NICE > 0 && LEDGER_NICE < VERIFY_NICE);
  const folder = await temporaryFolder();
  const { genesis } = testGenesis();
  const { peerKey } = genesis.validators[0]!;
  const ledger = startLedger(
    { directory: folder.path, genesisText: genesis.text, archive: false, peerKey },
    assert.fail,
  );
  t.after(async () => {
    await ledger.close();
    await folder.remove();
  });
  await ledger.open();
  assert.equal(behind(LEDGER_NICE), 1);
  assert.equal(getPriority(0), own);
});
