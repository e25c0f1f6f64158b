import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import { accounts, administrators, expelled, organisations } from '../../ledger/modules/accounts.ts';
import { type Change, proposalCodec } from '../../ledger/modules/changes.ts';
import { idHorizonAt, PREVIOUS, readEpoch } from '../../ledger/modules/epoch.ts';
import {
  type GovernanceChange,
  governanceHistory,
  governanceProposalId,
  governanceProposals,
} from '../../ledger/modules/governance-change.ts';
import { consensusKeys, guests, summary } from '../../ledger/modules/node-keys.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import { parametersProblem } from '../../ledger/parameters.ts';
import type { Table, TableKey } from '../../ledger/table.ts';
import { faultsTolerated } from '../../ledger/validators.ts';
import { START, verdict } from '../support/execution.ts';
import { candidateOf, DECIDERS, decision, GovernanceChain, type ProposalOptions } from '../support/governance.ts';
import { memberKey, change as own } from '../support/members.ts';

const BY = ['a1', 'a2', 'a3', 'g1', 'g2', 'i1', 'u1', 'h1', 'ann'];
const NAMES = ['v0', 'v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'c0', 'c1', 'c2'];
const ORGANISATIONS = ['acme', 'globex', 'initech', 'umbra', 'hooli', 'nobody'];

/** What one step does; the chain of the moment says what exactly. */
interface Step {
  readonly act: 'decide' | 'decide' | 'approve' | 'retract' | 'activate' | 'organisation' | 'wait';
  readonly kind: GovernanceChange['kind'];
  readonly by: string;
  readonly name: string;
  readonly other: string;
  readonly organisation: string;
  readonly lifetime: number;
  /** Whether a size that results is named as it must be. */
  readonly named: boolean;
  readonly wait: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom(
    'decide',
    'decide',
    'decide',
    'activate',
    'activate',
    'approve',
    'retract',
    'organisation',
    'wait',
  ),
  kind: fc.constantFrom(
    'parameters',
    'validators',
    'validators',
    'validators',
    'rotate',
    'admit',
    'expel',
    'observer',
    'removeObserver',
    'limits',
  ),
  by: fc.constantFrom(...BY),
  name: fc.constantFrom(...NAMES),
  other: fc.constantFrom(...NAMES),
  organisation: fc.constantFrom(...ORGANISATIONS),
  lifetime: fc.constantFrom(1_000, 5_000, 20_000, 60_000, 3_600_000),
  named: fc.boolean(),
  wait: fc.constantFrom(10, 1_000, 30_000, 3_600_000),
});

function changeOf(
  chain: GovernanceChain,
  { kind, name, other, organisation, lifetime, named }: Step,
): GovernanceChange {
  const { validators } = chain.epoch;
  switch (kind) {
    case 'parameters':
      return decision.parameters(chain, { maxLifetimeMs: lifetime });
    case 'validators': {
      const isMember = validators.some((one) => one.name === name);
      const n = validators.length + (isMember ? -1 : 1);
      const shrinks = n < 4 || faultsTolerated(n) < faultsTolerated(validators.length);
      const shrinksTo = named && shrinks ? n : 0;
      if (!isMember) return decision.add(candidateOf(name, organisation), shrinksTo);
      const { key } = validators.find((one) => one.name === name)!;
      return { kind: 'validators', value: { add: [], remove: [key], shrinksTo } };
    }
    case 'rotate':
      return decision.rotate(
        validators.find((one) => one.name === name) ?? candidateOf(name),
        `${name} after ${other}`,
      );
    case 'admit':
      return decision.admit(organisation, 'h1');
    case 'expel':
      return decision.expel(organisation);
    case 'observer':
      return decision.observer(`watcher ${name}`, organisation, `peer of ${name}`);
    case 'removeObserver':
      return {
        kind,
        value: { peerKey: chain.state.row(summary, [CURRENT])!.guests[0] ?? memberKey(name) },
      };
    case 'limits':
      return decision.limits(organisation, named ? { pending: lifetime, perSecond: 5, burst: 10 } : undefined);
  }
}

