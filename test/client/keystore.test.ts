import assert from 'node:assert/strict';
import { chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { createKeystore, KeyFileError, openKeystore } from '../../light/keystore/index.ts';
import { writeKeyFile } from '../../light/keystore/key-file.ts';
import { memorySigner } from '../../light/ledger-client/memory-signer.ts';
import { seedOf } from '../support/chain.ts';
import { isClientError } from '../support/client-network.ts';
import { temporaryFolder } from '../support/processes.ts';

const PASSPHRASE = 'Ω correct horse';
const MESSAGE = new Uint8Array([1, 2, 3]);
const refused = isClientError('keystore', { retry: 'never' });

describe('a keystore', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;
  const seed = seedOf('keystore');

  before(async () => {
    folder = await temporaryFolder();
    path = join(folder.path, 'shop.keystore');
    const created = await createKeystore(path, PASSPHRASE, seed);
    assert.deepEqual(created.publicKey, memorySigner(seed).publicKey);
  });

  after(() => folder.remove());

  it('opens with its passphrase, also in another Unicode form, and signs as the seed does', async () => {
    const signer = await openKeystore(path, PASSPHRASE);
    assert.deepEqual(await signer.sign(MESSAGE), await memorySigner(seed).sign(MESSAGE));
    // The ohm sign, which NFKC makes an omega.
    await openKeystore(path, PASSPHRASE.replace('Ω', '\u2126'));
  });

  it('has mode 0600, no secret in clear, and another key and salt each time', async () => {
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const text = await readFile(path, 'utf8');
    assert(!text.includes(toHex(seed).slice(2)));
    const [one, two] = ['one', 'two'].map((name) => join(folder.path, name));
    const [first, second] = [await createKeystore(one!, 'a'), await createKeystore(two!, 'a')];
    assert.notDeepEqual(first.publicKey, second.publicKey);
    const { salt } = JSON.parse(text) as { salt: string };
    assert(!(await readFile(one!, 'utf8')).includes(salt));
  });

  it('is refused with a wrong passphrase, or none, in the same words', async () => {
    for (const wrong of ['wrong', '', `${PASSPHRASE} `]) {
      await assert.rejects(
        openKeystore(path, wrong),
        (error: Error) => refused(error) && /is wrong, or/.test(error.message),
      );
    }
    await assert.rejects(createKeystore(join(folder.path, 'empty'), ''), refused);
  });

  it('is never replaced', async () => {
    await assert.rejects(createKeystore(path, PASSPHRASE), (error: Error) => {
      assert(error.cause instanceof KeyFileError && error.cause.code === 'KEY_FILE_EXISTS');
      return refused(error);
    });
    await openKeystore(path, PASSPHRASE);
  });

  it('is refused when others can read it, behind a link, and where there is none', async () => {
    const wide = join(folder.path, 'wide');
    await writeFile(wide, await readFile(path), { mode: 0o600 });
    await openKeystore(wide, PASSPHRASE);
    for (const mode of [0o640, 0o604, 0o700, 0o400]) {
      await chmod(wide, mode);
      await assert.rejects(openKeystore(wide, PASSPHRASE), refused, mode.toString(8));
    }
    await symlink(path, join(folder.path, 'link'));
    await assert.rejects(openKeystore(join(folder.path, 'link'), PASSPHRASE), refused);
    await assert.rejects(openKeystore(join(folder.path, 'nowhere'), PASSPHRASE), refused);
  });

  it('is refused when any of its fields is changed, before much is computed for a stranger', async () => {
    const sound = JSON.parse(await readFile(path, 'utf8')) as Record<string, string | number>;
    const other = (text: string) => text.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
    const changed = join(folder.path, 'changed');
    for (const [name, value] of Object.entries(sound)) {
      const values = typeof value === 'number' ? [2 ** 18, 2 ** 16, 2 ** 21, 2 ** 17 + 1, 0] : [other(value)];
      for (const next of values) {
        await writeFile(changed, JSON.stringify({ ...sound, [name]: next }), { mode: 0o600 });
        await assert.rejects(openKeystore(changed, PASSPHRASE), refused, `${name} ${next}`);
      }
    }
    for (const text of ['', '{}', 'null', JSON.stringify({ ...sound, more: 1 }), 'x'.repeat(3_000)]) {
      await writeFile(changed, text, { mode: 0o600 });
      await assert.rejects(openKeystore(changed, PASSPHRASE), refused, text.slice(0, 20));
    }
  });

  it('plain key files of accounts are read too, of other kinds not', async () => {
    const plain = join(folder.path, 'account.json');
    const { publicKey } = writeKeyFile(plain, 'account', seed);
    assert.deepEqual((await openKeystore(plain)).publicKey, publicKey);
    writeKeyFile(join(folder.path, 'consensus.json'), 'consensus', seed);
    await assert.rejects(openKeystore(join(folder.path, 'consensus.json')), refused);
  });
});
