import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { utf8Decode, utf8Encode } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import { decodeHeader, encodeHeader, HEADER_BYTES } from '../../node/journal/format.ts';
import type { JournalOptions } from '../../node/journal/journal.ts';
import type { JournalMark, JournalPort } from '../../node/ports.ts';
import { entry, filled, heights, names, OWNER, open, upTo } from '../support/journals.ts';
import { MemoryFiles } from '../support/memory-files.ts';

const KEY = OWNER.validatorKey;
const NEW_KEY = sha256(Uint8Array.of(3));
const doubtFile = (files: MemoryFiles): string | undefined => utf8Decode(files.files.get('DOUBT')!);

/** What a start of the validator in this epoch finds. */
async function found(files: MemoryFiles, options: Partial<JournalOptions>) {
  const { records, doubt } = await open(files.copy(), options);
  return { records: heights(records), through: doubt?.through };
}

/** Flips a bit of the second group. */
function damage(files: MemoryFiles): void {
  files.files.get(names(files)[0]!)![400]! ^= 1;
}

describe('doubt and epochs (R6)', () => {
  it('doubt lasts through the epoch that it names, at every start; in the next one the journal begins anew', async () => {
    const files = await filled(12);
    const { journal } = await open(files, { epoch: 3 });
    await journal.doubt('member 2 shows a COMMIT', 7);
    await assert.rejects(journal.append([entry(13)]), { code: 'JOURNAL_IN_DOUBT' });
    assert.equal(doubtFile(files), 'epoch 7\ngroup 12\nmember 2 shows a COMMIT');
    for (const epoch of [3, 7, 7]) {
      const again = await open(files, { epoch });
      assert.deepEqual([again.doubt!.reason, again.doubt!.through], ['member 2 shows a COMMIT', 7]);
      assert.deepEqual(heights(again.records), upTo(12));
      await assert.rejects(again.journal.append([entry(13)]), { code: 'JOURNAL_IN_DOUBT' });
    }
    const later = await open(files, { epoch: 8 });
    assert.deepEqual([later.doubt, later.records], [undefined, []]);
    await later.journal.append([entry(50)]);
    assert.deepEqual([...files.files.keys()], names(files), 'nothing is left of doubt and draft');
    assert.deepEqual(await found(files, { epoch: 8 }), { records: [50], through: undefined });
  });

  it('a halt is for ever, and so is what an older version wrote down', async () => {
    for (const text of [undefined, 'journal 1, offset 3: a bad group', '', 'epoch 7', 'epoch 7\nwithout a group']) {
      const files = await filled(3);
      const { journal } = await open(files);
      if (text === undefined) await journal.doubt('halted: another state root', 'for ever');
      else files.files.set('DOUBT', utf8Encode(text));
      for (const epoch of [0, 1_000_000]) {
        const again = await open(files, { epoch });
        assert.equal(again.doubt!.through, 'for ever');
        assert(again.doubt!.reason.includes(text === '' ? 'earlier' : (text ?? 'halted: another')));
        const renewed = again.journal.renew({ epoch: epoch + 1, validatorKey: KEY });
        await assert.rejects(renewed, { code: 'JOURNAL_IN_DOUBT' });
        assert.deepEqual(await found(files, { epoch }), { records: upTo(3), through: 'for ever' });
      }
    }
  });

  it('what is found wrong at a start is doubt through the epoch of that start', async () => {
    const files = await filled(5);
    damage(files);
    const { doubt } = await open(files, { epoch: 5 });
    assert.match(doubt!.reason, /expected group 2/);
    assert.match(doubtFile(files)!, /^epoch 5\ngroup 1\njournal 0/);
    assert.equal((await found(files, { epoch: 5 })).through, 5);
    assert.equal((await found(files, { epoch: 6 })).through, undefined);
  });

  it('doubt that was written down survives a power cut, and is whole whatever a crash left of an earlier try', async () => {
    const files = await filled(3);
    files.files.set('DRAFT', new Uint8Array(1_000).fill(65));
    const { journal } = await open(files);
    await journal.doubt('shown', 3);
    files.powerCut();
    assert.equal(doubtFile(files), 'epoch 3\ngroup 3\nshown');
  });

  it('without doubt and with the same key a journal goes on from epoch to epoch', async () => {
    const files = await filled(3);
    for (const epoch of [1, 4]) {
      const { journal } = await open(files, { epoch });
      for (const height of upTo(10)) await journal.append([entry(10 * epoch + height)]);
      await journal.close();
    }
    const records = [...upTo(3), ...[10, 40].flatMap((first) => upTo(10).map((height) => first + height))];
    assert.deepEqual(await found(files, { epoch: 4 }), { records, through: undefined });
  });

  it('a doubt that is written down again keeps the greatest group that LevelDB has named', async () => {
    const files = await filled(12);
    const mark = (await open(files.copy())).journal.mark();
    damage(files);
    await open(files, { epoch: 5, mark });
    // What a validator in doubt executes names the last group that it could read.
    const { journal, doubt } = await open(files, { epoch: 5, mark: { ...mark, group: 1 } });
    await journal.doubt(doubt!.reason, 5);
    assert.match(doubtFile(files)!, /\ngroup 12\n/);
  });

  it('a longer doubt takes the place of a shorter one, and never the other way round', async () => {
    for (const terms of [
      [4, 6, 5],
      [4, 'for ever', 9],
      [6, 4],
    ] as const) {
      const files = await filled(2);
      const { journal } = await open(files, { epoch: 4 });
      await Promise.all(terms.map((through) => journal.doubt(`through ${through}`, through)));
      const longest = terms.includes('for ever' as never) ? 'for ever' : 6;
      assert.deepEqual((await open(files, { epoch: 4 })).doubt!.reason, `through ${longest}`);
      assert.deepEqual((await found(files, { epoch: 6 })).through, longest);
    }
  });

  it('a vote that waits when doubt comes is durable, and the doubt behind it', async () => {
    const files = await filled(2);
    const { journal } = await open(files);
    const waiting = journal.append([entry(3)]);
    await Promise.all([waiting, journal.doubt('now', 0)]);
    assert.deepEqual(await found(files, {}), { records: upTo(3), through: 0 });
    assert.match(doubtFile(files)!, /group 3\n/);
  });

  it('doubt about an epoch before the journal began is void', async () => {
    const files = await filled(2);
    const { journal } = await open(files);
    const renewed = journal.renew({ epoch: 4, validatorKey: KEY });
    await Promise.all([renewed, journal.doubt('while it begins', 3)]);
    await journal.doubt('after it began', 3);
    await journal.append([entry(9)]);
    assert.deepEqual(await found(files, { epoch: 4 }), { records: [9], through: undefined });
  });

  it('doubt that comes while the journal begins anew, about the new epoch, holds', async () => {
    const files = await filled(2);
    const { journal } = await open(files);
    await Promise.all([journal.renew({ epoch: 4, validatorKey: KEY }), journal.doubt('shown', 4)]);
    await assert.rejects(journal.append([entry(9)]), { code: 'JOURNAL_IN_DOUBT' });
    assert.equal((await found(files, { epoch: 4 })).through, 4);
  });
});

