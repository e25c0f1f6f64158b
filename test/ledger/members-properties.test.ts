import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import { accounts, administrators, organisationHash, organisations } from '../../ledger/modules/accounts.ts';
import { type Change, history, proposalCodec, proposalId, proposals } from '../../ledger/modules/changes.ts';
import type { Table, TableKey } from '../../ledger/table.ts';
import { START, verdict } from '../support/execution.ts';
import { change, hexKey, isEffective, MembersChain, memberKey, type OrganisationName } from '../support/members.ts';

const EXPIRES = START + 1_000_000;
const SENDERS = ['a1', 'a2', 'a3', 'a4', 'g1', 'g2', 'ann', 'nobody'];

/** Of both organisations, about accounts of both, possible and impossible ones, some that undo each other. */
const CHANGES: readonly Change[] = [
  change.grant('ann', 'issuer'),
  change.withdraw('ann', 'issuer'),
  change.withdraw('ann', 'writer'),
  change.grant('gus', 'writer'),
  change.withdraw('gus', 'writer'),
  change.grant('cleo', 'writer'),
  change.revoke('cleo'),
  change.rotate('ann', 'ann 2'),
  change.rotate('gus', 'gus 2'),
  change.rotate('gus 2', 'gus 3'),
  change.revoke('gus'),
  change.enrol('zoe', { roles: ['writer'] }),
  change.enrol('eve', { key: 'gus 2' }),
  change.administrators(1, 'a1', 'a2', 'a3'),
  change.administrators(3, 'a1', 'a2', 'a3', 'a4'),
  change.administrators(2, 'a3', 'a4'),
  change.administrators(2, 'g1', 'g2'),
];

interface Act {
  readonly by: string;
  readonly act: 'approve' | 'retract';
  readonly change: number;
  readonly organisation: OrganisationName;
  readonly nonce: number;
}

const act: fc.Arbitrary<Act> = fc.record({
  by: fc.constantFrom(...SENDERS),
  act: fc.constantFrom('approve', 'approve', 'approve', 'approve', 'retract'),
  change: fc.nat(CHANGES.length - 1),
  organisation: fc.constantFrom<OrganisationName>('acme', 'acme', 'globex'),
  nonce: fc.constantFrom(0, 0, 0, 1),
});

/** Bursts: everybody about one proposal, so that some take effect, mixed with anything. */
const acts = fc
  .array(fc.oneof({ weight: 2, arbitrary: act.map((one) => [one]) }, { weight: 3, arbitrary: act.chain(burst) }), {
    minLength: 5,
    maxLength: 25,
    size: 'max',
  })
  .map((bursts) => bursts.flat());

function burst(one: Act): fc.Arbitrary<readonly Act[]> {
  return fc
    .shuffledSubarray(one.organisation === 'acme' ? ['a1', 'a2', 'a3', 'a4'] : ['g1', 'g2'], { minLength: 1 })
    .map((names) => names.map((by) => ({ ...one, by, act: 'approve' as const })));
}

type Rows = ReadonlyMap<string, Uint8Array>;

function* rowsOf<V>(rows: Rows, table: Table<TableKey, V>): Generator<readonly [key: string, value: V]> {
  for (const [name, value] of rows) {
    if (name.startsWith(`${table.name}/`)) yield [name.slice(table.name.length + 1), decode(table.value, value)];
  }
}

/** Names of the rows that differ. */
function changed(before: Rows, after: Rows): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name) !== after.get(name));
}

/** What must be true of every state, whatever was sent. */
function assertSound({ state: { rows } }: MembersChain): void {
  const byName = new Map(
    [...rowsOf(rows, organisations)].map(([key, row]) => [Buffer.from(key.slice(2), 'hex').toString(), row]),
  );
  const active = new Set<string>();
  for (const [key, { id, organisation, roles, active: isActive }] of rowsOf(rows, accounts)) {
    assert(
      roles.every((role) => byName.get(organisation)!.roles.includes(role)),
      `${key} has a role too many`,
    );
    if (!isActive) continue;
    assert(!active.has(toHex(id)), `account ${toHex(id)} has two keys`);
    active.add(toHex(id));
  }
  const known = new Map([...rowsOf(rows, administrators)]);
  let count = 0;
  for (const [name, { administrators: keys, threshold, changes }] of byName) {
    assert(threshold >= 1 && threshold <= keys.length, `${name}: ${threshold} of ${keys.length}`);
    for (const key of keys) assert.equal(known.get(toHex(key))?.organisation, name);
    count += keys.length;
    const numbers = [...rowsOf(rows, history)].filter(([key]) => key.startsWith(toHex(organisationHash(name))));
    assert.equal(numbers.length, changes, `the history of ${name} is complete`);
  }
  assert.equal(known.size, count, 'everybody administers one organisation');
  for (const [id, row] of rowsOf(rows, proposals)) {
    if (row.kind === 'effective') continue;
    const { proposal, approvals } = row.value;
    assert.equal(toHex(proposalId(proposal)), id);
    for (const { administrator } of approvals) {
      const by = known.get(toHex(administrator));
      assert.equal(by?.organisation, proposal.organisation, 'an open approval is of an administrator');
      assert(by.open.some((one) => toHex(one) === id));
    }
  }
}

