import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { createNamespaces, IP, type Namespaces, namespacesProblem } from '../support/namespaces.ts';
import { eventually, stopProcess } from '../support/processes.ts';

const PORT = 7_000;
/** Answers everything, at all addresses. */
const SERVER = `require('node:http').createServer((_, answer) => answer.end('here')).listen(${PORT}, () => console.log('up'))`;
/** Ends with 0 if there is an answer within a second. */
const ASK = (address: string): string => {
  return `fetch('http://${address}:${PORT}', { signal: AbortSignal.timeout(1000) }).then(() => process.exit(0), () => process.exit(1))`;
};

describe('machines made of network namespaces', { skip: namespacesProblem() ?? false }, () => {
  it('N05: reach each other and are reached until they are cut off, again when they are healed, and leave nothing behind', async () => {
    const before = links();
    const namespaces = createNamespaces(3);
    const { peerAddresses, clientAddresses } = namespaces;
    const [command, args] = namespaces.inside(0, process.execPath, '-e', SERVER);
    const server = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(server.stdout, 'data');
      const isReached = async (): Promise<boolean> => {
        return fetch(`http://${clientAddresses[0]}:${PORT}`, { signal: AbortSignal.timeout(1_000) }).then(
          ({ ok }) => ok,
        );
      };
      const reachedBy = (member: number): boolean => reaches(namespaces, member, peerAddresses[0]!);
      const isWhole = async (): Promise<boolean> => (await isReached()) && reachedBy(1) && reachedBy(2);
      await eventually(isWhole, 'all reach the first');
      namespaces.isolate(0);
      assert.deepEqual([reachedBy(1), reachedBy(2), await isReached()], [false, false, true]);
      namespaces.heal();
      await eventually(isWhole, 'all reach it again');
      namespaces.split([0, 1]);
      assert.deepEqual([reachedBy(1), reachedBy(2), await isReached()], [true, false, true]);
      namespaces.heal();
      await eventually(isWhole, 'all reach it again');
      namespaces.hide(0);
      assert.deepEqual([reachedBy(1), reachedBy(2)], [true, true]);
      await assert.rejects(isReached);
      namespaces.heal();
      await eventually(isWhole, 'all reach it again');
    } finally {
      await stopProcess(server, 'SIGKILL');
      namespaces.remove();
    }
    assert.deepEqual(links(), before);
  });
});

function reaches(namespaces: Namespaces, member: number, address: string): boolean {
  const [command, args] = namespaces.inside(member, process.execPath, '-e', ASK(address));
  return spawnSync(command, args).status === 0;
}

/** What this process could have made: names of namespaces and of interfaces here. */
function links(): readonly string[] {
  const own = `q${process.pid.toString(36)}`;
  const all = ['netns list', '-o link'].map((line) => execFileSync(IP, line.split(' '), { encoding: 'utf8' }));
  return all
    .join('\n')
    .split('\n')
    .filter((line) => line.includes(own));
}
