import assert from 'node:assert/strict';
import { tryDecode } from '../../../ledger/codec.ts';
import { messageCodec } from '../../../node/pbft/messages.ts';
import { verifyMessage } from '../../../node/pbft/verify.ts';
import { FRAME_MESSAGE } from '../../../node/wire.ts';
import { TAGS } from '../adversary.ts';
import { type Attack, all, at, both, byzantine, did, hide, isolate, left, reunite, testAttacks } from '../attack.ts';

/** R25, I24: whatever a correct member sends is accepted by the rules of all. */
function relayed(): Attack {
  let sent = 0;
  return {
    title: 'R25: messages that fail verification are not passed on, and whoever passes on is not blamed',
    plan: byzantine(['forger', 'newViewLiar', 'replay'], [1]),
    script(world) {
      sent = 0;
      const { genesis, crypto, parameters } = world.chain;
      const { id: genesisId, validators } = genesis;
      const context = {
        genesisId,
        epoch: 0,
        validators,
        verify: crypto.verify,
        beginning: 0,
        window: parameters.window,
      };
      const { corrupt } = world.network;
      at(300, isolate(0))(world);
      at(2_000, reunite)(world);
      world.network.corrupt = (from, to, frame) => {
        const decoded = frame[0] === FRAME_MESSAGE ? tryDecode(messageCodec, frame.subarray(1)) : undefined;
        if (from.machine !== 1 && decoded?.ok) {
          sent++;
          const judged = verifyMessage(decoded.value, context);
          // Proof of misconduct is passed on, being what it is.
          if (!judged.ok && judged.reject.code !== 'misconduct')
            world.checker.fail('I24', `machine ${from.machine} sends ${decoded.value.kind}: ${judged.reject.detail}`);
        }
        return corrupt(from, to, frame);
      };
    },
    happened: both(did('forger'), did('replay'), () => sent > 1_000),
    // I18: no channel is closed and nobody is convicted for what it passed on.
    holds(_, nodes) {
      for (const { validator } of nodes) {
        for (const [member, kept] of validator?.state.evidence ?? []) assert(member === 1 || kept.length === 0);
      }
    },
  };
}

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
    title: 'R04: a leader that PREPAREs its own proposals is counted once',
    plan: byzantine(['doublePrepare']),
    happened: did('doublePrepare'),
  },
  {
    title: 'R05: COMMITs of what was never prepared execute nothing',
    plan: byzantine(['equivocate', 'forger'], [1]),
    script: hide(TAGS.prepare, [], 300, 1_200),
    happened: both(did('hidden'), did('equivocate')),
  },
  {
    title: 'R08, R15: certificates and votes of a forger under all names move nobody',
    plan: byzantine(['forger'], [3]),
    happened: both(did('forger'), (_, nodes) =>
      nodes.slice(0, 3).every(({ validator }) => (validator?.counters.blamed ?? 1) > 0),
    ),
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
  relayed(),
];

testAttacks('follower', FOLLOWER);
