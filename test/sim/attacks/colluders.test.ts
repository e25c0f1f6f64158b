import assert from 'node:assert/strict';
import { blockHash } from '../../../ledger/block.ts';
import { toHex } from '../../../ledger/bytes.ts';
import { decode } from '../../../ledger/codec.ts';
import { blockCodec } from '../../../node/ledger/records.ts';
import { heightKey, KINDS } from '../../../node/store/store.ts';
import { TAGS } from '../adversary.ts';
import {
  type Attack,
  all,
  at,
  both,
  byzantine,
  crash,
  did,
  hide,
  isolate,
  left,
  QUIET,
  reunite,
  testAttacks,
} from '../attack.ts';
import type { FaultKind } from '../profile.ts';

/** C01: what one member alone has executed is the block of everybody afterwards. */
function oneKnows(): Attack {
  let known: { readonly height: number; readonly hash: string } | undefined;
  let others = 0;
  return {
    title: 'C01: COMMITs reach exactly one member, which is then cut off: what it executed survives',
    plan: byzantine(['viewChangeLiar'], [2]),
    script: all(
      hide(TAGS.commit, [3], 300, 700),
      at(699, ({ nodes }) => {
        const { executed } = nodes[3]!.validator!.state;
        known = { height: executed.height, hash: toHex(executed.blockHash) };
        others = Math.max(...nodes.slice(0, 3).map(({ validator }) => validator!.state.executed.height));
      }),
      at(700, isolate(3)),
      at(701, isolate(0)),
      at(3_000, reunite),
    ),
    happened: both(did('hidden'), left, () => known!.height > others),
    holds(_, nodes) {
      for (const node of nodes.filter(({ machine }) => machine !== 2)) {
        if (!node.isUp()) continue;
        const row = node.disk.rows.get(
          Buffer.concat([Uint8Array.of(KINDS.block), heightKey(known!.height)]).toString('latin1'),
        );
        assert(row !== undefined, `${node.name} has block ${known!.height}`);
        assert.equal(toHex(blockHash(decode(blockCodec, row.subarray(4)).header)), known!.hash);
      }
    },
  };
}

const COLLUDERS: readonly Attack[] = [
  oneKnows(),
  {
    title: 'C02: the same over several views',
    plan: { n: 7, ...byzantine(['viewChangeLiar', 'equivocate'], [2]) },
    script: all(
      ...[400, 1_400, 2_400, 3_400].map((ms, i) =>
        all(
          hide(TAGS.commit, [(3 + i) % 7], ms, ms + 400),
          at(ms + 400, (world) => isolate((3 + i) % 7)(world)),
          at(ms + 900, reunite),
        ),
      ),
    ),
    happened: both(did('hidden'), left),
  },
  {
    title: 'C03: prepared at one member only, which is left out of the next view and comes back',
    script: all(hide(TAGS.prepare, [3], 300, 800), at(800, isolate(3)), at(801, isolate(0)), at(3_000, reunite)),
    happened: both(did('hidden'), left),
  },
  {
    title: 'C04: members whose timers end at different moments come together',
    plan: { kinds: ['drift'] as FaultKind[], stormMs: 6_000 },
    script: at(500, isolate(0)),
    happened: both(did('drift'), left),
  },
  {
    title: 'C05: later messages before earlier ones',
    script: (world) => {
      world.network.weather = { delayMs: [0.2, 300], loss: 0, duplicate: 0, late: 0.3, lateMs: 800 };
    },
    happened: did('late'),
  },
  { title: 'C07: two twins among seven', plan: { n: 7, twins: [0, 3], stormMs: 6_000 }, happened: did('twins') },
  {
    title: 'C08: f Byzantine and one more crashed: nothing forks, and it goes on when that one is back',
    plan: byzantine(['equivocate'], [1]),
    script: all(at(500, crash(2, true, 3_000))),
    happened: both(did('crashes')),
  },
  {
    title: 'C10: calm and storm in turn, shorter than the timeouts: these do not add up, and shrink again',
    plan: { kinds: ['flap'] as FaultKind[], stormMs: 8_000 },
    happened: both(did('flap'), left),
    // With a stable checkpoint after the other in calm weather, all are back where they began.
    holds(_, nodes) {
      for (const { validator } of nodes) {
        assert((validator?.state.timer.timeoutMs ?? 0) <= 1_000, `${validator?.state.timer.timeoutMs} ms`);
      }
    },
  },
  {
    title: 'C11: Byzantine at the edge of the window (window 1)',
    plan: { parameters: { ...QUIET.parameters, window: 1 }, ...byzantine(['gaps']) },
    happened: did('gaps'),
  },
];

testAttacks('colluders', COLLUDERS);
