import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { decode } from '../../ledger/codec.ts';
import { SIGN_KINDS } from '../../ledger/sign-bytes.ts';
import { installFastHashing } from '../../node/hashing.ts';
import { headCodec } from '../../node/ledger/records.ts';
import { heightKey, KINDS } from '../../node/store/store.ts';
import { all, at, crash, cut, directed, heightOf, type Script, split } from './directed.ts';
import type { SimDisk } from './disk.ts';
import type { SimNode } from './node.ts';
import { Random } from './random.ts';
import type { ScriptWorld } from './run.ts';
import { KIND_AT, signedTwice } from './signed-twice.ts';

/** Disks that fail, directed: at every place of the product that writes. `directed` asserts the checker's promises. */

installFastHashing();

/** Every call of the journal and of the ledger that changes what is on the disk, from their source: `journal.ts:196`. */
function writePlaces(file: string, call: RegExp): Map<string, string> {
  const path = new URL(`../../node/${file}`, import.meta.url);
  const places = new Map<string, string>();
  for (const [i, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    const found = call.exec(line);
    if (found !== null) places.set(`${file.split('/')[1]}:${i + 1}`, line.trim());
  }
  return places;
}

const FILE_CALL = /await (?:this\.#)?files?!?\.(?:write|truncate|sync|remove|rename)\(/;
const JOURNAL = writePlaces('journal/journal.ts', FILE_CALL);
const LEDGER = writePlaces('ledger/ledger.ts', /await \w+\.write\(\{ sync/);
const ORDINARY = [...JOURNAL.keys(), ...LEDGER.keys()];
/** Places that only a validator in doubt comes to, for as long as there is one epoch. */
const DOUBT = [...writePlaces('journal/replace.ts', FILE_CALL).keys()];
const STORM_MS = 6_000;

/** `journal.ts:196` of `before journal write at journal.ts:196`. */
const placeOf = (point: string): string => point.slice(point.lastIndexOf(' ') + 1);

const exact: Script = (world) => {
  for (const node of world.nodes) node.exactPoints = true;
};

/** One is away for so long that it takes a snapshot: that writes too. */
const away: Script = at(600, (world) => {
  const node = world.nodes[3]!;
  node.crash(false);
  world.loop.after(2_400, () => node.start());
});

/** Ends the process at this point; it is back soon. */
function crashHere(world: ScriptWorld, node: SimNode, power: boolean): void {
  node.crash(power);
  world.faults.count('crashes');
  world.loop.after(30, () => node.start());
}

/** Power cuts that leave torn groups and files without a header, so that starting has something to repair. */
const isTearing = (point: string): boolean => point.startsWith('before journal sync');

describe('disks that fail at every write point', { concurrency: 1 }, () => {
  it('finds the write points in the source', () => {
    assert(DOUBT.length >= 5 && ORDINARY.length >= 13, `${DOUBT} and ${ORDINARY}`);
  });

  it('D01, D16, I21: processes end before and after every write point, killed or without power', async () => {
    const pending = new Set(
      ORDINARY.flatMap((place) =>
        ['before', 'after'].flatMap((when) => [false, true].map((power) => `${when} ${place} ${power}`)),
      ),
    );
    for (let seed = 1; pending.size > 0; seed++) {
      assert(seed <= 30, `never came to ${[...pending].join(', ')}`);
      const random = new Random(seed, 9);
      let world: ScriptWorld | undefined;
      const onPoint = (node: SimNode, point: string): void => {
        if (world!.loop.now >= STORM_MS - 100) return;
        const name = `${point.split(' ')[0]} ${placeOf(point)}`;
        const power = [true, false].find((one) => pending.has(`${name} ${one}`));
        if (power !== undefined) {
          pending.delete(`${name} ${power}`);
          crashHere(world!, node, power);
          assertWhole(node.disk);
        } else if (isTearing(point) && random.chance(0.01)) crashHere(world!, node, true);
      };
      const script = all(exact, away, (one) => {
        world = one;
      });
      await directed(seed, { stormMs: STORM_MS }, script, onPoint);
    }
  });

  it('D01: a validator in doubt that ends while it writes its doubt down is in doubt ever after', async () => {
    const pending = new Set(
      DOUBT.flatMap((place) =>
        ['before', 'after'].flatMap((when) => [false, true].map((power) => `${when} ${place} ${power}`)),
      ),
    );
    let world: ScriptWorld | undefined;
    const votes: string[] = [];
    const { nodes } = await directed(
      3,
      { fragile: [2], stormMs: STORM_MS },
      all(
        exact,
        (one) => {
          world = one;
        },
        at(1_500, (one) => {
          one.nodes[2]!.crash(false);
          damageJournal(one.nodes[2]!.disk);
          votesOf(one, 2, votes);
          one.nodes[2]!.start();
        }),
      ),
      (node, point) => {
        if (node.machine !== 2) return;
        const name = `${point.split(' ')[0]} ${placeOf(point)}`;
        const power = [true, false].find((one) => pending.has(`${name} ${one}`));
        if (power === undefined) return;
        pending.delete(`${name} ${power}`);
        crashHere(world!, node, power);
      },
    );
    assert.deepEqual([...pending], []);
    assert.equal(nodes[2]!.validator!.state.mode, 'doubt');
    assert.deepEqual(votes, []);
  });

  for (const [id, failure] of [
    ['D03', 'EIO: i/o error'],
    ['D09', 'ENOSPC: no space left on device'],
  ] as const) {
    const then = id === 'D03' ? 'the process ends and comes back' : 'the process ends until there is space again';
    it(`${id}: ${failure} at every write point: ${then}, with no half commit`, async () => {
      const pending = new Set(ORDINARY);
      for (let seed = 1; pending.size > 0; seed++) {
        assert(seed <= 30, `never came to ${[...pending].join(', ')}`);
        const random = new Random(seed, 9);
        let world: ScriptWorld | undefined;
        const refuses = (node: SimNode) => (point: string) => {
          if (world!.loop.now >= STORM_MS - 1_500) return undefined;
          if (id === 'D09' && fullUntil.get(node)! > world!.loop.now) return /write/.test(point) ? failure : undefined;
          if (!pending.delete(placeOf(point))) return undefined;
          fullUntil.set(node, world!.loop.now + 700);
          world!.faults.count(id);
          return failure;
        };
        const fullUntil = new Map<SimNode, number>();
        const script = all(exact, away, (one) => {
          world = one;
          for (const node of one.nodes) {
            fullUntil.set(node, 0);
            node.refuses = refuses(node);
          }
        });
        await directed(seed, { stormMs: STORM_MS }, script, (node, point) => {
          if (isTearing(point) && world!.loop.now < STORM_MS - 1_500 && random.chance(0.01))
            crashHere(world!, node, true);
        });
      }
    });
  }

  it('D15: a laggard that ends at every write of its catch-up goes on where it was', async () => {
    let crashes = 0;
    let world: ScriptWorld | undefined;
    const { nodes, result } = await directed(
      8,
      { stormMs: 9_000 },
      all(
        (one) => {
          world = one;
        },
        at(200, split([3])),
        at(2_500, (one) => one.network.heal()),
      ),
      (node, point) => {
        if (node.machine !== 3 || world!.loop.now < 2_500 || world!.loop.now > 8_000 || crashes >= 24) return;
        if (!/^\w+ database write/.test(point) || node.validator?.state.syncing !== true) return;
        crashes++;
        crashHere(world!, node, crashes % 2 === 0);
      },
    );
    assert(crashes >= 5 && result.stateTransfers >= 5, `${crashes} crashes, ${result.stateTransfers} catch-ups`);
    assert(heightOf(nodes[3]!) > 30);
  });
});

/** D16: the newest block, its ids and its state are there together. */
function assertWhole({ rows }: SimDisk): void {
  const head = rows.get(String.fromCharCode(KINDS.head));
  if (head === undefined) return assert.equal(rows.size, 0, 'nothing without genesis');
  const { height } = decode(headCodec, head.subarray(4));
  const block = (at: number): string => Buffer.concat([Uint8Array.of(KINDS.block), heightKey(at)]).toString('latin1');
  assert(rows.has(block(height)) && !rows.has(block(height + 1)), `block ${height}`);
}

/** Flips a bit in the middle of the oldest segment that a later group follows. */
function damageJournal({ files }: SimDisk): void {
  const [name] = [...files.keys()].filter((one) => one.endsWith('.journal')).sort();
  const file = files.get(name!)!;
  const content = file.content.slice();
  content[200]! ^= 4;
  files.set(name!, { content, durable: content });
}

/** Notes what a machine signs from now on, but for STATUS. */
function votesOf({ checker }: ScriptWorld, machine: number, votes: string[]): void {
  const signed = checker.signed.bind(checker);
  const names = new Map(Object.entries(SIGN_KINDS).map(([name, kind]) => [kind as number, name]));
  checker.signed = (node, bytes) => {
    const name = names.get(bytes[KIND_AT]!) ?? 'unknown';
    if (node.machine === machine && name !== 'status') votes.push(name);
    signed(node, bytes);
  };
}

describe('disks that lie or were changed', { concurrency: 1 }, () => {
  for (const [what, lies, found] of [
    ['the journal', ['journal'], /LevelDB names journal group/],
    ['journal and database', ['journal', 'database'], /member \d shows/],
  ] as const) {
    it(`D04: fsync of ${what} lies at one of four, then its power is cut: it is found out, and nothing forks`, async () => {
      const reasons: string[] = [];
      for (const cutAt of [780, 830, 880, 1_200, 1_900, 2_600]) {
        const twice: string[] = [];
        let before = 0;
        const { nodes } = await directed(
          cutAt,
          { fragile: [2], stormMs: 4_500 },
          all(
            (world) => signedTwice(world, 2, twice),
            at(700, (world) => {
              for (const one of lies) world.nodes[2]!.disk.lies[one] = true;
            }),
            at(cutAt, (world) => {
              const node = world.nodes[2]!;
              before = heightOf(node);
              node.crash(true);
              for (const one of lies) node.disk.lies[one] = false;
              world.loop.after(50, () => node.start());
            }),
          ),
        );
        const { mode, executed, reason } = nodes[2]!.validator!.state;
        assert.deepEqual(twice, [], `cut at ${cutAt}`);
        // What was lost within a moment may all be below what is certified by now: then nothing is to be doubted.
        if (cutAt > 1_000) assert.equal(mode, 'doubt', `cut at ${cutAt}`);
        reasons.push(reason);
        assert(executed.height > before, 'it follows');
      }
      assert(
        reasons.some((reason) => found.test(reason)),
        reasons.join('; '),
      );
    });
  }

  it('D08, D17: a block that is damaged, or stored under the key of another, is never served; others serve it', async () => {
    for (const misdirected of [false, true]) {
      const { nodes, result } = await directed(
        2,
        { fragile: [2], stormMs: 4_500 },
        all(
          at(200, split([3])),
          at(1_800, (world) => {
            const { disk } = world.nodes[2]!;
            const key = (height: number): string =>
              Buffer.concat([Uint8Array.of(KINDS.block), heightKey(height)]).toString('latin1');
            const good = disk.rows.get(key(6))!;
            disk.overwrite(key(6), misdirected ? disk.rows.get(key(7))! : good.with(50, good[50]! ^ 1));
          }),
          // The laggard can ask the damaged one only, then the others too.
          at(2_000, (world) => {
            world.network.heal();
            cut(world, (from, to) => (from === 3 && to < 2) || (to === 3 && from < 2));
          }),
          at(3_200, (world) => {
            assert(heightOf(world.nodes[3]!) < 6, 'it has nothing from the damaged one');
            world.network.heal();
          }),
        ),
      );
      assert(result.stateTransfers > 0 && heightOf(nodes[3]!) > 10);
    }
  });

  for (const kind of ['state', 'block', 'history', 'head'] as const) {
    it(`D17: a ${kind} record stored under the key of another is found out before it is used`, async () => {
      const { result, nodes } = await directed(
        4,
        { fragile: [2], stormMs: 3_000 },
        at(1_500, (world) => {
          const node = world.nodes[2]!;
          node.crash(false);
          const keys = [...node.disk.rows.keys()].filter((key) => key.charCodeAt(0) === KINDS[kind]).sort();
          // The newest two; the one head record gets a history node's bytes.
          const other = kind === 'head' ? node.disk.rows.get(String.fromCharCode(KINDS.meta))! : undefined;
          node.disk.overwrite(keys.at(-1)!, other ?? node.disk.rows.get(keys.at(-2)!)!);
          node.start();
        }),
      );
      assert(!nodes[2]!.isUp());
      assert(result.log.some((line) => /v2 ends: a \w+ record in the database is damaged/.test(line)));
    });
  }

  it('D06: a database that lost its newest blocks, as with its log, beside a whole journal: nothing is signed twice', async () => {
    for (const [backupMs, restoreMs] of [
      [700, 1_000],
      [900, 2_400],
      [1_900, 2_000],
    ] as const) {
      const twice: string[] = [];
      let older: SimDisk | undefined;
      let lost = 0;
      const { nodes } = await directed(
        restoreMs,
        { fragile: [2], stormMs: 4_500 },
        all(
          (world) => signedTwice(world, 2, twice),
          at(backupMs, (world) => {
            older = world.nodes[2]!.disk.copy();
            lost = -heightOf(world.nodes[2]!);
          }),
          at(restoreMs, (world) => {
            const node = world.nodes[2]!;
            lost += heightOf(node);
            node.crash(false);
            older!.files.clear();
            for (const [name, { content }] of node.disk.files) older!.files.set(name, { content, durable: content });
            node.disk = older!;
            node.start();
          }),
        ),
      );
      assert(lost > 0);
      assert.deepEqual(twice, [], `rolled back from ${restoreMs} to ${backupMs}`);
      assert.equal(heightOf(nodes[2]!), heightOf(nodes[1]!));
    }
  });

  it('D19: the same journal record damaged at all: all are in doubt, nobody votes, nothing is made up', async () => {
    const votes: string[] = [];
    const heights: (readonly number[])[] = [];
    await directed(
      6,
      { fragile: [0, 1, 2, 3], stormMs: 5_000 },
      all(
        at(1_500, (world) => {
          for (const node of world.nodes) {
            node.crash(true);
            damageJournal(node.disk);
          }
          for (const { machine } of world.nodes) votesOf(world, machine, votes);
          for (const node of world.nodes) node.start();
        }),
        at(2_500, (world) => void heights.push(world.nodes.map(heightOf))),
        at(4_900, (world) => {
          heights.push(world.nodes.map(heightOf));
          for (const node of world.nodes) {
            assert.equal(node.validator!.state.mode, 'doubt');
            assert.match(node.validator!.state.reason, /journal .* expected group/);
          }
        }),
      ),
    );
    assert.deepEqual(votes, []);
    assert.equal(Math.max(...heights[1]!), Math.max(...heights[0]!), 'nothing new is ordered');
  });

  it('D19: the same database record damaged at all: every process ends with a report, none goes on without it', async () => {
    const { result, nodes } = await directed(
      6,
      { fragile: [0, 1, 2, 3], stormMs: 2_500 },
      at(1_500, (world) => {
        for (const node of world.nodes) {
          node.crash(true);
          const key = Buffer.concat([Uint8Array.of(KINDS.block), heightKey(3)]).toString('latin1');
          const good = node.disk.rows.get(key)!;
          node.disk.overwrite(key, good.with(20, good[20]! ^ 16));
          node.start();
        }
      }),
    );
    for (const node of nodes) {
      assert(!node.isUp());
      assert(result.log.some((line) => line.includes(`${node.name} ends: a block record in the database is damaged`)));
    }
  });

  it('D14: the leader’s disk takes ten seconds, then a follower’s', async () => {
    const { result, nodes } = await directed(
      9,
      { stormMs: 16_000 },
      all(
        at(500, (world) => {
          world.nodes[0]!.diskMs = 10_000;
        }),
        at(6_000, (world) => {
          world.nodes[0]!.diskMs = 100;
        }),
        at(9_000, (world) => {
          world.nodes[0]!.diskMs = 0.5;
          world.nodes[3]!.diskMs = 10_000;
        }),
      ),
    );
    assert(result.viewChanges > 0, 'the leader is replaced');
    assert(Math.max(...nodes.map(heightOf)) > 60);
    assert(heightOf(nodes[3]!) >= Math.max(...nodes.map(heightOf)) - 8 || !nodes[3]!.isUp());
  });

  it('D02, D13: a disk that is lost as a whole while its power is cut, twice', async () => {
    const { nodes } = await directed(
      10,
      { fragile: [1], stormMs: 4_500 },
      all(
        ...[1_000, 2_400].map((ms) =>
          at(ms, (world: ScriptWorld) => {
            const node = world.nodes[1]!;
            node.crash(true);
            node.disk.files.clear();
            node.disk.rows.clear();
            node.disk = node.disk.copy();
            world.loop.after(40, () => node.start());
          }),
        ),
        at(3_300, crash(2, true, 40)),
      ),
    );
    assert.equal(nodes[1]!.validator!.state.mode, 'doubt');
    assert(heightOf(nodes[1]!) > 10);
  });
});
