import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { genesisId } from '../../genesis/file.ts';
import { readGenesis } from '../../genesis/genesis.ts';
import { batchCodec, batchDigest, blockHash, headerCodec } from '../../ledger/block.ts';
import { bundleCodec } from '../../ledger/bundle.ts';
import { fromHex, toHex, utf8Encode } from '../../ledger/bytes.ts';
import { certificateCodec, checkpointSignBytes, type Trust, verifyCertificate } from '../../ledger/checkpoint.ts';
import { type Codec, type Decoded, decode, encode, type Json, tryDecode, tryFromJson } from '../../ledger/codec.ts';
import { layoutOf } from '../../ledger/describe.ts';
import { portableVerify } from '../../ledger/ed25519.ts';
import { leafHash, sha256 } from '../../ledger/hash.ts';
import { appendHistory, emptyHistory, historyRoot } from '../../ledger/history.ts';
import { listRoot, listRootFromProof } from '../../ledger/list-tree.ts';
import { proposalCodec, proposalId } from '../../ledger/modules/changes.ts';
import { governanceProposalCodec, governanceProposalId } from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { SIGN_KINDS, type SignKind, signBytes } from '../../ledger/sign-bytes.ts';
import {
  decodeStateProof,
  rootFromStateProof,
  stateLeaf,
  statePath,
  stateProofCodec,
} from '../../ledger/state-proof.ts';
import { StateTree } from '../../ledger/state-tree.ts';
import { tableKeyToText } from '../../ledger/table.ts';
import {
  decodeTransaction,
  signedMessage,
  transactionBodyCodec,
  transactionSignBytes,
} from '../../ledger/transaction.ts';
import { validatorSetCodec, validatorsHash } from '../../ledger/validators.ts';
import { verifyBundle } from '../../light/index.ts';
import { rememberingVerify } from '../support/chain.ts';
import { outcome } from '../support/report.ts';
import { makeVectors } from '../vectors/generate.ts';
import { PRIMITIVES } from '../vectors/make-primitives.ts';
import { STRUCTURES } from '../vectors/make-structures.ts';

// biome-ignore lint/suspicious/noExplicitAny: the files are checked by what the tests do with them.
type Any = any;

/** A pinned file, as any implementation in any language would read it. */
const pinned = (name: string): Any => JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'));
const bytesOf = (digits: string): Uint8Array => fromHex(digits)!;
const verify = rememberingVerify();

for (const [name, made] of Object.entries(makeVectors())) {
  test(`${name} holds exactly what the code makes today: bytes do not change unseen`, () => {
    assert.deepEqual(pinned(name), JSON.parse(JSON.stringify(made)));
  });
}

/** Bytes and JSON say the same, and every bad case is refused. */
function checkCodec(codec: Codec<unknown>, good: Any[], bad: Any[]): void {
  for (const { bytes, json } of good) {
    assert.deepEqual(codec.toJson(decode(codec, bytesOf(bytes))), json);
    assert.equal(toHex(encode(codec, codec.fromJson(json as Json))), bytes);
  }
  for (const { name, step, bytes, text } of bad) {
    const read = step === 'decode' ? tryDecode(codec, bytesOf(bytes)) : tryFromJson(codec, JSON.parse(text) as Json);
    assert.equal(read.ok, false, `${layoutOf(codec)}: ${name}`);
  }
}

test('primitives', () => {
  const { cases } = pinned('primitives.json');
  assert.equal(cases.length, PRIMITIVES.length);
  for (const { type, good, bad } of cases) {
    const codec = PRIMITIVES.find((one) => layoutOf(one) === type);
    assert(codec !== undefined, type);
    checkCodec(codec, good, bad);
  }
});

test('structures and their hashes', () => {
  const { cases, hashes } = pinned('structures.json');
  for (const { type, good, bad } of cases) checkCodec(STRUCTURES[type]!, good, bad);
  for (const { batch, digest } of hashes.batchDigest) {
    assert.equal(toHex(batchDigest(decode(batchCodec, bytesOf(batch)))), digest);
  }
  for (const { header, hash } of hashes.blockHash)
    assert.equal(toHex(blockHash(decode(headerCodec, bytesOf(header)))), hash);
  for (const { set, hash } of hashes.validatorsHash) {
    assert.equal(toHex(validatorsHash(decode(validatorSetCodec, bytesOf(set)))), hash);
  }
});

test('sign bytes of every kind', () => {
  const { cases } = pinned('sign-bytes.json');
  assert.deepEqual(cases.map(({ kind }: Any) => kind).sort(), Object.keys(SIGN_KINDS).sort());
  for (const { kind, genesisId, body, signBytes: expected } of cases) {
    assert.equal(toHex(signBytes(kind as SignKind, bytesOf(genesisId), bytesOf(body))), expected);
  }
});