function* rowsOf<V>(chain: GovernanceChain, table: Table<TableKey, V>): Generator<readonly [key: string, value: V]> {
  for (const [name, value] of chain.state.rows) {
    if (name.startsWith(`${table.name}/`)) yield [name.slice(table.name.length + 1), decode(table.value, value)];
  }
}

/** What must be true of every state, whatever was sent. */
function assertSound(chain: GovernanceChain): void {
  const { validators, parameters, firstHeight } = chain.epoch;
  assert(validators.length >= 1);
  assert.equal(new Set(validators.map(({ name }) => name)).size, validators.length, 'each name once');
  const keys = validators.map(({ key }) => toHex(key));
  const peers = validators.map(({ peerKey }) => toHex(peerKey));
  const known = [...rowsOf(chain, guests)];
  // An expired candidate's row stays until its place is needed, and takes nothing from anybody.
  const admitted = known.filter(([, { until }]) => until === 0 || until >= chain.timestamp).map(([key]) => key);
  const ever = [...rowsOf(chain, consensusKeys)];
  const people = [...rowsOf(chain, accounts), ...rowsOf(chain, administrators)].map(([key]) => key);
  const uses = [...ever.map(([key]) => key), ...peers, ...admitted];
  assert.equal(new Set(uses).size, uses.length, 'a key of a node has one use');
  for (const key of people) assert(!uses.includes(key), `${key} is somebody’s and a node’s`);
  assert.deepEqual(
    ever
      .filter(([, { until }]) => until === 0)
      .map(([key]) => key)
      .sort(),
    [...keys].sort(),
  );
  assert.equal(parametersProblem(parameters), undefined);
  assert(firstHeight <= chain.height + 1);
  const row = chain.state.row(summary, [CURRENT])!;
  const gone = [...rowsOf(chain, expelled)].length;
  assert.equal(row.organisations, [...rowsOf(chain, organisations)].length - gone);
  assert.deepEqual(row.guests.map(toHex).sort(), known.map(([key]) => key).sort());
  assert.equal(row.changes, [...rowsOf(chain, governanceHistory)].length);
  const open = new Map([...rowsOf(chain, governanceProposals)]);
  for (const [id, one] of open)
    if (one.kind !== 'effective') assert.equal(toHex(governanceProposalId(one.value.proposal)), id);
  // A vote is kept twice: with who gave it, and with what it is for.
  for (const [by, { organisation, votes }] of rowsOf(chain, administrators)) {
    for (const id of votes) {
      const found = open.get(toHex(id));
      assert(found?.kind === 'open');
      assert(found.value.approvals.some((one) => toHex(one.administrator) === by && one.organisation === organisation));
    }
  }
}

/** E8, E4, E2: what the end of an epoch may have made of it. */
function assertEnd(chain: GovernanceChain, before: ReturnType<typeof readEpoch>, by: GovernanceChange): void {
  const { epoch } = chain;
  assert(before !== undefined);
  assert.deepEqual(readEpoch(chain.state, PREVIOUS), before);
  assert.deepEqual([epoch.number, epoch.firstHeight], [before.number + 1, chain.height + 1]);
  const [n, now] = [before.validators.length, epoch.validators.length];
  const stay = before.validators.filter(({ key }) => epoch.validators.some((one) => toHex(one.key) === toHex(key)));
  const [left, came] = [n - stay.length, now - stay.length];
  const most = Math.max(1, faultsTolerated(n));
  assert((by.kind === 'rotate' ? Math.max(left, came) : left + came) <= most, `${left} left, ${came} came, of ${n}`);
  if (now < 4 || faultsTolerated(now) < faultsTolerated(n))
    assert(by.kind !== 'validators' || by.value.shrinksTo === now, `${n} to ${now}, not named`);
  assert.deepEqual(
    epoch.validators.slice(0, by.kind === 'rotate' ? 0 : stay.length),
    by.kind === 'rotate' ? [] : stay,
    'who stays keeps the order',
  );
}

