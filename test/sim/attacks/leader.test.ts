import {
  type Attack,
  all,
  at,
  both,
  byzantine,
  did,
  evidenceAgainst,
  isolate,
  left,
  reunite,
  testAttacks,
  views,
} from '../attack.ts';

const LEADER: readonly Attack[] = [
  {
    title: 'L01: a leader that equivocates is replaced, and everybody holds the evidence',
    plan: byzantine(['equivocate']),
    happened: both(did('equivocate'), left, evidenceAgainst(0)),
  },
  {
    title: 'L02: two of seven equivocate together, and vote for both sides',
    plan: { n: 7, ...byzantine(['equivocate'], [0, 1]) },
    happened: both(did('equivocate'), left),
  },
  {
    title: 'L03, L16, Q02: the same ids twice in a batch, and again at other heights, execute once',
    plan: byzantine(['duplicates']),
    happened: did('duplicates'),
  },
  {
    title: 'L05, R24: bodies withheld by the leader come from others, or the view changes',
    plan: byzantine(['withhold']),
    happened: did('withhold'),
  },
  {
    title: 'L06: a height that is never proposed is filled after a view change',
    plan: byzantine(['gaps']),
    happened: both(did('gaps'), left),
  },
  {
    title: 'L07, R12, X06: proposals and views beyond all bounds are dropped',
    plan: byzantine(['highViews', 'gaps']),
    happened: did('highViews'),
  },
  {
    title: 'L10, L11: a leader that leaves some transactions out is replaced, although others go on',
    plan: byzantine(['censor']),
    happened: both(did('censor'), left),
  },
  {
    title: 'L12: a leader that is slow, but never silent, does not stop the chain',
    plan: { ...byzantine(['slow']), stormMs: 8_000 },
    happened: did('slow'),
  },
  {
    title: 'L13: a leader that orders only empty batches is replaced',
    plan: byzantine(['emptyBatches']),
    happened: both(did('emptyBatches'), left),
  },
  {
    title: 'L14, Q01: batches with what nobody can verify are never prepared',
    plan: byzantine(['invalidBatches']),
    happened: both(did('invalidBatches'), left),
  },
  {
    title: 'L19: timestamps far ahead, far behind or equal wedge nothing',
    plan: byzantine(['wrongTimes']),
    happened: both(did('wrongTimes'), left),
  },
  {
    title: 'L20, L21, L22, L23: a NEW-VIEW with another carry is refused, and its leader is left',
    plan: { ...byzantine(['newViewLiar', 'viewChangeLiar'], [1]), relentless: true },
    script: at(300, isolate(0)),
    happened: both(did('newViewLiar'), views(2)),
  },
  {
    title: 'L25: a NEW-VIEW that reaches only some: the others take it from them',
    plan: byzantine(['selective'], [1]),
    script: all(at(300, isolate(0)), at(2_500, reunite)),
    happened: both(did('selective'), left),
  },
  {
    title: 'L27: a leader that forgets what it proposed (a copy of it proposes something else)',
    plan: { twins: [0] },
    happened: both(did('twins'), left),
  },
  {
    title: 'L30: invalid content that is found out late leaves the next view free to order',
    plan: byzantine(['invalidBatches', 'wrongTimes', 'duplicates']),
    happened: both(left, (result) => result.transactions > 10),
  },
];

testAttacks('leader', LEADER);
