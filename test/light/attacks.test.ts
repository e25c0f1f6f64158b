import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { blockHash, encodedReceipt, type Header, receiptsRoot, transactionsRoot } from '../../ledger/block.ts';
import { type Bundle, bundleCodec, handoffOf, type TransactionFact } from '../../ledger/bundle.ts';
import { concatBytes } from '../../ledger/bytes.ts';
import { type Certificate, checkpointSignBytes, type Trust, verifyCertificate } from '../../ledger/checkpoint.ts';
import { decode, encode, u64 } from '../../ledger/codec.ts';
import { signEd25519 } from '../../ledger/ed25519.ts';
import { sha256 } from '../../ledger/hash.ts';
import { listProof, listRoot } from '../../ledger/list-tree.ts';
import { balances, definitions } from '../../ledger/modules/assets.ts';
import { entries } from '../../ledger/modules/records.ts';
import { decodeStateProof, statePath } from '../../ledger/state-proof.ts';
import {
  faultsTolerated,
  validatorsHash as hashOf,
  multiSignature,
  quorum,
  type ValidatorSet,
} from '../../ledger/validators.ts';
import { type VerifyOptions, verifyBundle } from '../../light/index.ts';
import {
  ACCOUNTS,
  type Chain,
  GENESIS_TIME,
  type Member,
  memberOf,
  rememberingVerify,
  seedOf,
  smallChain,
  toValidator,
} from '../support/chain.ts';
import { outcome } from '../support/report.ts';

const verify = rememberingVerify();
const chain = smallChain();
const [ann, ben] = ACCOUNTS;

/** Where the verification of an encoded bundle ends. */
function ends(bundle: Bundle, options: Partial<VerifyOptions> = {}, of: Chain = chain): string {
  return outcome(verifyBundle(encode(bundleCodec, bundle), of.genesis, { verify, ...options }));
}

/** Why it ends there. */
function reason(bundle: Bundle, of: Chain = chain): string {
  const report = verifyBundle(encode(bundleCodec, bundle), of.genesis, { verify });
  return report.steps.find(({ status }) => status === 'failed')?.detail ?? '';
}

function withFact(bundle: Bundle, change: Partial<TransactionFact>): Bundle {
  assert(bundle.fact.kind === 'transaction');
  return { ...bundle, fact: { kind: 'transaction', value: { ...bundle.fact.value, ...change } } };
}

const withCertificate = (certificate: Certificate): Bundle => ({ ...chain.blockBundle(2), certificate });
const proofOf = (certificate: Certificate, change: Partial<Certificate['proof']>): Certificate => ({
  ...certificate,
  proof: { ...certificate.proof, ...change },
});

