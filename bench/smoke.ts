import { AssertionError } from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { assertAllFinal } from './checks.ts';
import { assertNothingLost, crashUnderLoad } from './crash.ts';
import { chain, fund, submitAll } from './load.ts';
import { startNetwork } from './network.ts';
import { CALLS, SHAPE, signMany } from './operations.ts';
import { submitSingly } from './single.ts';
import { signTransfers } from './transfers.ts';

const BATCHED = 1_500;
const SINGLE = 300;
const MANY_CALLS = 60;
const CRASH = 2_000;
/** Not a measure of speed: a network that has not done this little work by then does not go on at all. */
const STANDSTILL_MS = 600_000;

/**
 * Whether what is promised holds, with a small load on four real processes: every way of submitting, then kill -9 of all under
 * load and a new start. A broken promise is said in one sentence, and the process ends with 1; how long it takes says nothing.
 */
export async function smoke(log: (text: string) => void): Promise<void> {
  try {
    await run(log);
    log('smoke: every promise held');
  } catch (error) {
    // Behind its first line an assertion repeats what it compared.
    const [sentence] = (error as Error).message.split('\n');
    log(`smoke: ${error instanceof AssertionError ? 'a promise is broken' : 'could not be run'}: ${sentence}`);
    process.exit(1);
  }
}

async function run(log: (text: string) => void): Promise<void> {
  let network = await startNetwork();
  const work = async (): Promise<void> => {
    const validUntil = (await chain(network, 0)).time + 3_000_000;
    await fund(network, validUntil);
    let submitted = 2;
    await submitAll(network, signTransfers(network, BATCHED, 1_000, validUntil));
    await submitSingly(network, signTransfers(network, SINGLE, 1_000_000, validUntil));
    await submitAll(network, signMany(network, MANY_CALLS, 2_000_000, validUntil), SHAPE);
    submitted += BATCHED + SINGLE + MANY_CALLS;
    await assertAllFinal(network, submitted);
    log(`${submitted} transactions, ${MANY_CALLS} of them with ${CALLS} calls: all final, none twice, equal state`);
    const crash = await crashUnderLoad(network, signTransfers(network, CRASH, 3_000_000, validUntil));
    network = crash.network;
    submitted += CRASH;
    await assertNothingLost(crash, submitted);
    log(`kill -9 of all four: ${crash.told.size} told to be committed are there, all ${submitted} are final`);
  };
  try {
    await within(STANDSTILL_MS, work());
  } finally {
    await network.stop();
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  const late = delay(ms, undefined, { ref: false }).then(() => {
    throw new AssertionError({ message: `not everything was final after ${ms / 60_000} minutes` });
  });
  await Promise.race([work, late]);
}