describe('a journal that begins anew', () => {
  /** From how it was made to the options of a start in the epoch before, and in the one in which it begins anew. */
  const REASONS: readonly {
    readonly why: string;
    make(): Promise<{ files: MemoryFiles; mark: JournalMark | undefined }>;
    readonly before: Partial<JournalOptions>;
    readonly then: Partial<JournalOptions> & { readonly epoch: number };
    /** What a start in the epoch before finds while nothing has changed. */
    readonly old: { readonly records: readonly number[]; readonly through: number | undefined };
  }[] = [
    {
      why: 'doubt that came while it ran',
      async make() {
        const files = await filled(12);
        const { journal } = await open(files, { epoch: 7 });
        await journal.doubt('shown', 7);
        return { files: files.copy(), mark: journal.mark() };
      },
      before: { epoch: 7 },
      then: { epoch: 8 },
      old: { records: upTo(12), through: 7 },
    },
    {
      why: 'damage found at a start, beside a LevelDB that knows a later group',
      async make() {
        const files = await filled(12);
        const mark = (await open(files.copy())).journal.mark();
        damage(files);
        await open(files, { epoch: 7, mark });
        return { files: files.copy(), mark };
      },
      before: { epoch: 7 },
      then: { epoch: 8 },
      old: { records: [1], through: 7 },
    },
    {
      why: 'damage found at a start, beside a LevelDB that knows an early group',
      async make() {
        const files = new MemoryFiles();
        const { journal } = await open(files);
        const mark = await journal.append([entry(1)]);
        for (const height of upTo(12).slice(1)) await journal.append([entry(height)]);
        damage(files);
        await open(files, { epoch: 7, mark });
        return { files: files.copy(), mark };
      },
      before: { epoch: 7 },
      then: { epoch: 8 },
      old: { records: [1], through: 7 },
    },
    {
      why: 'another consensus key',
      async make() {
        const files = await filled(12);
        const { journal } = await open(files.copy());
        return { files, mark: journal.mark() };
      },
      before: { epoch: 7 },
      then: { epoch: 8, validatorKey: NEW_KEY, formerKeys: [KEY] },
      old: { records: upTo(12), through: undefined },
    },
  ];

  for (const { why, make, before, then, old } of REASONS) {
    const beginning = { validatorKey: KEY, ...then };

    /** With the n-th change or sync failing, for every n until it succeeds; then a kill or a power cut. */
    async function crashEverywhere(live: boolean): Promise<void> {
      for (const crash of ['killed', 'removed names are back', 'removed names are gone'] as const) {
        let begun = false;
        let failIn = 0;
        for (let done = false; !done; ) {
          failIn++;
          const { files, mark } = await make();
          const running = live ? await open(files, { ...before, mark }) : undefined;
          files.failIn = failIn;
          const work = running === undefined ? open(files, { ...then, mark }) : running.journal.renew(beginning);
          done = await work.then(
            () => true,
            () => false,
          );
          assert(done || files.failIn === 0, 'only what was made to fail fails');
          files.failIn = 0;
          if (crash !== 'killed') files.powerCut(crash);
          // In the epoch before, the new journal is refused or in doubt: the ledger can't be as old as that.
          const here = await found(files, { ...before, mark }).catch(({ code }: { code: string }) => code);
          const isOld = typeof here === 'object' && here.through === old.through;
          if (isOld) assert.deepEqual(here, old, `write point ${failIn}`);
          assert(!(begun && isOld), `at write point ${failIn} it had begun, and had not any more`);
          begun = !isOld;
          // The next start goes through with it, whatever is left, and no record of before comes back.
          const { journal, records, doubt } = await open(files, { ...then, mark });
          assert.deepEqual([records, doubt], [[], undefined], `write point ${failIn}`);
          await journal.append([entry(99)]);
          files.powerCut();
          assert.deepEqual(await found(files, { ...then, mark }), { records: [99], through: undefined });
          assert.deepEqual([...files.files.keys()], names(files), 'what was before is removed');
        }
        assert(begun && failIn > 8, `${failIn} write points`);
      }
    }

    it(`D01, Q09: ${why}: a crash at any write point of a running validator leaves all as it was or all anew`, () =>
      crashEverywhere(true));

    it(`D01, Q09: ${why}: and so at any write point of a start`, () => crashEverywhere(false));

    it(`Q15: ${why}: LevelDB may name any group of before, and the beginning`, async () => {
      const { files, mark } = await make();
      const { journal } = await open(files, { ...before, mark });
      const last = journal.mark();
      await journal.renew(beginning);
      const begun = journal.mark();
      const other = sha256(Uint8Array.of(9));
      const former = [mark, last, { group: mark!.group, chain: other }, { group: 1, chain: other }];
      for (const named of [...former, begun])
        assert.equal((await found(files, { ...then, mark: named })).through, undefined, `group ${named!.group}`);
      const next = await journal.append([entry(50)]);
      assert.deepEqual(
        [next.group, (await found(files, { ...then, mark: next })).through],
        [begun.group + 1, undefined],
      );
      const group = next.group + 1;
      for (const named of [
        undefined,
        { group, chain: next.chain },
        ...[begun, next].map((one) => ({ ...one, chain: other })),
      ])
        assert.equal((await found(files, { ...then, mark: named })).through, named && 8, `group ${named?.group}`);
    });
  }

  /** A journal that began anew in epoch 8. */
  async function begunAnew(validatorKey = KEY): Promise<{ files: MemoryFiles; journal: JournalPort }> {
    const files = await filled(12);
    const { journal } = await open(files, { epoch: 7 });
    await journal.renew({ epoch: 8, validatorKey });
    return { files, journal };
  }

  it('what was appended before is void, also what waited; what is appended after it is kept', async () => {
    const files = await filled(12);
    const { journal } = await open(files);
    const appended = [journal.append([entry(13)]), journal.append([entry(14)])];
    const renewed = journal.renew({ epoch: 1, validatorKey: KEY });
    await Promise.all([...appended, renewed, journal.append([entry(15)])]);
    assert.deepEqual((await found(files, { epoch: 1 })).records, [15]);
  });

  it('N2: never forgets the votes of the epoch that it began in, or of an earlier one', async () => {
    const { files, journal } = await begunAnew();
    await journal.append([entry(20)]);
    for (const epoch of [7, 8])
      for (const validatorKey of [KEY, NEW_KEY])
        await assert.rejects(journal.renew({ epoch, validatorKey }), /is not above 8, in which this journal began/);
    await journal.append([entry(21)]);
    assert.deepEqual(await found(files, { epoch: 8 }), { records: [20, 21], through: undefined });
  });

  it('begins with what lasts, goes on over segments, is pruned, and begins anew again', async () => {
    const { files, journal } = await begunAnew();
    const marks: JournalMark[] = [];
    for (let height = 20; height < 50; height++) marks.push(await journal.append([entry(height)]));
    const count = names(files).length;
    assert(count > 3);
    assert.deepEqual((await found(files, { epoch: 8 })).records, upTo(49).slice(19));
    journal.prune(35);
    await journal.append([entry(50)]);
    await journal.close();
    assert(names(files).length < count);
    const opened = await open(files, { epoch: 9, mark: marks[20]!, onRotate: () => [entry(200)] });
    assert.deepEqual(heights(opened.records).slice(-15), upTo(50).slice(35));
    await opened.journal.renew({ epoch: 9, validatorKey: KEY });
    await opened.journal.append([entry(51)]);
    assert.deepEqual(await found(files, { epoch: 9 }), { records: [200, 51], through: undefined });
  });

  it('D12: it is of the new key: the old one is refused, and one that was never its own', async () => {
    const { files } = await begunAnew(NEW_KEY);
    await assert.rejects(open(files, { epoch: 8 }), { code: 'JOURNAL_FOREIGN' });
    const third = { epoch: 9, validatorKey: sha256(Uint8Array.of(4)) };
    await assert.rejects(open(files, { ...third, formerKeys: [KEY] }), { code: 'JOURNAL_FOREIGN' });
    const { doubt } = await open(files, { ...third, formerKeys: [KEY, NEW_KEY] });
    assert.equal(doubt, undefined);
  });

  it('doubt outlasts a change of the key, and shows nothing that the former key signed', async () => {
    const files = await filled(3);
    await (await open(files)).journal.doubt('shown', 9);
    const key = { validatorKey: NEW_KEY, formerKeys: [KEY] };
    assert.deepEqual(await found(files, { ...key, epoch: 9 }), { records: [], through: 9 });
    assert.equal((await found(files, { ...key, epoch: 10 })).through, undefined);
  });

  it('damage in the journal of a former key is doubt: it may hide that the new key has signed', async () => {
    const files = await filled(3);
    damage(files);
    const { through } = await found(files, { validatorKey: NEW_KEY, formerKeys: [KEY], epoch: 9 });
    assert.equal(through, 9);
  });

  it('D06: beside a ledger of an earlier epoch it is in doubt, through its own epoch', async () => {
    const { files, journal } = await begunAnew();
    const mark = await journal.append([entry(1)]);
    assert.deepEqual(await found(files, { epoch: 7, mark }), { records: [1], through: 8 });
    assert.match((await open(files, { epoch: 0 })).doubt!.reason, /ledger's files were lost/);
  });

  it('D13, trap: a journal rolled back across an epoch change is doubt beside the newer LevelDB', async () => {
    const files = await filled(3);
    const { journal } = await open(files, { epoch: 7 });
    await journal.doubt('shown', 7);
    const backup = files.copy();
    await journal.renew({ epoch: 8, validatorKey: KEY });
    const mark = await journal.append([entry(1)]);
    for (const epoch of [8, 9]) assert.equal((await found(backup, { epoch, mark })).through, epoch);
    assert.equal((await found(backup, { epoch: 8 })).through, undefined, 'LevelDB names nothing newer');
  });

  it('D13: two beginnings over the same files are told apart', async () => {
    const files = await filled(3);
    const copies = [files.copy(), files.copy()];
    const marks: JournalMark[] = [];
    for (const copy of copies) {
      const { journal } = await open(copy);
      await journal.renew({ epoch: 8, validatorKey: KEY });
      marks.push(journal.mark());
    }
    assert.equal(marks[0]!.group, marks[1]!.group);
    for (const [i, through] of [undefined, 8].entries())
      assert.equal((await found(copies[i]!, { epoch: 8, mark: marks[0]! })).through, through);
  });

  it('D05: a changed byte of its header is doubt, or nothing has begun', async () => {
    const { files, journal } = await begunAnew();
    await journal.append([entry(1)]);
    const [name] = names(files);
    for (let at = 0; at < HEADER_BYTES; at++) {
      const copy = files.copy();
      copy.files.get(name!)![at]! ^= 4;
      assert.equal((await found(copy, { epoch: 8 })).through, 8, `byte ${at}`);
    }
  });

  it('a segment of another epoch or key within a journal is doubt', async () => {
    for (const change of [{ epoch: 1 }, { validatorKey: NEW_KEY }]) {
      const files = await filled(20);
      const file = files.files.get(names(files)[1]!)!;
      file.set(encodeHeader({ ...decodeHeader(file)!, ...change }));
      const { doubt } = await open(files, { formerKeys: [NEW_KEY] });
      assert.match(doubt?.reason ?? 'none', /expected epoch 0, key/);
    }
  });

  it('D03: a failed write is fatal, and nothing is tried again', async () => {
    const { files, journal } = await begunAnew();
    files.failIn = 3;
    await assert.rejects(journal.renew({ epoch: 9, validatorKey: KEY }), { code: 'JOURNAL_FAILED' });
    for (const again of [
      journal.append([entry(1)]),
      journal.renew({ epoch: 9, validatorKey: KEY }),
      journal.doubt('', 9),
    ])
      await assert.rejects(again, { code: 'JOURNAL_FAILED' });
  });
});