describe('certificates', () => {
  test('V01: of another chain: by its name it ends at chain, by its signatures at certificate', () => {
    const other = smallChain(4, 'other-chain');
    assert.equal(ends(other.blockBundle(2)), 'chain');
    assert.equal(ends({ ...other.blockBundle(2), genesisId: chain.genesis.id }), 'certificate');
    assert.equal(ends(withCertificate(chain.certify(5, { genesisId: other.genesis.id }))), 'certificate');
  });

  test('V01: of another protocol version: the sign bytes differ', () => {
    const checkpoint = chain.checkpoint();
    const message = checkpointSignBytes(chain.genesis.id, checkpoint);
    const versioned = concatBytes(new TextEncoder().encode('quorate/2'), message.subarray(9));
    const signatures = new Map([0, 1, 2].map((index) => [index, signEd25519(versioned, chain.members[index]!.seed)]));
    const certificate = { scheme: 'ed25519-list', checkpoint, proof: multiSignature(4, signatures) } as const;
    assert.equal(ends(withCertificate(certificate)), 'certificate');
  });

  test('V02: with another height over the same block hash', () => {
    const sound = chain.certify();
    for (const height of [0, 2, 4, 6, Number.MAX_SAFE_INTEGER]) {
      const certificate = { ...sound, checkpoint: { ...sound.checkpoint, height } };
      assert.equal(ends(withCertificate(certificate)), 'certificate');
    }
  });

  test('V04: a signature twice, for two places of the bitmap or for one', () => {
    const sound = chain.certify(5, { signers: [0, 1] });
    const [a, b] = sound.proof.signatures as [Uint8Array, Uint8Array];
    assert.equal(
      ends(withCertificate(proofOf(sound, { signers: Uint8Array.of(0b0111), signatures: [a, b, b] }))),
      'certificate',
    );
    assert.equal(ends(withCertificate(proofOf(sound, { signatures: [a, b, b] }))), 'certificate');
  });

  test('V05 Q11: bitmap and list disagree, or the bitmap has another length, padding or order', () => {
    const sound = chain.certify();
    const { signers, signatures } = sound.proof;
    const cases: Record<string, Partial<Certificate['proof']>> = {
      'empty bitmap': { signers: new Uint8Array(0) },
      'longer bitmap': { signers: Uint8Array.of(...signers, 0) },
      'padding bit': { signers: Uint8Array.of(signers[0]! | 0x10) },
      'padding bit with its signature': {
        signers: Uint8Array.of(signers[0]! | 0x80),
        signatures: [...signatures, signatures[0]!],
      },
      'one signature less': { signatures: signatures.slice(1) },
      'one signature more': { signatures: [...signatures, signatures[0]!] },
      'no signature': { signers: Uint8Array.of(0), signatures: [] },
      'other order': { signatures: signatures.toReversed() },
      'other member': { signers: Uint8Array.of(0b1011) },
    };
    for (const [name, change] of Object.entries(cases)) {
      assert.equal(ends(withCertificate(proofOf(sound, change))), 'certificate', name);
    }
  });

  test('V11: one bad signature beyond the quorum spoils the whole', () => {
    const all = chain.certify(5, { signers: [0, 1, 2, 3] });
    assert.equal(ends(withCertificate(all)), 'verified');
    const signatures = [...all.proof.signatures.slice(0, 3), new Uint8Array(64).fill(7)];
    assert.equal(ends(withCertificate(proofOf(all, { signatures }))), 'certificate');
  });

  const everybody = Array.from({ length: 16 }, (_, index) => memberOf(`node-${index}`));
  test('V06: for n = 1 to 16 exactly q signatures are enough', () => {
    for (let n = 1; n <= 16; n++) {
      const members = everybody.slice(0, n);
      const f = faultsTolerated(n);
      const q = quorum(n);
      assert(2 * q - n >= f + 1 && q <= n - f, `n = ${n}`);
      for (const signers of [0, f, f + 1, 2 * f, q - 1, q, n]) {
        assert.equal(isCertified(members, signers), signers >= q, `${signers} of ${n}`);
      }
    }
  });

  function isCertified(members: readonly Member[], signers: number): boolean {
    const validators: ValidatorSet = members.map(toValidator);
    const trust: Trust = { genesisId: chain.genesis.id, epoch: 0, validators };
    const checkpoint = {
      ...chain.checkpoint(),
      validatorsHash: hashOf(validators),
      nextValidatorsHash: hashOf(validators),
    };
    const message = checkpointSignBytes(chain.genesis.id, checkpoint);
    // The last ones sign, so that places do not begin with zero.
    const chosen = Array.from({ length: signers }, (_, index) => members.length - 1 - index);
    const signatures = new Map(chosen.map((index) => [index, signEd25519(message, members[index]!.seed)]));
    const proof = multiSignature(members.length, signatures);
    return verifyCertificate({ scheme: 'ed25519-list', checkpoint, proof }, trust, verify).ok;
  }

  test('V17: old is refused when the caller asks for an age, by block time', () => {
    const bundle = chain.blockBundle(1);
    const certified = GENESIS_TIME + 5_000;
    assert.equal(ends(bundle, { freshness: { nowMs: certified + 60_000, maxAgeMs: 60_000 } }), 'verified');
    assert.equal(ends(bundle, { freshness: { nowMs: certified + 60_001, maxAgeMs: 60_000 } }), 'certificate');
    assert.equal(ends(bundle, { freshness: { nowMs: certified - 60_000, maxAgeMs: 0 } }), 'verified');
  });

  test('V22: heights go up to 2^53 - 1, and no byte further', () => {
    const bundle = withCertificate(chain.certify(5, { checkpoint: { height: Number.MAX_SAFE_INTEGER - 1 } }));
    assert.equal(ends(bundle), 'block');
    const bytes = encode(
      bundleCodec,
      withCertificate(chain.certify(5, { checkpoint: { height: Number.MAX_SAFE_INTEGER } })),
    );
    const at = bytes.findIndex(
      (_, index) => Buffer.compare(bytes.subarray(index, index + 8), encode(u64, Number.MAX_SAFE_INTEGER)) === 0,
    );
    bytes.set([0, 0x20, 0, 0, 0, 0, 0, 0], at);
    assert.equal(outcome(verifyBundle(bytes, chain.genesis, { verify })), 'format');
  });
});