test('signatures, by the portable verifier', () => {
  for (const { name, publicKey, message, signature, valid } of pinned('signatures.json').cases) {
    assert.equal(portableVerify(bytesOf(signature), bytesOf(message), bytesOf(publicKey)), valid, name);
  }
});

test('transactions: ids, sign bytes, signatures', () => {
  const { genesisId: digits, good, bad } = pinned('transactions.json');
  const id = bytesOf(digits);
  for (const one of good) {
    const bytes = bytesOf(one.bytes);
    const decoded = decodeTransaction(id, bytes);
    assert(decoded.ok);
    const { value } = decoded;
    assert.equal(toHex(value.id), one.id);
    assert.deepEqual(transactionBodyCodec.toJson(value.body), one.body);
    assert.equal(toHex(value.signature), one.signature);
    assert.equal(toHex(transactionSignBytes(id, value.body)), one.signBytes);
    assert.equal(toHex(signedMessage(id, bytes)), one.signBytes);
    assert.equal(toHex(sha256(bytesOf(one.signBytes))), one.id);
    assert(portableVerify(value.signature, bytesOf(one.signBytes), value.body.sender));
  }
  for (const { name, step, bytes } of bad) {
    const decoded = decodeTransaction(id, bytesOf(bytes));
    assert.equal(decoded.ok, step !== 'decode', name);
    if (!decoded.ok) continue;
    const { signature, body } = decoded.value;
    assert.equal(step, 'signature', name);
    assert.equal(portableVerify(signature, signedMessage(id, bytesOf(bytes)), body.sender), false, name);
  }
});

test('list tree: roots and proofs', () => {
  const { leaf, roots, good, bad } = pinned('list-tree.json');
  assert.equal(toHex(leafHash(bytesOf(leaf.content))), leaf.hash);
  for (const { count, root } of roots) {
    assert.equal(toHex(listRoot(Array.from({ length: count }, (_, index) => utf8Encode(`item ${index}`)))), root);
  }
  const rootOf = ({ count, index, content, siblings }: Any): string | undefined => {
    const found = listRootFromProof({ count, index, content: bytesOf(content), siblings: siblings.map(bytesOf) });
    return found && toHex(found);
  };
  for (const one of good) assert.equal(rootOf(one), one.root, `${one.index} of ${one.count}`);
  for (const one of bad) {
    const found = rootOf(one);
    assert.notEqual(found, one.root, one.name);
    assert.equal(found !== undefined, one.step === 'root', one.name);
    assert.equal(one.index >= one.count, one.step === 'index', one.name);
  }
});

test('history: the accumulator gives the roots of the list tree', () => {
  let history = emptyHistory;
  const hashes: Uint8Array[] = [];
  for (const { count, root, peaks } of pinned('history.json').roots) {
    assert.equal(toHex(historyRoot(history)), root);
    assert.equal(toHex(listRoot(hashes)), root);
    assert.equal(history.count, count);
    if (peaks !== undefined) assert.deepEqual(history.peaks.map(toHex), peaks);
    hashes.push(sha256(utf8Encode(`block ${count}`)));
    history = appendHistory(history, hashes.at(-1)!).next;
  }
});

test('state tree: paths, leaves, roots, proofs of presence and absence', () => {
  const { rows, roots, root, good, bad } = pinned('state-tree.json');
  for (const { table, key, value, path, leaf } of rows) {
    assert.equal(toHex(statePath(table, bytesOf(key))), path);
    assert.equal(toHex(stateLeaf(bytesOf(path), sha256(bytesOf(value)))), leaf);
  }
  for (const { rows: count, root: expected } of roots) {
    const tree = new StateTree();
    tree.apply(
      rows.slice(0, count).map(({ path, value }: Any) => ({ path: bytesOf(path), valueHash: sha256(bytesOf(value)) })),
    );
    assert.equal(toHex(tree.root()), expected);
  }
  /** Where the check of a proof ends; `passed` if it leads to the root. */
  const ends = ({ table, key, value, proof }: Any): string => {
    const decoded = decodeStateProof(stateProofCodec.fromJson(proof as Json));
    if (decoded === undefined) return 'form';
    const valueHash = value === null ? undefined : sha256(bytesOf(value));
    const found = rootFromStateProof(statePath(table, bytesOf(key)), valueHash, decoded);
    if (found === undefined) return 'end';
    return toHex(found) === root ? 'passed' : 'root';
  };
  assert(good.some(({ proof }: Any) => proof.end.kind === 'other'));
  assert(
    good.some(({ value, proof }: Any) => value === null && proof.end.kind === 'self'),
    'absence at an empty place',
  );
  for (const one of good) assert.equal(ends(one), 'passed', `${one.table} ${one.key}`);
  for (const one of bad) assert.equal(ends(one), one.step, one.name);
});

