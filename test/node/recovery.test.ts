import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { batchCodec, headerCodec } from '../../ledger/block.ts';
import { handoffCodec, handoffOf, updatesCodec } from '../../ledger/bundle.ts';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { type Certificate, certificateCodec, verifyCertificate } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { numberKey } from '../../ledger/modules/approvals.ts';
import { recoveries } from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { recoveryMessage, verifyRecovery } from '../../ledger/recovery.ts';
import { asHandoff, type Recovery, type RecoveryFile, recoveryHash } from '../../ledger/recovery-form.ts';
import { packTransactions } from '../../ledger/transaction.ts';
import type { Validator, ValidatorSet } from '../../ledger/validators.ts';
import { followHandoffs } from '../../light/handoffs.ts';
import { verifyBundle } from '../../light/sync.ts';
import { Ledger } from '../../node/ledger/ledger.ts';
import type { Head } from '../../node/ports.ts';
import { applyRecovery, printRecovery, readRecovery } from '../../node/recovery.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { blocksAbove } from '../support/answering.ts';
import { certificateOf, register, START_TIME, type TestGenesis, testGenesis } from '../support/genesis.ts';

const MARK = { group: 3, chain: sha256(Uint8Array.of(3)) };
const { verify } = chooseSignatures();
const log = { debug() {}, info() {}, warn() {}, error() {} };
type Approval = Recovery['approvals'][number];

