import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { type Certificate, type Checkpoint, checkpointSignBytes } from '../../ledger/checkpoint.ts';
import { encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { signBytes } from '../../ledger/sign-bytes.ts';
import { multiSignature, type Validator, validatorsHash } from '../../ledger/validators.ts';
import { blockCodec } from '../../node/ledger/records.ts';
import { type VoteKind, voteCodec } from '../../node/pbft/messages.ts';
import { createState, type ReplicaState } from '../../node/pbft/state.ts';
import { simChain } from './chain.ts';
import { Checker } from './checker.ts';
import { fakeCrypto } from './crypto.ts';
import type { SimNode } from './node.ts';

const hashOf = (text: string): Uint8Array => sha256(utf8Encode(text));
const ROOT = hashOf('state');
const FIRST = [0, 1, 2, 3];
/** Of the second epoch: the first member of genesis has made room for a candidate, so every index is another one's. */
const SECOND = [1, 2, 3, 4];
const LAST = 2;

/** The row that stands on every disk here: the block of whichever height is asked for. */
const ROW = Buffer.concat([
  new Uint8Array(4),
  encode(blockCodec, {
    header: { height: 1, parent: ROOT, timestamp: 1, transactionsRoot: ROOT, receiptsRoot: ROOT, count: 0 },
    stateRoot: ROOT,
    historyRoot: ROOT,
    ordered: { kind: 'caughtUp', value: {} },
    ids: [],
    transactions: new Uint8Array(0),
    receipts: [],
  }),
]);

/** A checker, told by hand what eight machines sign and execute. */
class Trial {
  readonly chain = simChain(4, {}, fakeCrypto, 8);
  readonly checker: Checker;
  readonly nodes: readonly SimNode[];

  constructor(faulty: readonly number[] = []) {
    this.checker = new Checker(this.chain, new Set(faulty));
    this.nodes = Array.from({ length: 8 }, (_, machine) => {
      const key = toHex(this.chain.signerOf(machine).publicKey);
      const disk = { isInJournal: () => true, durableRow: () => ROW };
      return { id: machine, machine, name: `v${machine}`, key, disk, validator: undefined } as unknown as SimNode;
    });
  }

  get broken(): string[] {
    return [...new Set(this.checker.violations.map(({ invariant }) => invariant))].sort();
  }

  setOf(machines: readonly number[]): Validator[] {
    return machines.map((machine) => {
      const key = this.chain.signerOf(machine).publicKey;
      const known = this.chain.genesis.validators[machine];
      return known ?? { name: `v${machine}`, organisation: 'new', key, peerKey: this.chain.peerKeyOf(machine) };
    });
  }

  vote(kind: VoteKind, machines: readonly number[], epoch: number, height: number, what: string, view = 0): void {
    const body = encode(voteCodec, { epoch, view, height, digest: hashOf(what) });
    const bytes = signBytes(kind, this.chain.genesis.id, body);
    for (const machine of machines) this.checker.signed(this.nodes[machine]!, bytes);
  }

  commit(machines: readonly number[], epoch: number, height: number, what: string, view = 0): void {
    this.vote('prepare', machines, epoch, height, what, view);
    this.vote('commit', machines, epoch, height, what, view);
  }

  execute(machines: readonly number[], height: number, what: string | undefined): void {
    const ordered = what === undefined ? undefined : { epoch: 0, digest: hashOf(what), view: 0 };
    for (const machine of machines)
      this.checker.executed(
        this.nodes[machine]!,
        { ...headOf(height), outcomes: new Uint8Array(0), senders: undefined, membership: false },
        ordered,
      );
  }

  end(machines: readonly number[], height = LAST, set: readonly number[] = SECOND, number = 1): void {
    const next = { number, validators: this.setOf(set) };
    for (const machine of machines) this.checker.epochEnded(this.nodes[machine]!, height, next);
  }

  checkpointOf(epoch: number, height: number, other: Partial<Checkpoint> = {}): Checkpoint {
    const [own, next] = [epoch === 0 ? FIRST : SECOND, epoch === 0 && height < LAST ? FIRST : SECOND];
    return {
      epoch,
      validatorsHash: validatorsHash(this.setOf(own)),
      ...headOf(height),
      nextEpoch: height < LAST ? 0 : 1,
      nextValidatorsHash: validatorsHash(this.setOf(next)),
      ...other,
    };
  }

  checkpoint(machines: readonly number[], checkpoint: Checkpoint): void {
    const bytes = checkpointSignBytes(this.chain.genesis.id, checkpoint);
    for (const machine of machines) this.checker.signed(this.nodes[machine]!, bytes);
  }

  /** A certificate by these, kept by machine 1. */
  keep(machines: readonly number[], set: readonly number[], checkpoint: Checkpoint): void {
    const message = checkpointSignBytes(this.chain.genesis.id, checkpoint);
    const signatures = new Map(
      machines.map((machine) => [set.indexOf(machine), this.chain.signerOf(machine).sign(message)] as const),
    );
    const proof = multiSignature(set.length, signatures);
    const certificate: Certificate = { scheme: 'ed25519-list', checkpoint, proof };
    this.checker.certificate(this.nodes[1]!, certificate);
  }

  /** Two blocks, of which the second ends the first epoch; nothing of it is told to be final yet. */
  toLast(): this {
    for (let height = 1; height <= LAST; height++) {
      this.commit(FIRST, 0, height, `batch ${height}`);
      this.execute(FIRST, height, `batch ${height}`);
      this.execute([4], height, undefined);
    }
    this.end([...FIRST, 4]);
    return this;
  }

  /** And everybody has signed its CHECKPOINT. */
  toSecond(): this {
    this.toLast().checkpoint(FIRST, this.checkpointOf(0, LAST));
    return this;
  }
}

function headOf(height: number) {
  const next = { nextEpoch: 0, nextValidatorsHash: ROOT };
  return {
    height,
    blockHash: hashOf(`block ${height}`),
    stateRoot: ROOT,
    historyRoot: ROOT,
    timestamp: height,
    ...next,
  };
}

describe('the checker of the simulator, across an epoch change', () => {
  it('finds nothing when all is right: blocks, votes, checkpoints and certificates of two epochs', () => {
    const trial = new Trial().toSecond();
    trial.keep([0, 1, 3], FIRST, trial.checkpointOf(0, 1));
    trial.keep([0, 1, 3], FIRST, trial.checkpointOf(0, LAST));
    trial.commit(SECOND, 1, 3, 'batch 3');
    trial.execute(SECOND, 3, 'batch 3');
    trial.checkpoint(SECOND, trial.checkpointOf(1, 3));
    trial.keep([2, 3, 4], SECOND, trial.checkpointOf(1, 3));
    assert.deepEqual(trial.checker.violations, []);
    assert.deepEqual([trial.checker.newest.number, trial.checker.newest.firstHeight], [1, 3]);
  });

  for (const [what, height, set, number] of [
    ['another set', LAST, [1, 2, 3, 5], 1],
    ['the same set in another order', LAST, [2, 1, 3, 4], 1],
    ['another height', LAST + 1, SECOND, 1],
    ['an epoch that is left out', LAST + 1, SECOND, 3],
  ] as const) {
    it(`E2, I12: one node alone ends the epoch with ${what}`, () => {
      const trial = new Trial();
      trial.end([0, 1]);
      assert.deepEqual(trial.broken, []);
      trial.end([2], height, set, number);
      assert.deepEqual(trial.broken, ['I12']);
    });
  }

  it('E2, I12: one node goes on as if the epoch had not ended', () => {
    const trial = new Trial();
    for (const height of [1, LAST]) trial.execute([1, 2], height, undefined);
    trial.end([1]);
    trial.execute([1], 3, undefined);
    // One that is behind is still in the first.
    trial.execute([3], 1, undefined);
    assert.deepEqual(trial.broken, []);
    trial.execute([2], 3, undefined);
    assert.deepEqual(trial.broken, ['I12']);
  });

  it('I2: what was committed above the last height is void, and no contradiction to what the next epoch commits', () => {
    const trial = new Trial();
    trial.commit(FIRST, 0, 3, 'void');
    trial.toSecond();
    trial.commit(SECOND, 1, 3, 'batch 3');
    trial.execute(SECOND, 3, 'batch 3');
    assert.deepEqual(trial.broken, []);
    // In one epoch it is one.
    trial.commit(SECOND, 1, 3, 'another', 1);
    assert.deepEqual(trial.broken, ['I2', 'N11']);
  });

  it('I2: above the last height another digest may be committed in the same epoch too; at that height none', () => {
    const trial = new Trial();
    trial.commit(FIRST, 0, 3, 'void');
    trial.toLast();
    trial.commit([1, 2, 3], 0, 3, 'void too', 1);
    assert.deepEqual(trial.broken, []);
    trial.commit([1, 2, 3], 0, LAST, 'another', 1);
    assert.deepEqual(trial.broken, ['I2', 'N11']);
  });

  it('I11, rule V10: whoever has executed the last height neither shows nor carries what it has above; all others do', () => {
    const trial = new Trial();
    for (const height of [1, LAST, 3]) trial.commit(FIRST, 0, height, `batch ${height}`);
    for (const height of [1, LAST]) trial.execute([1], height, `batch ${height}`);
    const change = (machine: number): void => {
      const state = stateOf(trial, 0, machine);
      const prepared = [1, LAST].map((height) => {
        const vote = { epoch: 0, view: 0, height, digest: hashOf(`batch ${height}`) };
        return { vote, prePrepareSignature: new Uint8Array(64), prepares: multiSignature(4, new Map()) };
      });
      const body = { epoch: 0, view: machine + 1, stable: { kind: 'beginning', value: {} } as const, prepared };
      const node = { ...trial.nodes[machine]!, validator: { state } } as unknown as SimNode;
      state.asking = body;
      const digest = hashOf(`asks ${machine}`);
      const bytes = encode(voteCodec, { epoch: 0, view: body.view, height: 0, digest });
      trial.checker.signed(node, signBytes('viewChange', trial.chain.genesis.id, bytes));
      state.view = body.view;
      state.leading = { viewChanges: [{ body, sender: machine, signature: new Uint8Array(64) }] } as never;
      trial.checker.touched(node);
    };
    change(0);
    assert.deepEqual(trial.broken, ['I11', 'V10'], 'nobody has come to an end yet');
    trial.checker.violations.splice(0);
    trial.end([1]);
    change(1);
    assert.deepEqual(trial.broken, []);
    change(2);
    assert.deepEqual(trial.broken, ['V10'], 'it can not know');
  });

  it('I12: a void quorum is none for executing the height in the next epoch', () => {
    const trial = new Trial();
    trial.commit(FIRST, 0, 3, 'void');
    trial.toSecond();
    trial.execute([1], 3, 'void');
    assert.deepEqual(trial.broken, ['I12']);
  });

  it('I2: certificates of one height must not be possible in two epochs', () => {
    const trial = new Trial().toSecond();
    trial.checkpoint(SECOND, trial.checkpointOf(1, 3));
    assert.deepEqual(trial.broken, []);
    const same = { ...trial.checkpointOf(0, 1), ...headOf(3) };
    trial.checkpoint([0, 1, 2], same);
    assert.deepEqual(trial.broken, ['E3', 'I2']);
    const details = trial.checker.violations.map(({ detail }) => detail);
    assert(details.includes('two certificates for height 3 can be made, of epochs 1,0'), details.join());
  });

  it('I8: a slot is of an epoch; there it has one content', () => {
    const trial = new Trial().toSecond();
    trial.vote('prepare', [1], 1, 3, 'one');
    trial.vote('prepare', [1], 1, LAST, 'other than batch 2');
    assert.deepEqual(trial.broken, []);
    trial.vote('prepare', [1], 1, 3, 'two');
    assert.deepEqual(trial.broken, ['I8']);
  });

  it('V5: a VIEW-CHANGE of one epoch binds nobody in the next, where another one does', () => {
    const trial = new Trial().toLast();
    trial.vote('viewChange', [1], 0, 0, 'asks', 5);
    trial.checkpoint(FIRST, trial.checkpointOf(0, LAST));
    trial.commit(SECOND, 1, 3, 'batch 3');
    assert.deepEqual(trial.broken, []);
    trial.vote('viewChange', [1], 1, 0, 'asks', 1);
    trial.vote('prepare', [1], 1, 4, 'batch 4');
    assert.deepEqual(trial.broken, ['V5']);
  });

  it('E3: nobody signs in an epoch whose beginning it has not executed, or that nobody has come to', () => {
    const trial = new Trial();
    for (const machine of SECOND) trial.execute([machine], 1, undefined);
    trial.execute([1, 2, 3, 4], LAST, undefined);
    trial.end([1, 2, 3]);
    trial.checkpoint([1, 2, 3], trial.checkpointOf(0, LAST));
    trial.vote('prepare', [1, 2, 3], 1, 3, 'batch 3');
    assert.deepEqual(trial.broken, []);
    trial.vote('prepare', [4], 1, 3, 'batch 3');
    assert.deepEqual(trial.broken, ['E3']);
    trial.checker.violations.splice(0);
    trial.vote('prepare', [1], 2, 3, 'batch 3');
    assert.deepEqual(trial.broken, ['E3']);
  });

  it('E3: nor before the last block of the epoch below can be final', () => {
    const trial = new Trial().toLast();
    trial.checkpoint([0, 1], trial.checkpointOf(0, LAST));
    trial.vote('prepare', [3], 1, 3, 'batch 3');
    assert.deepEqual(trial.broken, ['E3']);
    trial.checker.violations.splice(0);
    trial.checkpoint([2], trial.checkpointOf(0, LAST));
    trial.vote('prepare', [2], 1, 3, 'batch 3');
    assert.deepEqual(trial.broken, []);
  });

  it('E3: nor anything new in an epoch that it has left; the same again it may', () => {
    const trial = new Trial().toSecond();
    trial.vote('prepare', [1, 2], 1, 3, 'batch 3');
    trial.vote('commit', [1], 0, LAST, `batch ${LAST}`);
    trial.checkpoint([2], trial.checkpointOf(0, LAST));
    assert.deepEqual(trial.broken, []);
    trial.vote('prepare', [1], 0, LAST + 1, 'late');
    assert.deepEqual(trial.broken, ['E3']);
    trial.checker.violations.splice(0);
    trial.checkpoint([2], trial.checkpointOf(0, 1));
    assert.deepEqual(trial.broken, ['E3']);
  });

  it('N1: only members of an epoch sign in it', () => {
    const trial = new Trial().toSecond();
    trial.vote('prepare', [4], 0, 1, 'batch 1');
    assert.deepEqual(trial.broken, ['N1']);
    trial.checker.violations.splice(0);
    trial.checkpoint([0], trial.checkpointOf(1, 3));
    assert.deepEqual(trial.broken, ['N1']);
  });

  it('I12: a faulty machine counts where it is a member, and nowhere else', () => {
    for (const [faulty, expected] of [
      [0, ['I12']],
      [3, []],
    ] as const) {
      const trial = new Trial([faulty]).toSecond();
      // Two correct ones of the second epoch, and whatever faulty ones would sign there.
      trial.commit([1, 2], 1, 3, 'batch 3');
      assert.deepEqual(trial.broken, expected, `machine ${faulty}`);
    }
  });

  it('I16: a certificate of the next epoch counts from the one on that leads to it, and is judged by its own set', () => {
    const trial = new Trial().toSecond();
    trial.commit(SECOND, 1, 3, 'batch 3');
    trial.execute(SECOND, 3, 'batch 3');
    trial.keep([2, 3, 4], SECOND, trial.checkpointOf(1, 3));
    assert.deepEqual(trial.broken, ['I16']);
    assert.match(trial.checker.violations[0]!.detail, /to which no certificate leads/);
    trial.checker.violations.splice(0);
    trial.keep([0, 1, 3], FIRST, trial.checkpointOf(0, LAST));
    trial.keep([2, 3, 4], SECOND, trial.checkpointOf(1, 3));
    assert.deepEqual(trial.broken, []);
    // By members of the set before, which share three keys with it.
    trial.keep([1, 2, 3], FIRST, trial.checkpointOf(1, 3));
    assert.deepEqual(trial.broken, ['I16']);
  });

  it('I16: with two of the set and one that has left it, no certificate leads on', () => {
    const trial = new Trial().toSecond();
    trial.keep([0, 1], FIRST, trial.checkpointOf(0, LAST));
    assert.deepEqual(trial.broken, ['I16']);
    trial.keep([2, 3, 4], SECOND, trial.checkpointOf(1, 3));
    assert.match(trial.checker.violations.at(-1)!.detail, /to which no certificate leads/);
  });

  for (const [what, of] of [
    ['another next set', (trial: Trial) => trial.checkpointOf(0, LAST, { nextValidatorsHash: ROOT })],
    ['no next epoch at the last height', (trial: Trial) => ({ ...trial.checkpointOf(0, 1), ...headOf(LAST) })],
    ['a next epoch below it', (trial: Trial) => ({ ...trial.checkpointOf(0, LAST), ...headOf(1) })],
    ['a height above it', (trial: Trial) => ({ ...trial.checkpointOf(0, 1), ...headOf(3) })],
  ] as const) {
    it(`E2, I16: a certificate of the first epoch that names ${what}`, () => {
      const trial = new Trial().toSecond();
      trial.keep([0, 1, 3], FIRST, of(trial));
      assert.deepEqual(trial.broken, ['I16']);
      trial.keep([2, 3, 4], SECOND, trial.checkpointOf(1, 3));
      assert.match(trial.checker.violations.at(-1)!.detail, /to which no certificate leads/);
    });
  }

  it('E2, I16: a certificate of the second epoch at a height of the first', () => {
    const trial = new Trial().toSecond();
    trial.keep([0, 1, 3], FIRST, trial.checkpointOf(0, LAST));
    trial.keep([2, 3, 4], SECOND, { ...trial.checkpointOf(1, 3), ...headOf(1) });
    assert.deepEqual(trial.broken, ['I16']);
  });

  it('I10, I18: a state may begin with view 0 in the next epoch and not in the same; its evidence is against members there', () => {
    const trial = new Trial([4]).toSecond();
    const show = (machine: number, epoch: number, view: number, culprit?: number): void => {
      const node = trial.nodes[machine]!;
      const state = stateOf(trial, epoch, machine);
      state.view = view;
      if (culprit !== undefined) state.evidence.set(culprit, [{} as never]);
      trial.checker.touched({ ...node, validator: { state } } as unknown as SimNode);
    };
    show(1, 0, 7);
    show(1, 1, 0);
    // Machine 4 is member 3 of the second epoch.
    show(2, 1, 0, 3);
    assert.deepEqual(trial.broken, []);
    show(3, 0, 0, 3);
    assert.deepEqual(trial.broken, ['I18']);
    trial.checker.violations.splice(0);
    show(1, 1, 2);
    show(1, 1, 1);
    assert.deepEqual(trial.broken, ['I10']);
    trial.checker.violations.splice(0);
    show(2, 0, 0);
    assert.deepEqual(trial.broken, ['I10']);
  });
});

function stateOf(trial: Trial, epoch: number, machine: number): ReplicaState {
  const machines = epoch === 0 ? FIRST : SECOND;
  const config = {
    genesisId: trial.chain.genesis.id,
    epoch,
    firstHeight: epoch === 0 ? 1 : LAST + 1,
    validators: trial.setOf(machines),
    self: machines.indexOf(machine),
    parameters: trial.chain.parameters,
    statusIntervalMs: 500,
    catchUpDelayMs: 100,
  };
  return createState(config, headOf(LAST), undefined, { wall: 1, monotonic: 0 });
}
