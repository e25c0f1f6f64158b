import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { sha256 } from '../../ledger/hash.ts';
import { openJournal } from '../../node/journal/journal.ts';

describe('journal: append', () => {
  it('what is appended the moment a group is durable is written too', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'quorate-journal-'));
    try {
      const owner = { genesisId: sha256(Uint8Array.of(1)), validatorKey: sha256(Uint8Array.of(2)) };
      const { journal } = await openJournal({ directory, ...owner, mark: undefined, onFatal: assert.fail });
      let last = 0;
      const again = async (height: number): Promise<void> => {
        const { group } = await journal.append([{ height, bytes: Uint8Array.of(height) }]);
        last = group;
        if (height < 20) await again(height + 1);
      };
      await again(1);
      assert.equal(last, 20);
      await journal.close();
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