describe('a recovery after a lost quorum (rule R10)', () => {
  let folder: string;
  const chain: TestGenesis = testGenesis();
  const { genesis } = chain;
  const [v0, v1, v2] = genesis.validators as [Validator, Validator, Validator];
  const named = (name: string, organisation: string): Validator => ({
    name,
    organisation,
    key: chain.account(`consensus of ${name}`).publicKey,
    peerKey: chain.account(`peer of ${name}`).publicKey,
  });
  const next: ValidatorSet = [v0, v1, { ...v2, key: chain.account('second key').publicKey }, named('new', 'org3')];
  const open: Ledger[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-recovery-'));
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((ledger) => ledger.close()));
    await rm(folder, { recursive: true, force: true });
  });

  async function start(name: string, index = 0): Promise<Ledger> {
    const { peerKey } = genesis.validators[index]!;
    const ledger = new Ledger({ directory: join(folder, name), genesis, application: quorateApplication, peerKey });
    await ledger.open();
    open.push(ledger);
    return ledger;
  }

  async function stop(ledger: Ledger): Promise<void> {
    open.splice(open.indexOf(ledger), 1);
    await ledger.close();
  }

  async function execute(ledger: Ledger, height: number, epoch = 0): Promise<Head> {
    const one = register(chain, `record ${height}`);
    const batch = { height, timestamp: START_TIME + 1_000 * height, transactions: [one.id] };
    const ordered = { epoch, digest: sha256(Uint8Array.of(height)), view: 0 };
    return (await ledger.execute(encode(batchCodec, batch), packTransactions([one.bytes]), ordered, MARK))!;
  }

  /** Two blocks, both certified. */
  async function twoBlocks(name: string, index = 0): Promise<Ledger> {
    const ledger = await start(name, index);
    for (const height of [1, 2]) {
      const head = await execute(ledger, height);
      await ledger.storeCertificate(encode(certificateCodec, certificateOf(chain, head)));
    }
    return ledger;
  }

  const draftOf = (ledger: Ledger, set = next): Promise<RecoveryFile> =>
    ledger.draftRecovery({ next: set, reason: 'a fire', time: START_TIME + 100_000 });

  /** With the signature of the administrator of each of these organisations. */
  function signed({ recovery, ...rest }: RecoveryFile, organisations: readonly string[]): RecoveryFile {
    const message = recoveryMessage(genesis.id, recovery.body);
    const approvals = recovery.approvals.map((one): Approval => {
      const admin = chain.account(`admin ${one.organisation}`);
      const own = { administrator: admin.publicKey, signature: admin.sign(message) };
      return organisations.includes(one.organisation) ? { ...one, signatures: [own] } : one;
    });
    return { ...rest, recovery: { ...recovery, approvals } };
  }

  const THREE = ['org0', 'org2', 'org3'];
  const TRUST = { genesisId: genesis.id, epoch: 0, validators: genesis.validators };
  const ruleOf = ({ recovery }: RecoveryFile) => ({
    judge: verifyRecovery,
    percent: genesis.recovery,
    accepted: [toHex(recoveryHash(recovery.body))],
  });

  it('is made of the last certified block, signed by more than two thirds, and executes to what it says on every node', async () => {
    const draft = await draftOf(await twoBlocks('drafts'));
    const file = signed(draft, THREE);
    const handoff = asHandoff(file);
    const { checkpoint } = handoff.certificate;
    assert.deepEqual([checkpoint.height, checkpoint.epoch, checkpoint.nextEpoch], [3, 0, 1]);
    const followed = followHandoffs([handoff], TRUST, verify, ruleOf(file));
    assert(typeof followed !== 'string', String(followed));
    assert.deepEqual([followed.epoch, followed.validators], [1, next]);
    assert.deepEqual(
      followed.recoveries.map(({ epoch, height, reason }) => [epoch, height, reason]),
      [[0, 3, 'a fire']],
    );

    const ledger = await twoBlocks('takes', 1);
    const opened = await ledger.recover(encode(handoffCodec, handoff), MARK);
    assert.deepEqual(opened.head.blockHash, checkpoint.blockHash);
    assert.deepEqual(opened.membership.current.validators, next);
    assert.equal(opened.membership.current.number, 1);
    assert.deepEqual(opened.certificate, encode(certificateCodec, handoff.certificate));
    await stop(ledger);
    const again = await start('takes', 1);
    assert.equal(quorateApplication.table(recoveries.name), recoveries, 'it can be asked for by name');
    const row = await again.query('state', {
      table: recoveries.name,
      key: recoveries.encodeKey([numberKey(0)]),
      at: 'latest',
      proof: false,
    });
    assert.deepEqual(decode(recoveries.value, row!.value!), {
      height: 3,
      time: START_TIME + 100_000,
      reason: 'a fire',
    });
    assert.equal((await execute(again, 4, 1)).height, 4, 'the new epoch goes on from it');
    assert.equal(await ledgerBatchOfOldEpoch(again), undefined, 'what the old epoch ordered is void');

    // R7: a node that gets the blocks from it, and has the hand-off; and one that has not.
    const follower = await twoBlocks('follows', 2);
    await follower.storeHandoffs(encode(updatesCodec, { handoffs: [handoff] }));
    const { headers, transactions, certificate } = await blocksAbove(again, 2);
    assert.deepEqual(certificate, encode(certificateCodec, handoff.certificate), 'an epoch in one answer');
    const block = { header: headers[0]!, transactions: transactions[0]! };
    assert.equal(decode(headerCodec, block.header).count, 0);
    assert.equal((await follower.executeSynced(block, checkpoint, MARK)).nextEpoch, 1);
    const stranger = await twoBlocks('unaware', 3);
    await assert.rejects(stranger.executeSynced(block, checkpoint, MARK), { code: 'DIVERGED' });
  });

  async function ledgerBatchOfOldEpoch(ledger: Ledger): Promise<unknown> {
    const batch = encode(batchCodec, { height: 5, timestamp: START_TIME + 200_000, transactions: [] });
    return ledger.execute(batch, packTransactions([]), { epoch: 0, digest: sha256(batch), view: 0 }, MARK);
  }

  it('is refused with the reason, whatever is wrong with it', async () => {
    const draft = await draftOf(await twoBlocks('drafts'));
    const file = signed(draft, THREE);
    const handoff = asHandoff(file);
    const sound = file.recovery;
    const rule = ruleOf(file);
    const judged = (change: Partial<Recovery>, set = next, trust = TRUST, by: Partial<typeof rule> = {}): string => {
      const recovery = { ...sound, ...change };
      const certificate = { ...file.certificate, checkpoint: recovery.body.checkpoint };
      // Accepted as it is, so that what is wrong with it decides.
      const allowed = { ...ruleOf({ ...file, recovery }), ...by };
      const result = verifyRecovery(asHandoff({ certificate, next: set, recovery }), trust, allowed, verify);
      return typeof result === 'string' ? result : 'sound';
    };
    assert.equal(judged({}), 'sound');
    assert.match(judged({}, next, TRUST, { percent: 0 }), /none is allowed here/);
    assert.match(judged({}, next, TRUST, { accepted: [] }), /\(a fire\) was not accepted here/);
    assert.match(judged({}, next, TRUST, { percent: 76 }), /by 3 of 4 organisations, needed are 4/);
    assert.match(judged({ approvals: sound.approvals.slice(1) }), /by 2 of 4 organisations, needed are 3/);
    // Nothing is verified for whoever has not accepted it, whatever it says of itself: signatures cost, and anybody can add some.
    let verified = 0;
    const counting: typeof verify = (...args) => {
      verified++;
      return verify(...args);
    };
    verifyRecovery(handoff, TRUST, { ...rule, accepted: [] }, counting);
    assert.equal(verified, 0);
    const [first, ...others] = sound.approvals as [Approval, ...Approval[]];
    const withFirst = (change: Partial<Approval>): string =>
      judged({ approvals: [{ ...first, ...change }, ...others] });
    assert.match(judged({ approvals: [first, first, ...others] }), /org0 stands twice/);
    assert.match(withFirst({ organisation: 'org9' }), /org9 is not proven to be one/);
    assert.match(withFirst({ row: others[0]!.row }), /org0 is not proven/);
    assert.match(withFirst({ notExpelled: first.row.proof }), /org0 is not proven/);
    const [own] = first.signatures;
    assert.match(withFirst({ signatures: [own!, own!] }), /signs twice/);
    const stranger = { ...own!, administrator: chain.account('alice').publicKey };
    assert.match(withFirst({ signatures: [stranger] }), /is no administrator of org0/);
    const bad = { ...own!, signature: own!.signature.with(3, own!.signature[3]! ^ 1) };
    assert.match(withFirst({ signatures: [bad] }), /signature of 0x[0-9a-f]+ is not valid/);
    assert.match(judged({ summary: first.row }), /how many organisations there are is not proven/);
    assert.match(judged({ body: { ...sound.body, reason: 'another' } }), /is not valid/);
    const sly = { ...file, recovery: { ...sound, body: { ...sound.body, reason: 'a \u001b[2J fire' } } };
    assert.match(judged(sly.recovery), /reason is not of visible/);
    assert.throws(() => readRecovery(printRecovery(sly), 'recovery.json'), { code: 'RECOVERY' });

    const at = (change: Partial<Recovery['body']['checkpoint']>): string =>
      judged({ body: { ...sound.body, checkpoint: { ...sound.body.checkpoint, ...change } } });
    assert.match(at({ height: 4 }), /does not follow the certified block 2/);
    assert.match(at({ timestamp: START_TIME }), /not later than the one below/);
    assert.match(at({ blockHash: sha256(Uint8Array.of(1)) }), /is not the empty one/);
    assert.match(at({ nextEpoch: 2 }), /does not end epoch 0/);
    assert.match(at({ validatorsHash: sha256(Uint8Array.of(1)) }), /another set/);
    assert.match(judged({}, genesis.validators), /names another next set/);
    const few = { ...sound.basis, proof: { ...sound.basis.proof, signatures: sound.basis.proof.signatures.slice(1) } };
    assert.match(judged({ basis: few }), /signatures/);
    assert.match(judged({ basis: handoff.certificate }), /rests on another recovery/);
    assert.match(judged({}, next, { ...TRUST, epoch: 1 }), /not followed by one of epoch 1/);

    // The certificate that stands for its block is nobody's without it, and it is no certificate of anything else.
    const { certificate } = handoff;
    assert(!verifyCertificate(certificate, TRUST, verify).ok);
    const dressed: Certificate = { ...certificate, proof: sound.basis.proof };
    assert.match(String(followHandoffs([{ ...handoff, certificate: dressed }], TRUST, verify, rule)), /has signatures/);
    for (const [mixed, problem] of [
      [handoffOf(certificate, next), /the recovery: /],
      [{ ...handoff, certificate: sound.basis }, /a recovery with a certificate/],
    ] as const)
      assert.match(String(followHandoffs([mixed], TRUST, verify, rule)), problem);
  });

  it('can not name a set that governance could not, nor go on from a block that is not certified', async () => {
    const twice = { ...v0, name: 'another' };
    for (const [set, problem] of [
      [[], 'no-validators'],
      [[v0, v1, twice], 'key-taken'],
      [[v0, v1, { ...named('x', 'org3'), name: 'v1' }], 'name-taken'],
      [[v0, named('x', 'nobody')], 'no-such-organisation'],
      [[v0, { ...v1, organisation: 'org0' }], 'other-organisation'],
      [[v0, { ...v1, key: chain.account('alice').publicKey }], 'key-taken'],
      [[v0, { ...v1, key: new Uint8Array(32) }], 'bad-key'],
    ] as const) {
      const ledger = await twoBlocks(`drafts ${problem} ${set.length}`);
      await assert.rejects(draftOf(ledger, set), new RegExp(problem), problem);
    }
    const ledger = await twoBlocks('ahead');
    await execute(ledger, 3);
    await assert.rejects(draftOf(ledger), { code: 'NOT_CERTIFIED' });
  });

  it('is taken by a node that stands at the last certified block, is told to accept it, and by no other', async () => {
    const made = signed(await draftOf(await twoBlocks('drafts')), THREE);
    const handoff = asHandoff(made);
    const file = readRecovery(printRecovery(made), 'recovery.json');
    const { accepted } = ruleOf(made);
    const take = async (name: string, prepare: (ledger: Ledger) => Promise<void>, told = accepted) => {
      const ledger = await twoBlocks(name);
      await prepare(ledger);
      await stop(ledger);
      const again = new Ledger({
        directory: join(folder, name),
        genesis,
        application: quorateApplication,
        peerKey: v0.peerKey,
      });
      const opened = await again.open();
      open.push(again);
      return applyRecovery(again, opened, file, { genesis, accepted: told, verify, log });
    };
    const nothing = async (): Promise<void> => {};
    assert.equal((await take('at it', nothing)).head.height, 3);
    await assert.rejects(take('not told', nothing, []), /was not accepted here/);
    const ahead = take('ahead', async (ledger) => {
      await execute(ledger, 3);
    });
    await assert.rejects(ahead, /block 3 is executed here, and the recovery goes on from block 2/);
    const twice = take('twice', async (ledger) => {
      await ledger.recover(encode(handoffCodec, handoff), MARK);
    });
    assert.equal((await twice).head.height, 3, 'it has been taken before');
    const behind = new Ledger({
      directory: join(folder, 'new'),
      genesis,
      application: quorateApplication,
      peerKey: v0.peerKey,
    });
    open.push(behind);
    const opened = await behind.open();
    assert.equal(
      await applyRecovery(behind, opened, file, { genesis, accepted, verify, log }),
      opened,
      'it follows first',
    );
  });

  it('stands in every later proof, for the reader to accept or not', async () => {
    const file = signed(await draftOf(await twoBlocks('drafts')), THREE);
    const handoff = asHandoff(file);
    const ledger = await twoBlocks('takes');
    await ledger.recover(encode(handoffCodec, handoff), MARK);
    const bundle = await ledger.query('blockBundle', { height: 2, under: 2 });
    assert(verifyBundle(bundle!, genesis.text, { verify }).ok, 'what was final before needs nothing');
    // Nobody of the new set has certified anything yet.
    const early = await ledger.query('state', {
      table: 'records.entries',
      key: utf8Encode('record 1'),
      at: 'final',
      proof: true,
    });
    const report = verifyBundle(early!.bundle!, genesis.text, { verify, acceptRecovery: ruleOf(file).accepted });
    assert.equal(report.steps.find(({ status }) => status === 'failed')?.name, 'certificate');
  });
});