test('rows, arguments and events of the built-in modules', () => {
  const { rows, arguments: args, events, proposals, decisions, bad } = pinned('application.json');
  for (const { table: name, keyText, key, path, json, bytes } of rows) {
    const table = quorateApplication.table(name)!;
    assert.equal(tableKeyToText(table, bytesOf(key)), keyText);
    assert.equal(toHex(statePath(name, bytesOf(key))), path);
    checkCodec(table.value, [{ json, bytes }], []);
  }
  const actions = quorateApplication.modules.flatMap((module) => Object.keys(module.actions));
  assert.equal(args.length, actions.length);
  for (const { module, action, json, bytes } of args) {
    assert.deepEqual(quorateApplication.argsToJson({ module, action, args: bytesOf(bytes) }), {
      ok: true,
      value: json,
    });
  }
  for (const { module, name, json, bytes } of events) {
    assert.deepEqual(quorateApplication.eventToJson({ module, name, data: bytesOf(bytes) }), { ok: true, value: json });
  }
  for (const { json, bytes, id } of proposals) {
    checkCodec(proposalCodec as Codec<unknown>, [{ json, bytes }], []);
    assert.equal(toHex(proposalId(decode(proposalCodec, bytesOf(bytes)))), id);
  }
  for (const { json, bytes, id } of decisions) {
    checkCodec(governanceProposalCodec as Codec<unknown>, [{ json, bytes }], []);
    assert.equal(toHex(governanceProposalId(decode(governanceProposalCodec, bytesOf(bytes)))), id);
  }
  for (const { of, name, bytes } of bad) assert.equal(showAs(of, bytesOf(bytes)).ok, false, `${of}: ${name}`);
});

/** The JSON of a row, arguments (`module.action`) or an event (`event module.name`). */
function showAs(of: string, bytes: Uint8Array): Decoded<unknown> {
  const table = quorateApplication.table(of);
  if (table !== undefined) return tryDecode(table.value as Codec<unknown>, bytes);
  const [module, name] = of.replace(/^event /, '').split('.') as [string, string];
  return of.startsWith('event ')
    ? quorateApplication.eventToJson({ module, name, data: bytes })
    : quorateApplication.argsToJson({ module, action: name, args: bytes });
}

test('genesis files: the id, and the reason of every refusal', () => {
  const { good, bad } = pinned('genesis.json');
  for (const { text, id } of good) {
    const read = readGenesis(text, verify);
    assert(read.ok && toHex(read.genesis.id) === id && toHex(genesisId(text)) === id);
  }
  for (const { name, code, text, times = 1 } of bad) {
    const read = readGenesis(text.repeat(times), verify);
    assert.equal(read.ok ? 'accepted' : read.code, code, name);
  }
});

test('certificates: who signed, and refusals', () => {
  const problems: Readonly<Record<string, RegExp>> = {
    epoch: /^certificate is of epoch/,
    validators: /^certificate names another validator set/,
    next: /^next epoch|^the validator set changes/,
    signers: /^signer bitmap|signers in the bitmap$/,
    quorum: /members signed/,
    signature: /^signature of member/,
  };
  for (const { trust: json, good, bad } of pinned('certificates.json').cases) {
    const validators = validatorSetCodec.fromJson(json.validators as Json);
    const trust: Trust = { genesisId: bytesOf(json.genesisId), epoch: json.epoch, validators };
    for (const { bytes, signBytes: expected, signers } of good) {
      const certificate = decode(certificateCodec, bytesOf(bytes));
      assert.equal(toHex(checkpointSignBytes(trust.genesisId, certificate.checkpoint)), expected);
      assert.deepEqual(verifyCertificate(certificate, trust, verify), { ok: true, signers });
    }
    for (const { name, step, bytes } of bad) {
      const checked = verifyCertificate(decode(certificateCodec, bytesOf(bytes)), trust, verify);
      assert(!checked.ok, name);
      assert.match(checked.problem, problems[step]!, name);
    }
  }
});

describe('bundles', () => {
  const { genesis, good, bad } = pinned('bundles.json');
  const ends = (proof: Uint8Array | string, { genesis: other, nowMs, maxAgeMs }: Any): string => {
    const freshness = nowMs === undefined ? {} : { freshness: { nowMs, maxAgeMs } };
    return outcome(verifyBundle(proof, other ?? genesis, { verify, ...freshness }));
  };
  for (const one of good) {
    test(`verified in bytes and in JSON: ${one.name}`, () => {
      assert.equal(ends(bytesOf(one.bytes), one), 'verified');
      if (one.json === undefined) return;
      checkCodec(bundleCodec as Codec<unknown>, [one], []);
      for (const text of [JSON.stringify(one.json), JSON.stringify(one.json, undefined, 2)]) {
        assert.equal(ends(text, one), 'verified');
        assert.equal(ends(`${text}\n`, one), 'verified');
      }
    });
  }
  for (const one of bad) {
    test(`fails at ${one.step}: ${one.name}`, () => {
      assert.equal(ends(one.text ?? bytesOf(one.bytes), one), one.step);
    });
  }
});
