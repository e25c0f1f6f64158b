import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { ClassicLevel } from 'classic-level';
import { toHex } from '../../ledger/bytes.ts';
import { packTransactions } from '../../ledger/transaction.ts';
import { openDevHome } from '../../node/cli/dev-home.ts';
import { heightKey, KINDS } from '../../node/store/store.ts';
import {
  assertAgreement,
  assertSameChain,
  type Chain,
  type Dev,
  type DevValidator,
  eventually,
  getJson,
  REPOSITORY,
  startDev,
  startQuorate,
  startValidator,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';
import { signRecords } from '../support/sign-records.ts';

/** Somebody who owns nothing here. */
const NOBODY = 65_534;
const VICTIM = 3;

describe('the disk of a real validator that is not what it was', { timeout: 240_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  let victim: DevValidator;
  let data: string;
  let pristine: string;
  let loads = 0;
  const mounted: string[] = [];
  const children: ChildProcess[] = [];

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    victim = dev.ready.validators[VICTIM]!;
    data = join(dirname(victim.config), 'data');
    pristine = join(folder.path, 'pristine');
    await allFinal();
    process.kill(victim.pid, 'SIGKILL');
    await eventually(async () => !(await answers(victim)), 'the victim is gone');
    await cp(data, pristine, { recursive: true });
  });

  after(async () => {
    await dev?.stop();
    await folder?.remove();
  });

  beforeEach(() => restore(data));

  afterEach(async () => {
    for (const child of children.splice(0)) await stopProcess(child, 'SIGKILL');
    for (const path of mounted.splice(0)) execFileSync('umount', [path]);
  });

  async function restore(to: string): Promise<void> {
    await rm(to, { recursive: true, force: true });
    await cp(pristine, to, { recursive: true });
  }

  const answers = ({ url }: DevValidator): Promise<boolean> =>
    fetch(`${url}/livez`).then(
      () => true,
      () => false,
    );

  /** Registers records at the others, and all of them become final there. */
  async function allFinal(count = 20): Promise<void> {
    const load = await signRecords(dev.ready, count, `load ${loads++}`);
    const [first] = dev.ready.validators;
    const body = packTransactions(load.map(({ bytes }) => bytes)) as Uint8Array<ArrayBuffer>;
    const headers = { 'content-type': 'application/octet-stream' };
    const response = await fetch(`${first!.url}/v1/transactions/batch`, { method: 'POST', headers, body });
    assert(response.ok);
    for (const { id } of load) {
      const { status } = await getJson<{ status: string }>(`${first!.url}/v1/transactions/${toHex(id)}?wait=final`);
      assert.equal(status, 'final');
    }
  }

  /** Runs the victim to its end; what it says on stderr. */
  async function ended(child: ChildProcess): Promise<string> {
    children.push(child);
    let said = '';
    child.stderr!.on('data', (chunk) => {
      said += chunk;
    });
    child.stdout!.resume();
    const code = await new Promise((resolve) => child.once('exit', resolve));
    assert.equal(code, 1, said);
    return said;
  }

  const start = (config = victim.config, ...args: string[]): ChildProcess =>
    startQuorate(['start', '--config', config, ...args]);

  async function refuses(expected: RegExp, child = start()): Promise<void> {
    const said = await ended(child);
    const last = said.trim().split('\n').at(-1)!;
    assert.match(last, expected);
    assert.doesNotMatch(said, /\n\s+at /, 'no stack');
  }

  async function startVictim(): Promise<void> {
    children.push(await startValidator(victim));
  }

  async function isWhole(): Promise<void> {
    await allFinal(4);
    const urls = dev.ready.validators.map(({ url }) => url);
    await assertAgreement(urls);
    await eventually(async () => (await fetch(`${victim.url}/readyz`)).ok, 'the victim votes');
    await assertSameChain(urls);
  }

  it('D05: a bit in the middle of the journal: in doubt, follows, never votes, and the others go on', async () => {
    const journal = join(data, 'journal');
    const [name] = (await readdir(journal)).filter((one) => one.endsWith('.journal'));
    const bytes = await readFile(join(journal, name!));
    bytes[200]! ^= 1;
    await writeFile(join(journal, name!), bytes);
    for (let round = 0; round < 2; round++) {
      const child = start();
      children.push(child);
      child.stdout!.resume();
      child.stderr!.resume();
      await eventually(async () => answers(victim), 'the victim answers');
      await allFinal();
      await eventually(async () => {
        const chains = [victim, dev.ready.validators[0]!].map(({ url }) => getJson<Chain>(`${url}/v1/chain`));
        const [own, other] = await Promise.all(chains);
        return own!.finalHeight >= other!.finalHeight;
      }, 'it follows');
      const { mode, reason } = await getJson<{ mode: string; reason: string }>(`${victim.url}/v1/consensus`);
      assert.equal(mode, 'doubt');
      assert.match(reason, /journal \d+\.journal, offset \d+: expected group/);
      assert.equal((await fetch(`${victim.url}/readyz`)).status, 503);
      await stopProcess(child, 'SIGKILL');
      // The doubt outlives the damage.
      bytes[200]! ^= 1;
      await writeFile(join(journal, name!), bytes);
    }
  });

  it('D06: no CURRENT, no MANIFEST, no database beside a journal', async () => {
    await rm(join(data, 'ledger/CURRENT'));
    await refuses(/database .*ledger can't be opened: its file CURRENT is missing/);
    await restore(data);
    for (const name of readdirSync(join(data, 'ledger'))) {
      if (name.startsWith('MANIFEST')) await rm(join(data, 'ledger', name));
    }
    await refuses(/database .*ledger can't be opened: .*MANIFEST/);
  });

  it('D08: a damaged block is one clear message, and after the repair everything goes on', async () => {
    const path = join(data, 'ledger');
    const db = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' });
    const key = Buffer.concat([Uint8Array.of(KINDS.block), heightKey(1)]);
    const record = (await db.get(key))!;
    await db.put(key, record.with(40, record[40]! ^ 2));
    await db.close();
    await refuses(/a block record in the database is damaged: its checksum does not fit/);
    await restore(data);
    await startVictim();
    await isWhole();
    await stopProcess(children.at(-1)!, 'SIGTERM');
    await rm(pristine, { recursive: true });
    await cp(data, pristine, { recursive: true });
  });

  it('D10: a file or a link where a directory belongs', async () => {
    await rename(join(data, 'journal'), join(data, 'elsewhere'));
    await symlink(join(data, 'elsewhere'), join(data, 'journal'));
    await refuses(/directory .*journal can't be used: it is a symbolic link/);
    await rm(join(data, 'journal'));
    await writeFile(join(data, 'journal'), '');
    await refuses(/directory .*journal can't be used: it is not a directory/);
    await restore(data);
    await rm(join(data, 'ledger'), { recursive: true });
    await writeFile(join(data, 'ledger'), '');
    await refuses(/database .*ledger can't be opened/);
    await rm(data, { recursive: true });
    await writeFile(data, '');
    await refuses(/EEXIST|not a directory/);
    await rm(data);
  });

  it('D10: a file system that is read-only', async (t) => {
    if (!mount(data, '--bind', data)) return t.skip('mounting is not permitted here');
    execFileSync('mount', ['-o', 'remount,bind,ro', data]);
    await refuses(/read-only|Read-only|EROFS/i);
  });

  it('D10: files of another owner', async (t) => {
    if (process.getuid?.() !== 0) return t.skip('only root can start a process as somebody else');
    // A home that nobody else owns, but for the data in it.
    const home = join(folder.path, 'of nobody');
    await mkdir(home);
    for (const name of ['genesis.json', victim.name])
      await cp(join(dirname(dirname(victim.config)), name), join(home, name), { recursive: true });
    const config = join(home, victim.name, 'node.toml');
    chmodSync(folder.path, 0o755);
    for (const path of ['', 'node.toml', 'keys', 'keys/consensus.json', 'keys/peer.json'])
      chownSync(join(home, victim.name, path), NOBODY, NOBODY);
    const args = [join(REPOSITORY, 'bin/quorate.js'), 'start', '--config', config];
    const child = spawn(process.execPath, args, { uid: NOBODY, gid: NOBODY, stdio: ['ignore', 'pipe', 'pipe'] });
    await refuses(/permission|EACCES/i, child);
  });

  it('D12: the data of another validator, and of another chain', async () => {
    const other = dev.ready.validators[2]!;
    const copy = join(folder.path, 'copy');
    await cp(join(dirname(other.config), 'data'), copy, { recursive: true });
    await refuses(
      /database .* is of the node with peer key 0x[0-9a-f]{64}, this one has 0x/,
      start(victim.config, '--data', copy),
    );
    const { nodes: validators } = await openDevHome(join(folder.path, 'other chain'), 4, 0);
    await refuses(/database .* is of chain 0x[0-9a-f]{64}/, start(validators[0]!.config, '--data', data));
  });

  it('D09: a full disk ends the process with one reason; the others answer; with space again it goes on', async (t) => {
    await rm(data, { recursive: true, force: true });
    await mkdir(data);
    if (!mount(data, '-t', 'tmpfs', '-o', 'size=16m', 'tmpfs')) return t.skip('mounting is not permitted here');
    await cp(pristine, data, { recursive: true });
    const child = start();
    const end = ended(child);
    await eventually(async () => (await fetch(`${victim.url}/readyz`)).ok, 'the victim votes');
    fill(join(data, 'filler'));
    const running = (): boolean => child.exitCode === null && child.signalCode === null;
    for (let i = 0; running() && i < 50; i++) await allFinal(40);
    assert.match(await end, /ENOSPC|No space left on device/);
    // Still full: it does not start, and says why.
    await refuses(/ENOSPC|No space left on device/);
    await allFinal();
    await rm(join(data, 'filler'));
    await startVictim();
    await isWhole();
    await stopProcess(children.at(-1)!, 'SIGTERM');
  });

  /** False where this process may not mount. */
  function mount(at: string, ...args: string[]): boolean {
    try {
      execFileSync('mount', [...args, at], { stdio: 'ignore' });
      mounted.push(at);
      return true;
    } catch {
      return false;
    }
  }

  /** Takes all the space there is, to the last byte. */
  function fill(path: string): void {
    const file = openSync(path, 'w');
    for (let size = 1 << 20; size > 0; ) {
      try {
        if (writeSync(file, new Uint8Array(size)) < size) size >>= 1;
      } catch {
        size >>= 1;
      }
    }
    closeSync(file);
  }
});
