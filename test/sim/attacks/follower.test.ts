import { type Attack, all, at, both, byzantine, did, isolate, left, reunite, testAttacks } from '../attack.ts';

const FOLLOWER: readonly Attack[] = [
  {
    title: 'R01, R02, R06: votes for what was never proposed, twice, and under the names of others',
    plan: byzantine(['equivocate', 'forger'], [2]),
    happened: both(did('equivocate'), did('forger')),
  },
  {
    title: 'R03, R26: the same messages again and again, also those of others',
    plan: byzantine(['replay'], [2]),
    happened: did('replay'),
  },
  {
    title: 'R09, R10, R11: VIEW-CHANGEs with made-up certificates, and without the own ones',
    plan: byzantine(['viewChangeLiar'], [2]),
    script: all(at(300, isolate(0)), at(3_000, reunite)),
    happened: both(did('viewChangeLiar'), left),
  },
  {
    title: 'R13: f members that jump to a huge view are not followed',
    plan: { n: 7, ...byzantine(['highViews'], [2, 3]) },
    happened: both(did('highViews'), (_, nodes) => nodes.every((node) => (node.validator?.state.view ?? 0) < 50)),
  },
  {
    title: 'R14: a member that is silent in view changes and votes late',
    plan: byzantine(['slow', 'selective'], [3]),
    script: all(at(300, isolate(0)), at(3_000, reunite)),
    happened: left,
  },
  {
    title: 'R16: a CHECKPOINT with a false root by f members changes nothing',
    plan: byzantine(['checkpointLiar'], [2]),
    happened: both(did('checkpointLiar'), (result) => result.checkpoints > 10),
  },
  {
    title: 'R17, R18, R19: catch-up from a member that answers with junk',
    plan: { ...byzantine(['garbage'], [1]), stormMs: 5_000 },
    script: all(at(200, isolate(3)), at(3_500, reunite)),
    happened: both(did('garbage'), (result) => result.stateTransfers > 0),
  },
  {
    title: 'R20, R23: STATUS that lies about view and height makes nobody wait or flood',
    plan: byzantine(['statusLiar'], [2]),
    happened: did('statusLiar'),
  },
  {
    title: 'R25: messages that fail verification are not passed on, and whoever passes on is not blamed',
    plan: byzantine(['forger', 'newViewLiar'], [1]),
    happened: did('forger'),
  },
];

testAttacks('follower', FOLLOWER);