describe('V03: only sets that were certified from genesis on', () => {
  const evil = [0, 1, 2, 3].map((index) => memberOf(`evil-${index}`));
  /** Chain whose epoch 0 ended at height 5 in favour of `next`. */
  function handedOver(next: readonly Member[]): Chain {
    const changed = smallChain();
    changed.handOver(next);
    changed.append();
    return changed;
  }
  const sound = handedOver([...chain.members, memberOf('node-4')]);

  test('a sound hand-off is followed', () => {
    assert.equal(ends(sound.transactionBundle(1, 1)), 'verified');
    assert.match(
      verifyBundle(encode(bundleCodec, sound.blockBundle(6)), chain.genesis, { verify }).steps[3]!.detail,
      /1 hand-off/,
    );
  });

  test('a set that the proof brings without a certificate of the set before', () => {
    const forged = handedOver(evil);
    const checkpoint = forged.handoffs[0]!.certificate.checkpoint;
    const message = checkpointSignBytes(chain.genesis.id, checkpoint);
    const signatures = new Map([0, 1, 2].map((index) => [index, signEd25519(message, evil[index]!.seed)]));
    const certificate = { scheme: 'ed25519-list', checkpoint, proof: multiSignature(4, signatures) } as const;
    const bundle = forged.blockBundle(6);
    assert.equal(ends({ ...bundle, handoffs: [handoffOf(certificate, evil.map(toValidator))] }), 'epochs');
  });

  test('a certified hand-off with another set beside it', () => {
    const [handoff] = sound.handoffs;
    const next = evil.map(toValidator);
    assert.equal(ends({ ...sound.blockBundle(6), handoffs: [{ ...handoff!, next }] }), 'epochs');
    const reordered = sound.members.map(toValidator).toReversed();
    assert.equal(ends({ ...sound.blockBundle(6), handoffs: [{ ...handoff!, next: reordered }] }), 'epochs');
  });

  test('a hand-off left out, doubled, or one that ends no epoch', () => {
    const bundle = sound.blockBundle(6);
    const [handoff] = sound.handoffs;
    assert.equal(ends({ ...bundle, handoffs: [] }), 'certificate');
    assert.equal(ends({ ...bundle, handoffs: [handoff!, handoff!] }), 'epochs');
    const ordinary = handoffOf(chain.certify(4), chain.members.map(toValidator));
    assert.equal(ends({ ...bundle, handoffs: [ordinary] }), 'epochs');
  });

  test('R27: the old set can not certify in the new epoch, nor the new one in the old', () => {
    const bundle = sound.blockBundle(6);
    const { checkpoint } = bundle.certificate;
    const message = checkpointSignBytes(chain.genesis.id, checkpoint);
    const old = new Map([0, 1, 2].map((index) => [index, signEd25519(message, chain.members[index]!.seed)]));
    assert.equal(
      ends({ ...bundle, certificate: { ...bundle.certificate, proof: multiSignature(5, old) } }),
      'certificate',
    );
    assert.equal(ends({ ...chain.blockBundle(2), handoffs: sound.handoffs }), 'certificate');
    const future = sound.certify(6, { checkpoint: { epoch: 2, nextEpoch: 2 } });
    assert.equal(ends({ ...bundle, certificate: future }), 'certificate');
  });

  test('a checkpoint that names another set than the one that signed it', () => {
    const zeros = new Uint8Array(32);
    const certificate = chain.certify(5, { checkpoint: { validatorsHash: zeros, nextValidatorsHash: zeros } });
    assert.equal(ends(withCertificate(certificate)), 'certificate');
  });

  test('a checkpoint whose next epoch jumps, goes back, or changes the set silently', () => {
    const next = hashOf(evil.map(toValidator));
    for (const checkpoint of [{ nextEpoch: 2 }, { nextValidatorsHash: next }]) {
      const certificate = chain.certify(5, { checkpoint });
      assert.equal(ends(withCertificate(certificate)), 'certificate');
      assert.equal(
        ends({ ...sound.blockBundle(6), handoffs: [handoffOf(certificate, evil.map(toValidator))] }),
        'epochs',
      );
    }
  });
});