test('whatever is approved, retracted and replayed by whom: thresholds hold, and nobody touches another organisation', () => {
  let effective = 0;
  const kinds = new Set<string>();
  fc.assert(
    fc.property(acts, (steps) => {
      const chain = new MembersChain();
      /** Told apart from what the state says: who approved a proposal and has not taken it back. */
      const given = new Map<string, Set<string>>();
      const done = new Set<string>();
      for (const step of steps) {
        const { by, organisation, nonce } = step;
        const proposal = chain.proposal(CHANGES[step.change]!, { organisation, nonce, expires: EXPIRES });
        const id = toHex(proposalId(proposal));
        const before = new Map(chain.state.rows);
        const owner = chain.state.row(organisations, [organisation])!;
        const args = step.act === 'approve' ? proposalCodec.toJson(proposal) : { proposal: id };
        const receipt = chain.sendAs(by, 'members', step.act, args);
        const differ = changed(before, chain.state.rows);
        if (verdict(receipt) !== 'ok') {
          assert.deepEqual(differ, []);
          continue;
        }
        assert(
          owner.administrators.some((key) => toHex(key) === hexKey(by)),
          `${by} is no administrator`,
        );
        assert(!done.has(id), 'once effective, never again');
        const approved = given.get(id) ?? new Set();
        given.set(id, approved);
        if (step.act === 'approve') approved.add(by);
        else approved.delete(by);
        assert.equal(isEffective(receipt), approved.size >= owner.threshold, `${approved.size} of ${owner.threshold}`);
        if (!isEffective(receipt)) {
          assert(
            differ.every((name) => /^members\.(administrators|proposals)\//.test(name)),
            String(differ),
          );
          continue;
        }
        assert.equal(approved.size, owner.threshold);
        done.add(id);
        effective++;
        kinds.add(proposal.change.kind);
        if (proposal.change.kind === 'administrators') {
          for (const [other, { proposal: open }] of openProposals(before))
            if (open.organisation === organisation) given.delete(other);
        }
        assertOwn(organisation, differ, before, chain.state.rows);
        assertSound(chain);
      }
    }),
    { numRuns: 250 },
  );
  assert(effective > 200, `only ${effective} changes took effect`);
  assert.deepEqual([...kinds].sort(), ['administrators', 'enrol', 'grant', 'revoke', 'rotate', 'withdraw']);
});

function* openProposals(rows: Rows) {
  for (const [id, row] of rowsOf(rows, proposals)) if (row.kind === 'open') yield [id, row.value] as const;
}

/** Every row that a change touched is of its organisation, before and after. */
function assertOwn(organisation: string, differ: readonly string[], before: Rows, after: Rows): void {
  const hash = toHex(organisationHash(organisation));
  for (const name of differ) {
    const [table, key] = name.split('/') as [string, string];
    for (const value of [before.get(name), after.get(name)]) {
      if (value === undefined) continue;
      switch (table) {
        case 'members.organisations':
          assert.equal(Buffer.from(fromHex(key)!).toString(), organisation);
          break;
        case 'members.accounts':
          assert.equal(decode(accounts.value, value).organisation, organisation);
          break;
        case 'members.administrators':
          assert.equal(decode(administrators.value, value).organisation, organisation);
          break;
        case 'members.proposals': {
          const row = decode(proposals.value, value);
          assert.equal(row.kind === 'open' ? row.value.proposal.organisation : row.value.organisation, organisation);
          break;
        }
        case 'members.history':
        case 'members.names':
          assert(key.startsWith(hash), name);
          break;
        case 'members.keys': {
          const id = fromHex(key)!;
          const row = after.get(`members.accounts/${toHex(id)}`)!;
          assert.equal(decode(accounts.value, row).organisation, organisation);
          break;
        }
        default:
          assert.fail(`${name} is no row of members`);
      }
    }
  }
}

test('every order in which administrators approve, and one takes back, ends the same for the same approvals', () => {
  const moves = ['approve a1', 'retract a1', 'approve a2', 'approve a3'];
  const orders = permutations(moves);
  assert.equal(orders.length, 24);
  const outcomes = new Set<string>();
  for (const order of orders) {
    const chain = new MembersChain();
    const proposal = chain.proposal(change.revoke('cleo'), { nonce: 0 });
    const approved = new Set<string>();
    let effectiveAt = -1;
    for (const [at, move] of order.entries()) {
      const [what, by] = move.split(' ') as [string, string];
      const args = what === 'approve' ? proposalCodec.toJson(proposal) : { proposal: toHex(proposalId(proposal)) };
      const came = verdict(chain.sendAs(by, 'members', what, args));
      if (effectiveAt >= 0) {
        assert.equal(came, what === 'approve' ? 'already-effective' : 'not-approved', order.join(', '));
        continue;
      }
      assert.equal(came, what === 'approve' || approved.has(by) ? 'ok' : 'not-approved', order.join(', '));
      if (what === 'approve') approved.add(by);
      else approved.delete(by);
      if (approved.size === 2) effectiveAt = at;
      const active = chain.state.row(accounts, [memberKey('cleo')])!.active;
      assert.equal(active, effectiveAt < 0, order.join(', '));
    }
    outcomes.add(`${effectiveAt}`);
  }
  assert.deepEqual([...outcomes].sort(), ['1', '2', '3']);
});

function permutations(moves: readonly string[]): string[][] {
  if (moves.length === 0) return [[]];
  return moves.flatMap((move, at) => permutations(moves.toSpliced(at, 1)).map((rest) => [move, ...rest]));
}
