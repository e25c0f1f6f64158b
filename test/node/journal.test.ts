import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../../ledger/hash.ts';
import { LONG_LIVED } from '../../node/journal/format.ts';
import { type JournalOptions, openJournal } from '../../node/journal/journal.ts';
import { entry, filled, heights, names, OWNER, open, upTo } from '../support/journals.ts';
import { MemoryFiles } from '../support/memory-files.ts';

describe('journal (R1, S7)', () => {
  it('gives back what was appended, in order, over several segments', async () => {
    const files = await filled(20);
    assert(names(files).length > 2);
    const { records, doubt } = await open(files);
    assert.deepEqual([heights(records), doubt], [upTo(20), undefined]);
  });

  it('what is appended while a group is on its way shares the next fsync', async () => {
    const files = new MemoryFiles();
    const { journal } = await open(files, { segmentBytes: 100_000 });
    await journal.append([entry(1)]);
    const before = files.syncs;
    await Promise.all(upTo(50).map((height) => journal.append([entry(height)])));
    assert(files.syncs - before <= 2, `${files.syncs - before} syncs for 50 appends`);
  });

  it('what is appended the moment a group is durable is written too', { timeout: 10_000 }, async () => {
    const { journal } = await open(new MemoryFiles());
    let last = 0;
    const again = async (height: number): Promise<void> => {
      last = (await journal.append([entry(height)])).group;
      if (height < 20) await again(height + 1);
    };
    await again(1);
    assert.equal(last, 20);
  });

  it('Q15, D02: cut at any byte, the last group is a torn tail: a prefix is there, no doubt, and it goes on', async () => {
    const whole = await filled(8);
    const last = names(whole).at(-1)!;
    const length = whole.files.get(last)!.length;
    for (let cut = 0; cut < length; cut += 3) {
      const files = whole.copy();
      files.files.set(last, files.files.get(last)!.slice(0, cut));
      const opened = await open(files);
      assert.equal(opened.doubt, undefined, `cut at ${cut}`);
      const kept = opened.records.length;
      assert.deepEqual(heights(opened.records), upTo(kept));
      await opened.journal.append([entry(99)]);
      await opened.journal.close();
      assert.deepEqual(heights((await open(files)).records), [...upTo(kept), 99]);
    }
  });

  it('D05: any changed byte before the last group is doubt, and the doubt lasts', async () => {
    const whole = await filled(8);
    const all = names(whole);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...all.slice(0, -1)),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (name, at, bits) => {
          const files = whole.copy();
          const content = files.files.get(name)!;
          content[at % content.length]! ^= bits;
          const opened = await open(files).catch((error: { code: string }) => error.code);
          // In the owner's fields it reads as somebody else's journal; anywhere else as doubt.
          if (opened === 'JOURNAL_FOREIGN') return;
          assert(typeof opened !== 'string');
          assert.notEqual(opened.doubt, undefined);
          await assert.rejects(opened.journal.append([entry(9)]), { code: 'JOURNAL_IN_DOUBT' });
          files.files.set(name, whole.files.get(name)!.slice());
          assert.notEqual((await open(files)).doubt, undefined, 'doubt is durable');
        },
      ),
      { numRuns: 60 },
    );
  });

  it('D06: a missing segment in the middle is doubt, a missing newest one is found through LevelDB', async () => {
    const files = await filled(20);
    const [, second] = names(files);
    const middle = files.copy();
    middle.files.delete(second!);
    assert.match((await open(middle)).doubt!.reason, /group/);
    const { journal } = await open(files);
    const mark = journal.mark();
    const newest = files.copy();
    newest.files.delete(names(files).at(-1)!);
    assert.notEqual((await open(newest, { mark })).doubt, undefined);
    assert.equal((await open(files, { mark })).doubt, undefined, 'the whole journal has that group');
  });

  it('Q15: LevelDB naming another chain hash for a group is doubt; an older group is normal', async () => {
    const files = await filled(5);
    const { journal } = await open(files);
    const { group } = journal.mark();
    assert.notEqual((await open(files.copy(), { mark: { group, chain: sha256(Uint8Array.of(9)) } })).doubt, undefined);
    const early = new MemoryFiles();
    const first = await open(early);
    const mark = await first.journal.append([entry(1)]);
    await first.journal.append([entry(2)]);
    assert.equal((await open(early, { mark })).doubt, undefined);
  });

  it('D03: a failed write or fsync is fatal: everything is rejected, nothing is tried again', async () => {
    for (const failIn of [1, 2]) {
      const files = new MemoryFiles();
      let fatal = 0;
      const { journal } = await open(files, { onFatal: () => fatal++ });
      await journal.append([entry(1)]);
      files.failIn = failIn;
      const results = await Promise.allSettled([journal.append([entry(2)]), journal.append([entry(3)])]);
      assert.deepEqual(
        results.map(({ status }) => status),
        ['rejected', 'rejected'],
      );
      await assert.rejects(journal.append([entry(4)]), { code: 'JOURNAL_FAILED' });
      assert.equal(fatal, 1);
      files.powerCut();
      const again = await open(files);
      assert.deepEqual([heights(again.records)[0], again.doubt], [1, undefined]);
    }
  });

  it('D02: what append resolved for survives a power cut at any later moment', async () => {
    for (let count = 1; count <= 12; count++) {
      const files = new MemoryFiles();
      const { journal } = await open(files);
      for (let height = 1; height <= count; height++) await journal.append([entry(height)]);
      journal.append([entry(100)]).catch(() => {});
      files.powerCut();
      const { records, doubt } = await open(files.copy());
      assert.equal(doubt, undefined);
      assert.deepEqual(heights(records).slice(0, count), upTo(count));
    }
  });

  it('pruned segments are deleted, oldest first, and LevelDB may name a deleted group', async () => {
    const files = new MemoryFiles();
    const { journal } = await open(files);
    const marks = [];
    for (let height = 1; height <= 30; height++) marks.push(await journal.append([entry(height)]));
    const before = names(files).length;
    journal.prune(15);
    await journal.append([entry(31)]);
    await journal.close();
    assert(names(files).length < before);
    const { records, doubt } = await open(files, { mark: marks[20]! });
    assert.equal(doubt, undefined);
    assert.deepEqual(heights(records).slice(-16), upTo(31).slice(15));
    assert.match((await open(files)).doubt!.reason, /ledger's files were lost/, 'an empty LevelDB beside it is doubt');
  });

  it('no segment is deleted before a block is final: its beginning is not missed beside an empty LevelDB', async () => {
    const files = new MemoryFiles();
    const { journal } = await open(files);
    // Nothing but what outlives heights, as after view changes at the start of a chain.
    for (let i = 0; i < 30; i++) await journal.append([{ height: LONG_LIVED, bytes: entry(i + 1).bytes }]);
    await journal.close();
    assert.equal((await open(files)).doubt, undefined);
  });

  it('D12: the journal of another chain or validator is refused', async () => {
    const files = await filled(1);
    for (const field of ['genesisId', 'validatorKey'] as const) {
      await assert.rejects(open(files, { [field]: sha256(Uint8Array.of(7)) }), { code: 'JOURNAL_FOREIGN' });
    }
  });

  it('D10: a file or a link in place of the directory is one clear error', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'quorate-journal-'));
    const start = { ...OWNER, epoch: 0, formerKeys: [], mark: undefined, onFatal: assert.fail };
    const at = (name: string): JournalOptions => ({ directory: join(folder, name), ...start });
    try {
      await writeFile(join(folder, 'file'), '');
      await symlink(folder, join(folder, 'link'));
      for (const name of ['file', 'link']) {
        await assert.rejects(openJournal(at(name)), { code: 'JOURNAL_DIRECTORY' }, name);
      }
      const { journal } = await openJournal(at('journal'));
      await journal.append([entry(1)]);
      await journal.close();
      assert.deepEqual(heights((await openJournal(at('journal'))).records), [1]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