describe('proofs inside a block', () => {
  const bundle = chain.transactionBundle(2, 3);
  assert(bundle.fact.kind === 'transaction');
  const fact = bundle.fact.value;
  const { header } = fact;

  test('V12: the time that is reported is that of the header that was proven', () => {
    assert.equal(ends(withFact(bundle, { header: { ...header, timestamp: header.timestamp + 1 } })), 'block');
    assert.equal(ends(withFact(bundle, { header: chain.blocks[4]!.header })), 'block');
  });

  test('V13: an index out of range, another count, an empty list, a root of zeros', () => {
    for (const index of [0, 2, 4, 5, 8, 0xffffffff]) {
      assert.equal(ends(withFact(bundle, { index })), 'transaction', `index ${index}`);
    }
    // What such headers would need is a certificate of their own; here it is given.
    const forged = (change: Partial<Header>): Bundle => certifiedHeader({ ...header, ...change }, fact);
    assert.equal(ends(forged({})), 'verified');
    assert.equal(ends(forged({ count: 0 })), 'transaction');
    assert.equal(ends(forged({ count: 4 })), 'transaction');
    assert.equal(ends(forged({ count: 6 })), 'transaction');
    assert.equal(ends(forged({ count: 0xffffffff })), 'transaction');
    assert.equal(ends(forged({ transactionsRoot: new Uint8Array(32) })), 'transaction');
    assert.equal(ends(forged({ transactionsRoot: listRoot([]) })), 'transaction');
    assert.equal(ends(forged({ receiptsRoot: new Uint8Array(32) })), 'receipt');
  });

  test('V14: an inner node is no leaf, and the odd last leaf is not doubled', () => {
    const ids = chain.blocks[2]!.transactions.map(({ id }) => id);
    const doubled = transactionsRoot([...ids, ids[4]!]);
    assert.notDeepEqual(doubled, header.transactionsRoot);
    const last = chain.transactionBundle(2, 4);
    assert(last.fact.kind === 'transaction');
    assert.equal(last.fact.value.transactionProof.length, 1);
    const six = listProof([...ids, ids[4]!], 5);
    assert.equal(ends(withFact(last, { index: 5, transactionProof: six, receiptProof: six })), 'transaction');
    assert.equal(ends(withFact(last, { transactionProof: six })), 'transaction');
    assert.equal(ends(withFact(bundle, { transactionProof: fact.transactionProof.slice(1) })), 'transaction');
  });

  test('V15: a proof has exactly the siblings that index and count ask for', () => {
    for (const extra of [new Uint8Array(32), fact.transactionProof[0]!]) {
      assert.equal(ends(withFact(bundle, { transactionProof: [...fact.transactionProof, extra] })), 'transaction');
      assert.equal(ends(withFact(bundle, { transactionProof: [extra, ...fact.transactionProof] })), 'transaction');
      assert.equal(ends(withFact(bundle, { receiptProof: [...fact.receiptProof, extra] })), 'receipt');
      assert.equal(ends(withFact(bundle, { historyProof: [...fact.historyProof, extra] })), 'block');
    }
    assert.equal(ends(withFact(bundle, { transactionProof: fact.transactionProof.toReversed() })), 'transaction');
  });

  test('V16: pieces of other transactions, blocks and certificates do not fit together', () => {
    const other = chain.transactionBundle(2, 1);
    const elsewhere = chain.transactionBundle(5, 0);
    assert(other.fact.kind === 'transaction' && elsewhere.fact.kind === 'transaction');
    const { transaction, receipt, receiptProof } = other.fact.value;
    assert.equal(ends(withFact(bundle, { transaction })), 'transaction');
    assert.equal(ends(withFact(bundle, { receipt })), 'receipt');
    assert.equal(ends(withFact(bundle, { receipt, receiptProof })), 'receipt');
    // A receipt that names this transaction, at another place.
    assert.equal(ends(withFact(bundle, { receiptProof })), 'receipt');
    const { header: otherHeader, historyProof } = elsewhere.fact.value;
    assert.equal(ends(withFact(bundle, { header: otherHeader, historyProof })), 'transaction');
    // Certified in the place of this transaction's receipt.
    const receipts = chain.blocks[2]!.receipts.with(3, receipt);
    const mixed = certifiedHeader({ ...header, receiptsRoot: receiptsRoot(receipts) }, fact);
    const leaves = receipts.map(encodedReceipt);
    assert.equal(ends(withFact(mixed, { receipt, receiptProof: listProof(leaves, 3) })), 'receipt');
    // The history of height 5 is not that of height 4.
    assert.equal(ends({ ...bundle, certificate: chain.certify(4) }), 'block');
  });

  test('a signature that is not the sender’s, over the same id', () => {
    const { id, bytes } = chain.blocks[2]!.transactions[3]!;
    const body = bytes.subarray(0, bytes.length - 64);
    const foreign = concatBytes(body, signEd25519(sha256(id), seedOf('account ann')));
    assert.equal(ends(withFact(bundle, { transaction: foreign })), 'signature');
    const byBen = concatBytes(body, signEd25519(new Uint8Array(0), ben.seed));
    assert.equal(ends(withFact(bundle, { transaction: byBen })), 'signature');
  });

  /** The transaction's fact under a certificate for a chain whose block 2 has this header. */
  function certifiedHeader(forged: Header, value: TransactionFact): Bundle {
    const hashes = chain.blocks.map((block) => blockHash(block.header.height === 2 ? forged : block.header));
    const certificate = chain.certify(5, { checkpoint: { historyRoot: listRoot(hashes) } });
    return withFact({ ...bundle, certificate }, { ...value, header: forged, historyProof: listProof(hashes, 2) });
  }
});

