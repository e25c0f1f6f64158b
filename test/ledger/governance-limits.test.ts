import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tryFromJson } from '../../ledger/codec.ts';
import { accountLimits, limitsOf, type RoleLimits } from '../../ledger/modules/account-limits.ts';
import { describeChange } from '../../ledger/modules/describe-change.ts';
import { governanceChangeCodec, governanceProposalCodec } from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { inWords } from '../../node/cli/gov-words.ts';
import { GENESIS_ID } from '../support/execution.ts';
import { DECIDERS, decision, GovernanceChain, proposalOf } from '../support/governance.ts';

const { limits, expel } = decision;

const FEW: RoleLimits = { pending: 10, perSecond: 1, burst: 5 };
const MANY: RoleLimits = { pending: 4, perSecond: 100, burst: 200 };

const rowOf = (chain: GovernanceChain, role = 'writer') => chain.state.row(accountLimits, [role]);

describe('limits of a role', () => {
  it('are decided by two thirds of the organisations, replaced and taken away, and end no epoch', () => {
    const chain = new GovernanceChain();
    assert.deepEqual(
      DECIDERS.map((by) => chain.approve(by, limits('writer', FEW))),
      ['open', 'open', 'open', 'effective'],
    );
    assert.deepEqual(rowOf(chain), FEW);
    assert.equal(chain.decide(limits('writer', MANY)), 'effective');
    assert.deepEqual(rowOf(chain), MANY);
    assert.equal(chain.decide(limits('*', FEW)), 'effective');
    assert.equal(chain.decide(limits('writer', undefined)), 'effective');
    assert.deepEqual([rowOf(chain), rowOf(chain, '*')], [undefined, FEW]);
    assert.equal(chain.epoch.number, 0);
    assert.equal(chain.state.row(accountLimits, ['issuer']), undefined);
  });

  it('can be of a role that no organisation gives yet', () => {
    const chain = new GovernanceChain();
    assert.equal(chain.decide(limits('nobody has it', FEW)), 'effective');
    assert.deepEqual(rowOf(chain, 'nobody has it'), FEW);
  });

  it('stay as they are as long as too few approve, and when an approval is taken back', () => {
    const chain = new GovernanceChain();
    for (const by of ['a1', 'a2', 'g1']) assert.equal(chain.approve(by, limits('writer', FEW)), 'open');
    assert.equal(chain.retract('g1', limits('writer', FEW)), 'ok');
    assert.equal(chain.approve('i1', limits('writer', FEW)), 'open');
    assert.equal(rowOf(chain), undefined);
    assert.equal(chain.approve('u1', limits('writer', FEW)), 'effective');
    assert.deepEqual(rowOf(chain), FEW);
  });

  it('are judged with every approval: what would change nothing fails, also if it would have when proposed', () => {
    const chain = new GovernanceChain();
    assert.equal(chain.approve('g1', limits('writer', undefined)), 'no-change');
    const [first, second] = [{ nonce: 1 }, { nonce: 2 }];
    for (const options of [first, second]) {
      for (const by of ['a1', 'a2', 'g1']) assert.equal(chain.approve(by, limits('writer', FEW), options), 'open');
    }
    assert.equal(chain.approve('i1', limits('writer', FEW), first), 'effective');
    assert.equal(chain.approve('i1', limits('writer', FEW), second), 'no-change');
    assert.equal(chain.approve('i1', limits('writer', { ...FEW, burst: 6 })), 'open');
  });

  it('are none of 0, above 32 bits, or of what is no name of a role: such a transaction is never ordered', () => {
    const chain = new GovernanceChain();
    for (const [value, expected] of [
      [{ ...FEW, pending: 0 }, /pending 0, expected 1 or more/],
      [{ ...FEW, perSecond: 0 }, /perSecond 0/],
      [{ ...FEW, burst: 0 }, /burst 0/],
      [{ ...FEW, burst: 2 ** 32 }, /burst/],
      [{ ...FEW, burst: 2 ** 32 - 1 }, undefined],
    ] as const) {
      const json = { kind: 'limits', value: { role: 'writer', limits: { kind: 'these', value } } };
      const read = tryFromJson(governanceChangeCodec, json);
      if (expected === undefined) assert(read.ok);
      else assert.match(read.ok ? 'ok' : read.problem, expected);
    }
    for (const role of ['', ' writer', 'a\nb', 'x'.repeat(33)])
      assert(
        !tryFromJson(governanceChangeCodec, { kind: 'limits', value: { role, limits: { kind: 'none', value: {} } } })
          .ok,
      );
    // The same in bytes: a limit of 1, which is the last byte, made 0.
    const { body } = chain.approval('g1', limits('writer', { ...FEW, burst: 1 }));
    const { parameters } = chain.epoch;
    assert.equal(quorateApplication.staticProblem(body, parameters), undefined);
    const [call] = body.calls;
    const args = call!.args.slice();
    assert.equal(args.at(-1), 1);
    args[args.length - 1] = 0;
    assert.equal(
      quorateApplication.staticProblem({ ...body, calls: [{ ...call!, args }] }, parameters)?.code,
      'invalid-args',
    );
  });

  it('are told before they are decided, old and new, and in words', () => {
    const chain = new GovernanceChain();
    const told = (change: ReturnType<typeof limits>) =>
      describeChange(chain.state, change, {
        height: chain.height + 1,
        time: chain.timestamp,
        genesisId: GENESIS_ID,
        organisation: 'acme',
      });
    assert.deepEqual(told(limits('writer', FEW)).limits, { role: 'writer', old: null, new: FEW });
    assert.equal(told(limits('writer', undefined)).problem, 'no-change');
    chain.decide(limits('writer', FEW));
    assert.deepEqual(told(limits('writer', undefined)).limits, { role: 'writer', old: FEW, new: null });
    assert.equal(told(limits('writer', undefined)).problem, undefined);
    assert.equal(told(expel('umbra')).limits, undefined);
    assert.equal(
      inWords(limits('writer', FEW), chain.epoch),
      'limits: accounts with role writer; 10 pending, 1 per second, 5 at once',
    );
    assert.equal(inWords(limits('*', undefined), chain.epoch), 'limits: accounts whose roles have no limits; none');
  });

  it('are in the proposal that people approve: another number, another id', () => {
    const json = governanceProposalCodec.toJson(proposalOf(limits('writer', FEW)));
    assert.deepEqual((json as { change: object }).change, {
      kind: 'limits',
      value: { role: 'writer', limits: { kind: 'these', value: FEW } },
    });
  });
});

describe('limits of an account', () => {
  const rows: Readonly<Record<string, RoleLimits>> = {
    few: FEW,
    many: MANY,
    '*': { pending: 1, perSecond: 1, burst: 1 },
  };
  const of = (...roles: string[]) => limitsOf(roles, (role) => rows[role]);

  it('are the most generous of its roles, each number by itself', () => {
    assert.deepEqual(of('few'), FEW);
    assert.deepEqual(of('few', 'many'), { pending: 10, perSecond: 100, burst: 200 });
    assert.deepEqual(of('other', 'many'), MANY, 'a role without a row takes nothing away and gives nothing');
  });

  it('are those of * only if no row is about its roles, and none without such a row', () => {
    assert.deepEqual(of('other'), rows['*']);
    assert.deepEqual(of(), rows['*']);
    assert.equal(
      limitsOf(['other'], () => undefined),
      undefined,
    );
  });
});
