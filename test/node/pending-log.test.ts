import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JournalError } from '../../node/journal/error.ts';
import { openPendingLog, type PendingLog } from '../../node/pending-log.ts';
import { MemoryFiles } from '../support/memory-files.ts';

/** A transaction of `length` bytes that begin with its number. */
function body(number: number, length = 40): { readonly key: string; readonly bytes: Uint8Array } {
  const bytes = new Uint8Array(length).fill(number & 0xff);
  new DataView(bytes.buffer).setUint32(0, number);
  return { key: String(number), bytes };
}

function numbersOf(transactions: readonly Uint8Array[]): number[] {
  return transactions.map((bytes) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
}

/** One process after the other on one disk; `pending` is what each still needs. */
class Disk {
  files = new MemoryFiles();
  readonly pending = new Map<string, Uint8Array>();
  readonly fatal: JournalError[] = [];

  readonly bodyOf = (key: string) => this.pending.get(key);

  async open(): Promise<{ log: PendingLog; found: number[] }> {
    const { log, transactions } = await openPendingLog({
      directory: 'memory',
      onFatal: (error) => void this.fatal.push(error),
      files: this.files,
      segmentBytes: 200,
      slackBytes: 400,
    });
    return { log, found: numbersOf(transactions) };
  }

  get bytes(): number {
    return [...this.files.files.values()].reduce((sum, { length }) => sum + length, 0);
  }
}

describe('the log of pending transactions (R11)', () => {
  it('H11: what was kept is found after a power cut, and what was on its way may be', async () => {
    const disk = new Disk();
    const { log, found } = await disk.open();
    assert.deepEqual(found, []);
    await log.keep([body(1), body(2)]);
    await log.keep([body(3)]);
    disk.files.powerCut();
    assert.deepEqual((await disk.open()).found, [1, 2, 3]);
  });

  it('what comes while the disk is busy is written together, with one sync', async () => {
    const disk = new Disk();
    const { log } = await disk.open();
    await log.keep([body(0)]);
    const before = disk.files.syncs;
    await Promise.all(Array.from({ length: 4 }, (_, i) => log.keep([body(i + 1, 8)])));
    assert(disk.files.syncs - before <= 2, `${disk.files.syncs - before}`);
    assert.deepEqual((await disk.open()).found, [0, 1, 2, 3, 4]);
  });

  it('what is kept already is not written again, but waited for', async () => {
    const disk = new Disk();
    const { log } = await disk.open();
    let isKept = false;
    const first = log.keep([body(1)]).then(() => {
      isKept = true;
    });
    await log.keep([body(1)]);
    assert(isKept, 'who asks again is not told sooner that it is on disk');
    await first;
    await log.keep([body(1)]);
    assert.deepEqual((await disk.open()).found, [1]);
  });

  it('a file that was cut anywhere gives what is whole, and never fails', async () => {
    const disk = new Disk();
    const { log } = await disk.open();
    await log.keep([body(1), body(2), body(3)]);
    const [name] = disk.files.files.keys();
    const content = disk.files.files.get(name!)!;
    for (let length = 0; length <= content.length; length++) {
      const cut = new Disk();
      cut.files.files.set(name!, content.slice(0, length));
      const whole = Math.floor(length / 44);
      assert.deepEqual((await cut.open()).found, [1, 2, 3].slice(0, whole));
    }
  });

  it('after a start only what is needed stays, whenever the process is killed', async () => {
    for (let failIn = 1; ; failIn++) {
      const disk = new Disk();
      await (await disk.open()).log.keep([body(1), body(2)]);
      const { log } = await disk.open();
      disk.files.failIn = failIn;
      const isDone = await log.begin([body(2)], disk.bodyOf).then(
        () => true,
        () => false,
      );
      disk.files.failIn = 0;
      disk.files.powerCut();
      const { found } = await disk.open();
      assert(found.includes(2), `step ${failIn}: ${found}`);
      if (!isDone) continue;
      assert.deepEqual(found, [2]);
      assert(failIn > 4, 'each step failed once');
      return;
    }
  });

  it('forgets nothing before it has been told what is pending', async () => {
    const disk = new Disk();
    await (await disk.open()).log.keep([body(1)]);
    const { log } = await disk.open();
    const many = Array.from({ length: 20 }, (_, i) => body(i));
    for (const one of many) await log.keep([one]);
    assert.deepEqual(new Set((await disk.open()).found), new Set(many.keys()));
    await log.begin(many, disk.bodyOf);
    await log.keep([body(20)]);
    assert.deepEqual((await disk.open()).found, [], 'nothing is pending');
  });

  it('a disk that fails is said once, and acknowledges nothing any more', async () => {
    const disk = new Disk();
    const { log } = await disk.open();
    await log.keep([body(1)]);
    disk.files.failIn = 1;
    await assert.rejects(log.keep([body(2)]), /can't be kept in memory: EIO/);
    disk.files.failIn = 0;
    await assert.rejects(log.keep([body(3)]));
    await assert.rejects(log.keep([body(2)]), 'also what it had begun to write');
    assert.equal(disk.fatal.length, 1);
    await log.close();
  });

  it('its files stay as small as what is pending, and lose nothing of that', async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant('keep' as const), count: fc.integer({ min: 1, max: 6 }) }),
      },
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('done' as const), count: fc.integer({ min: 1, max: 8 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), count: fc.constant(0) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), fc.nat(), async (steps, from) => {
        const disk = new Disk();
        let { log } = await disk.open();
        await log.begin([], disk.bodyOf);
        let next = 0;
        for (const { kind, count } of steps) {
          if (kind === 'keep') {
            const entries = Array.from({ length: count }, () => body(next++));
            for (const { key, bytes } of entries) disk.pending.set(key, bytes);
            await log.keep(entries);
          } else if (kind === 'done') {
            const keys = [...disk.pending.keys()];
            for (let i = 0; i < count; i++) disk.pending.delete(keys[(from + i * 7) % Math.max(1, keys.length)]!);
          } else {
            disk.files.powerCut();
            const opened = await disk.open();
            log = opened.log;
            const found = new Set(opened.found.map(String));
            for (const key of disk.pending.keys()) assert(found.has(key), `${key} is lost`);
            await log.begin(
              [...disk.pending].map(([key, bytes]) => ({ key, bytes })),
              disk.bodyOf,
            );
          }
        }
        const needed = 44 * disk.pending.size;
        // The newest file, and one group above its limit, come on top of what the last rotation has left.
        await log.keep(Array.from({ length: 6 }, () => body(next++)));
        assert(disk.bytes <= 2 * needed + 400 + 44 * 80 * 6, `${disk.bytes} for ${needed}`);
      }),
      { numRuns: 150 },
    );
    assert.deepEqual(new Disk().fatal, []);
  });
});