describe('history', () => {
  test('Q13: a height above the checkpoint, another count or place, too many or too few siblings', () => {
    const old = chain.certify(3);
    const above = chain.bundle(
      { kind: 'block', value: { header: chain.blocks[4]!.header, historyProof: chain.historyProof(4, 5) } },
      old,
    );
    assert.equal(ends(above), 'block');
    assert.match(reason(above), /block 4 is above the certified height 3/);
    for (let count = 3; count <= 5; count++) {
      const historyProof = chain.historyProof(2, count);
      const bundle = chain.bundle({ kind: 'block', value: { header: chain.blocks[2]!.header, historyProof } });
      assert.equal(ends(bundle), count === 5 ? 'verified' : 'block', `proof for ${count}`);
    }
    const moved = { ...chain.blocks[2]!.header, height: 3 };
    assert.equal(
      ends(chain.bundle({ kind: 'block', value: { header: moved, historyProof: chain.historyProof(3, 5) } })),
      'block',
    );
    const tail = chain.historyProof(2, 5).slice(0, -1);
    assert.equal(
      ends(chain.bundle({ kind: 'block', value: { header: chain.blocks[2]!.header, historyProof: tail } })),
      'block',
    );
  });
});

describe('Q12: state', () => {
  const present = chain.stateBundle(balances, [ben.key, 'gold']);
  const absent = chain.stateBundle(balances, [ben.key, 'silver']);
  assert(present.fact.kind === 'state' && absent.fact.kind === 'state');
  const there = present.fact.value;
  const missing = absent.fact.value;
  const state = (change: Partial<typeof there>, of = present): Bundle => {
    assert(of.fact.kind === 'state');
    return { ...of, fact: { kind: 'state', value: { ...of.fact.value, ...change } } };
  };
  const none = { kind: 'absent', value: {} } as const;

  test('absence of a row that is there, presence of one that is not', () => {
    assert.equal(ends(present), 'verified');
    assert.equal(ends(absent), 'verified');
    assert.equal(ends(state({ value: none })), 'state');
    assert.equal(ends(state({ value: none, proof: missing.proof })), 'state');
    assert.equal(ends(state({ value: there.value }, absent)), 'state');
    assert.equal(ends(state({ value: there.value, proof: there.proof }, absent)), 'state');
    // The row itself shown as another one that stands in its place.
    assert(there.value.kind === 'present');
    const own = { path: statePath(there.table, there.key), valueHash: sha256(there.value.value) };
    assert.equal(ends(state({ value: none, proof: { ...there.proof, end: { kind: 'other', value: own } } })), 'state');
    const unlike = { ...own, path: own.path.map((byte) => byte ^ 0xff) };
    assert.equal(
      ends(state({ value: none, proof: { ...there.proof, end: { kind: 'other', value: unlike } } })),
      'state',
    );
  });

  test('another value, key, table or checkpoint', () => {
    assert.equal(ends(state({ value: { kind: 'present', value: encode(balances.value, { amount: 16n }) } })), 'state');
    assert.equal(ends(state({ key: balances.encodeKey([ann.key, 'gold']) })), 'state');
    assert.equal(ends(state({ table: definitions.name })), 'state');
    assert.equal(ends({ ...present, certificate: chain.certify(1) }), 'state');
    // The same bytes after each other, cut elsewhere: the table’s length is hashed.
    const joined = new TextEncoder().encode('assets.balancesx');
    assert.equal(
      ends(state({ table: 'assets.balance', key: concatBytes(joined.subarray(14, 15), there.key) })),
      'state',
    );
  });

  test('a proof has one form: no spare siblings, no set bit beyond its depth, no empty sibling spelled out', () => {
    const bundle = chain.stateBundle(entries, ['deed 1']);
    assert(bundle.fact.kind === 'state');
    const { proof } = bundle.fact.value;
    const spoiled: Record<string, typeof proof> = {
      'one level more': { ...proof, depth: proof.depth + 1 },
      'one level less': { ...proof, depth: proof.depth - 1 },
      'depth 257': { ...proof, depth: 257, bitmap: new Uint8Array(32) },
      'depth 2^32 - 1': { ...proof, depth: 0xffffffff },
      'spare sibling': { ...proof, siblings: [...proof.siblings, new Uint8Array(32)] },
      'sibling missing': { ...proof, siblings: proof.siblings.slice(1) },
      'bit beyond the depth': { ...proof, bitmap: proof.bitmap.map((byte) => byte | 0x80) },
      'longer bitmap': { ...proof, bitmap: Uint8Array.of(...proof.bitmap, 0) },
    };
    for (const [name, one] of Object.entries(spoiled)) {
      assert.equal(ends(state({ proof: one }, bundle)), 'state', name);
    }
  });
});