test('whatever is proposed, approved, taken back and activated: sets, keys and epochs are sound', () => {
  const kinds = new Map<string, number>();
  let activated = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 7 }),
      fc.array(step, { minLength: 20, maxLength: 40, size: 'max' }),
      (n, steps) => {
        const chain = new GovernanceChain(n, { maxLifetimeMs: 20_000 });
        /** The longest that a transaction executed in each block may stay valid. */
        const lifetimes: { readonly time: number; readonly until: number }[] = [];
        const passed: (readonly [GovernanceChange, ProposalOptions])[] = [];
        let nonce = 0;
        let options: ProposalOptions = {};
        const ran = (change: GovernanceChange, run: () => string): string => {
          const before = chain.epoch;
          const outcome = run();
          if (outcome === 'effective') kinds.set(change.kind, (kinds.get(change.kind) ?? 0) + 1);
          if (chain.epoch.number !== before.number) assertEnd(chain, before, change);
          if (outcome === 'passed') passed.push([change, options]);
          assertHorizon(chain, before, lifetimes);
          return outcome;
        };
        for (const one of steps) {
          const change = changeOf(chain, one);
          switch (one.act) {
            case 'decide':
              nonce++;
              options = { nonce, expires: chain.timestamp + 60_000 };
              for (const by of [...DECIDERS, 'u1', 'h1']) {
                const outcome = ran(change, () => chain.approve(by, change, options));
                if (outcome !== 'open' && outcome !== 'not-permitted' && outcome !== 'organisation-approved') break;
              }
              break;
            case 'approve':
              ran(change, () => chain.approve(one.by, change, { expires: START + 86_400_000 }));
              break;
            case 'retract':
              chain.retract(one.by, change, { expires: START + 86_400_000 });
              break;
            case 'activate': {
              const next = passed.pop();
              if (next === undefined) break;
              const ready = chain.readyAll(next[0]);
              if (ran(next[0], () => chain.activate(next[0], ready, next[1])) === 'effective') activated++;
              break;
            }
            case 'organisation':
              ownChange(chain, one);
              break;
            case 'wait':
              chain.timestamp += one.wait;
              break;
          }
          assertSound(chain);
        }
      },
    ),
    { numRuns: 120 },
  );
  for (const kind of ['parameters', 'validators', 'rotate', 'admit', 'expel', 'observer', 'removeObserver', 'limits'])
    assert((kinds.get(kind) ?? 0) >= 3, `${kind} took effect ${kinds.get(kind) ?? 0} times`);
  assert(activated >= 10, `only ${activated} additions`);
});

function ownChange(chain: GovernanceChain, { organisation, named, name }: Step): void {
  const change: Change = named ? own.administrators(2, 'a1', 'a3') : own.enrol(name, { key: `peer of ${name}` });
  const proposal = { organisation, nonce: new Uint8Array(8), expires: chain.timestamp + 60_000, change };
  for (const by of BY) verdict(chain.send(memberKey(by), 'members', 'approve', proposalCodec.toJson(proposal)));
}

/** E8: of every block, whatever could still execute is within the horizon of the block that comes now. */
function assertHorizon(
  chain: GovernanceChain,
  before: NonNullable<ReturnType<typeof readEpoch>>,
  lifetimes: { readonly time: number; readonly until: number }[],
): void {
  const time = chain.timestamp;
  lifetimes.push({ time, until: time + before.parameters.maxLifetimeMs });
  for (const at of [time + 1, time + 10_000, time + 600_000]) {
    const horizon = idHorizonAt(chain.epoch, at);
    for (const { time: executed, until } of lifetimes)
      if (at <= until)
        assert(executed >= at - horizon, `executed at ${executed}, valid until ${until}, forgotten at ${at}`);
    assert(horizon <= chain.epoch.idHorizonMaxMs);
  }
}