test('Q12: an empty sibling spelled out leads to the same root and is refused all the same', () => {
  const certificate = chain.certify();
  const bundles = Array.from({ length: 1_000 }, (_, index) =>
    chain.stateBundle(entries, [`no deed ${index}`], certificate),
  );
  const bundle = bundles.find(hasEmptySibling);
  assert(bundle?.fact.kind === 'state');
  const { proof } = bundle.fact.value;
  const { siblings } = decodeStateProof(proof)!;
  const bitmap = new Uint8Array(proof.bitmap.length);
  for (let depth = 0; depth < proof.depth; depth++) bitmap[depth >> 3]! |= 1 << (depth & 7);
  const spelled = { ...bundle.fact.value, proof: { ...proof, bitmap, siblings } };
  assert.equal(ends(bundle), 'verified');
  assert.equal(ends({ ...bundle, fact: { kind: 'state', value: spelled } }), 'state');
});

function hasEmptySibling({ fact }: Bundle): boolean {
  return fact.kind === 'state' && fact.value.proof.siblings.length < fact.value.proof.depth;
}

test('the same fact proven twice has the same bytes', () => {
  const bytes = encode(bundleCodec, chain.transactionBundle(1, 2));
  assert.deepEqual(encode(bundleCodec, decode(bundleCodec, bytes)), bytes);
  assert.deepEqual(encode(bundleCodec, smallChain().transactionBundle(1, 2)), bytes);
});
