import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { genesisCodec, genesisId, printGenesis } from '../../genesis/file.ts';
import { type Genesis, readGenesis } from '../../genesis/genesis.ts';
import { blockHash } from '../../ledger/block.ts';
import { bundleCodec } from '../../ledger/bundle.ts';
import { equalBytes, utf8Encode } from '../../ledger/bytes.ts';
import { certificateCodec, checkpointSignBytes, verifyCertificate } from '../../ledger/checkpoint.ts';
import { blob, bytes32, type Codec, decode, encode, type Json, struct, u8, u64 } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { type ListProof, listRootFromProof } from '../../ledger/list-tree.ts';
import type { VerifySignature } from '../../ledger/signature.ts';
import {
  decodeStateProof,
  type EncodedStateProof,
  encodeStateProof,
  rootFromStateProof,
  statePath,
  stateProofCodec,
} from '../../ledger/state-proof.ts';
import {
  checkMultiSignature,
  multiSignature,
  multiSignatureCodec,
  quorum,
  signerIndexes,
  validatorSetCodec,
} from '../../ledger/validators.ts';
import { type Bundle, planBundle, type Report, readBundle, verifyBundle } from '../../light/index.ts';
import { forkTarget, repliesTarget } from './answer-verifiers.ts';
import { type BundleInput, bundleInput, changedJson } from './bundle-inputs.ts';
import { rememberingVerify } from './chain.ts';
import { mutate } from './mutate.ts';
import { changesOf, randomPlace, tryEncode, valueAt } from './places.ts';
import { outcome } from './report.ts';
import { type Truth, truthOfTheTests } from './truth.ts';

export type Random = (below: number) => number;

/** A verifier with inputs of its own making. */
export interface Target {
  readonly name: string;
  /** Where inputs end; a campaign must see each. */
  readonly ends: readonly string[];
  /**
   * Makes one input, gives it to the verifier and says where that ended. Throws if the verifier throws, accepts what is not
   * true, refuses what is sound, or does more work than its input is worth.
   */
  run(random: Random): string;
}

/** Work that was done since the last `reset`, whatever the machine. */
export interface Meter {
  signatures: number;
  hashes: number;
  hashedBytes: number;
}

const COMMON = ['genesis', 'format', 'chain', 'epochs', 'certificate'];
const STEPS = [...COMMON, 'block', 'transaction', 'signature', 'receipt', 'state'];
const ACCEPTED = ['original', 'same statement'];

/** Every verifier of the light client. `meter` counts what its hashing does; signatures are counted here. */
export function allVerifiers(meter: Meter): readonly Target[] {
  const truth = truthOfTheTests();
  const remembering = rememberingVerify(undefined, 20_000);
  const verify: VerifySignature = (signature, message, publicKey) => {
    meter.signatures++;
    return remembering(signature, message, publicKey);
  };
  const metered: Parts['metered'] = ({ size, signatures }, run) => {
    Object.assign(meter, { signatures: 0, hashes: 0, hashedBytes: 0 });
    const result = run();
    assert(meter.signatures <= signatures, `${meter.signatures} checks for ${signatures} signatures`);
    const { hashes, hashedBytes } = meter;
    const isInProportion = hashes <= size / 32 + HASHES && hashedBytes <= 4 * size + 64 * HASHES;
    assert(isInProportion, `${hashes} hashes of ${hashedBytes} bytes for an input of ${size}`);
    return result;
  };
  const parts: Parts = { truth, verify, metered, meter };
  return [
    bundleTarget(parts),
    planTarget(parts),
    readTarget(parts),
    certificateTarget(parts),
    multiSignatureTarget(parts),
    listTarget(parts),
    stateTarget(parts),
    genesisTarget(parts),
    forkTarget(parts),
    repliesTarget(parts),
  ];
}

export interface Parts {
  readonly truth: Truth;
  readonly verify: VerifySignature;
  readonly meter: Meter;
  /** Runs a verifier: each signature is checked once at most, and hashing is in proportion to the input. */
  metered<T>(input: Weight, run: () => T): T;
}

interface Weight {
  /** Bytes, or characters of JSON. */
  readonly size: number;
  readonly signatures: number;
}

/** Hashes beyond one for each 32 bytes: a path of 256 levels may have only empty siblings, which take no bytes. */
const HASHES = 300;

function bundleTarget({ truth, verify, metered }: Parts): Target {
  return {
    name: 'verifyBundle',
    ends: [...STEPS, ...ACCEPTED],
    run(random) {
      const input = bundleInput(truth.bundles, random);
      const genesis = genesisFor(truth, random);
      const report = metered(weightOf(input, genesis), () => verifyBundle(input.proof, genesis, { verify }));
      return judged(truth, input, report);
    },
  };
}

/** What was read before; sometimes the text, and sometimes not a sound one. */
function genesisFor({ chain }: Truth, random: Random): Genesis | string {
  if (random(20) === 0) return chain.genesis.text;
  return random(100) === 0 ? chain.genesis.text.slice(0, -1) : chain.genesis;
}

function weightOf({ proof, size }: BundleInput, genesis: Genesis | string): Weight {
  const read = readBundle(proof);
  const certificates =
    typeof read === 'string' ? [] : [read.certificate, ...read.handoffs.map(({ certificate }) => certificate)];
  const own = certificates.reduce((sum, certificate) => sum + certificate.proof.signatures.length, 1);
  return typeof genesis === 'string'
    ? { size: size + genesis.length, signatures: own + possessionsIn(genesis) }
    : { size, signatures: own };
}

function possessionsIn(genesis: string): number {
  return genesis.split('possession').length - 1;
}

function judged(truth: Truth, input: BundleInput, report: Report): string {
  const end = outcome(report);
  if (end !== 'verified') {
    assert(!input.isSound || end === 'genesis', `a sound proof ends at ${end}`);
    return end;
  }
  const bundle = readBundle(input.proof);
  assert(typeof bundle !== 'string', 'what is verified can be read');
  assertOneSpelling(input.proof, bundle);
  assert(truth.isTrue(bundle), 'what is verified is what the chain would prove');
  return isOneOf(bundleCodec, bundle, truth.bundles) ? 'original' : 'same statement';
}

/** A bundle has one spelling in bytes, two in text (each with or without a newline), and as an object its own fields only. */
function assertOneSpelling(proof: BundleInput['proof'], bundle: Bundle): void {
  if (proof instanceof Uint8Array) {
    assert(equalBytes(encode(bundleCodec, bundle), proof), 'other bytes of a bundle are accepted');
    return;
  }
  const json = bundleCodec.toJson(bundle);
  if (typeof proof === 'string') {
    const prints = [JSON.stringify(json), JSON.stringify(json, undefined, 2)];
    assert(
      prints.some((print) => proof === print || proof === `${print}\n`),
      'another text of a bundle is accepted',
    );
    return;
  }
  assert(isDeepStrictEqual(structuredClone(proof), json), 'another object for a bundle is accepted');
}

function planTarget({ truth, verify, metered }: Parts): Target {
  return {
    name: 'planBundle and finish',
    ends: [...STEPS, ...ACCEPTED],
    run(random) {
      const input = bundleInput(truth.bundles, random);
      const genesis = genesisFor(truth, random);
      const weight = weightOf(input, genesis);
      const plan = metered(weight, () => planBundle(input.proof, genesis));
      assert(plan.checks.length <= weight.signatures, `${plan.checks.length} checks`);
      const verdicts = plan.checks.map(({ signature, message, publicKey }) => verify(signature, message, publicKey));
      const report = metered(weight, () => plan.finish(verdicts));
      assert.deepEqual(report, verifyBundle(input.proof, genesis, { verify }), 'a plan ends where verifyBundle does');
      const without = random(verdicts.length + 1);
      assert(!plan.finish(verdicts.slice(0, without)).ok || without === verdicts.length, 'a missing verdict is good');
      if (without < verdicts.length) assert(!plan.finish(verdicts.with(without, false)).ok, 'a false verdict is good');
      return judged(truth, input, report);
    },
  };
}

function readTarget({ truth, metered }: Parts): Target {
  return {
    name: 'readBundle',
    ends: ['refused', 'read'],
    run(random) {
      const input = bundleInput(truth.bundles, random);
      const read = metered({ size: input.size, signatures: 0 }, () => readBundle(input.proof));
      if (typeof read === 'string') {
        assert(read !== '' && !input.isSound, `a sound proof is not read: ${read}`);
        return 'refused';
      }
      assertOneSpelling(input.proof, read);
      return 'read';
    },
  };
}

const judgedCodec = struct({
  certificate: certificateCodec,
  trust: struct({ genesisId: bytes32, epoch: u64, validators: validatorSetCodec }),
});

function certificateTarget({ truth, verify, metered, meter }: Parts): Target {
  return {
    name: 'verifyCertificate',
    ends: ['form', 'signature', 'original'],
    run(random) {
      const base = truth.certified[random(truth.certified.length)]!;
      const other = truth.certified[random(truth.certified.length)]!;
      const input = random(30) === 0 ? base : changed(base, other, random, judgedCodec);
      const { certificate, trust } = input;
      const weight = { size: encode(judgedCodec, input).length, signatures: certificate.proof.signatures.length };
      const checked = metered(weight, () => verifyCertificate(certificate, trust, verify));
      if (!checked.ok) {
        assert(input !== base && checked.problem !== '', checked.problem);
        return meter.signatures === 0 ? 'form' : 'signature';
      }
      assert(truth.isGenuine(certificate, trust.validators), 'a certificate that nobody gave');
      assert(
        truth.certified.some((one) => isDeepStrictEqual(one.trust, trust)),
        'trust in what is no set of the chain',
      );
      assert.equal(certificate.checkpoint.epoch, trust.epoch);
      assert.deepEqual(checked.signers, signerIndexes(certificate.proof.signers, trust.validators.length));
      const certificates = truth.certified.map((one) => one.certificate);
      return isOneOf(certificateCodec, certificate, certificates) ? 'original' : 'same statement';
    },
  };
}

const signedCodec = struct({ proof: multiSignatureCodec, message: blob(4_096), set: validatorSetCodec, needed: u8 });

function multiSignatureTarget({ truth, verify, metered, meter }: Parts): Target {
  const sound = truth.certified.map(({ certificate: { checkpoint, proof }, trust }) => ({
    proof,
    message: checkpointSignBytes(trust.genesisId, checkpoint),
    set: trust.validators,
    needed: quorum(trust.validators.length),
  }));
  return {
    name: 'checkMultiSignature',
    ends: ['form', 'signature', ...ACCEPTED],
    run(random) {
      const base = sound[random(sound.length)]!;
      const other = sound[random(sound.length)]!;
      const input = random(30) === 0 ? base : changed(base, other, random, signedCodec);
      const { proof, message, set, needed } = input;
      const signers = metered({ size: 0, signatures: proof.signatures.length }, () =>
        checkMultiSignature(proof, message, set, needed, verify),
      );
      if (typeof signers === 'string') {
        assert(input !== base && signers !== '', signers);
        return meter.signatures === 0 ? 'form' : 'signature';
      }
      assert(signers.length >= needed && new Set(signers).size === signers.length);
      const form = multiSignature(set.length, new Map(signers.map((member, i) => [member, proof.signatures[i]!])));
      assert.deepEqual(proof, form, 'a multi-signature has one form');
      for (const [i, member] of signers.entries()) {
        assert(truth.isGiven(proof.signatures[i]!, message, set[member]!.key), `member ${member} did not sign this`);
      }
      return sound.some((one) => isDeepStrictEqual(one, input)) ? 'original' : 'same statement';
    },
  };
}

function listTarget({ truth, metered }: Parts): Target {
  const sound = truth.bundles.flatMap(({ certificate: { checkpoint }, fact }) => {
    if (fact.kind === 'state') return [];
    const { header, historyProof } = fact.value;
    const place = {
      count: checkpoint.height + 1,
      index: header.height,
      content: blockHash(header),
      siblings: historyProof,
    };
    const ofBlock = { proof: place, root: checkpoint.historyRoot };
    if (fact.kind === 'block') return [ofBlock];
    const { index, transactionProof, receipt } = fact.value;
    const transaction = { count: header.count, index, content: receipt.id, siblings: transactionProof };
    return [ofBlock, { proof: transaction, root: header.transactionsRoot }];
  });
  return {
    name: 'listRootFromProof',
    ends: ['refused', 'other root', 'original'],
    run(random) {
      const { proof: base, root } = sound[random(sound.length)]!;
      const other = sound[random(sound.length)]!.proof;
      const proof: ListProof = random(30) === 0 ? base : changed(base, other, random);
      const found = metered({ size: 32 * proof.siblings.length, signatures: 0 }, () => listRootFromProof(proof));
      if (found === undefined || !equalBytes(found, root)) {
        assert.notEqual(proof, base, 'a sound proof leads to its root');
        return found === undefined ? 'refused' : 'other root';
      }
      assert(isDeepStrictEqual(proof, base), 'two proofs lead to one root');
      return 'original';
    },
  };
}

function stateTarget({ truth, metered }: Parts): Target {
  const sound = truth.bundles.flatMap(({ certificate, fact }) => {
    if (fact.kind !== 'state') return [];
    const { table, key, value, proof } = fact.value;
    const valueHash = value.kind === 'present' ? sha256(value.value) : undefined;
    return [{ checkpoint: certificate.checkpoint, shown: { path: statePath(table, key), valueHash, proof } }];
  });
  return {
    name: 'decodeStateProof and rootFromStateProof',
    ends: ['form', 'refused', 'other root', ...ACCEPTED],
    run(random) {
      const { checkpoint, shown: base } = sound[random(sound.length)]!;
      const other = sound[random(sound.length)]!.shown;
      const input = random(30) === 0 ? base : changedRow(base, other, random);
      const { path, valueHash } = input;
      const proof = metered({ size: encode(stateProofCodec, input.proof).length, signatures: 0 }, () =>
        decodeStateProof(input.proof),
      );
      if (proof === undefined) {
        assert.notEqual(input, base);
        return 'form';
      }
      assert.deepEqual(encodeStateProof(proof), input.proof, 'a proof has one form');
      // Proofs from elsewhere, as a caller may hold them.
      const held = random(4) === 0 ? changed(proof, proof, random) : proof;
      const found = metered({ size: 32 * held.siblings.length, signatures: 0 }, () =>
        rootFromStateProof(path, valueHash, held),
      );
      if (found === undefined || !equalBytes(found, checkpoint.stateRoot)) {
        assert(input !== base || held !== proof, 'a sound proof leads to its root');
        return found === undefined ? 'refused' : 'other root';
      }
      const { present, ...own } = truth.chain.prove(path, checkpoint.height);
      assert.deepEqual(held, own, 'what leads to the root is what the tree gives');
      assert.equal(valueHash !== undefined, present, 'what is there is not absent, nor the other way round');
      return isDeepStrictEqual(input, base) ? 'original' : 'same statement';
    },
  };
}

interface ShownRow {
  readonly path: Uint8Array;
  readonly valueHash: Uint8Array | undefined;
  readonly proof: EncodedStateProof;
}

function changedRow(base: ShownRow, other: ShownRow, random: Random): ShownRow {
  if (random(20) === 0 && base.valueHash !== undefined) {
    // The row itself as the other one that stands in its place.
    const end = { kind: 'other', value: { path: base.path, valueHash: base.valueHash } } as const;
    return { path: base.path, valueHash: undefined, proof: { ...base.proof, end } };
  }
  for (;;) {
    const row = changed(base, other, random);
    const bytes = tryEncode(stateProofCodec, row.proof);
    if (bytes !== undefined) return { ...row, proof: decode(stateProofCodec, bytes) };
  }
}

function genesisTarget({ truth, verify, metered }: Parts): Target {
  const { text, validators } = truth.chain.genesis;
  const json = JSON.parse(text) as Json;
  const codes = ['not-json', 'bad-form', 'not-canonical', 'duplicate', 'bad-name', 'unknown-organisation'];
  codes.push('bad-threshold', 'bad-key', 'bad-time', 'bad-parameters', 'bad-possession');
  return {
    name: 'readGenesis',
    ends: [...codes, 'original', 'another genesis'],
    run(random) {
      const input = genesisInput(text, json, random);
      const read = metered({ size: input.length, signatures: possessionsIn(input) }, () => readGenesis(input, verify));
      if (!read.ok) {
        assert(input !== text && read.problem !== '', read.problem);
        return read.code;
      }
      const { genesis } = read;
      assert.equal(input, `${JSON.stringify(JSON.parse(input), undefined, 2)}\n`, 'a genesis file has one spelling');
      assert.equal(genesis.text, input);
      assert.deepEqual(genesis.id, genesisId(input));
      // Nobody has the validators' keys: whoever stands in it wanted to be in this chain, as it was asked then.
      assert.equal(genesis.chain, truth.chain.genesis.chain);
      for (const validator of genesis.validators) {
        assert(
          validators.some((known) => isDeepStrictEqual(known, validator)),
          `${validator.name} never signed this`,
        );
      }
      return input === text ? 'original' : 'another genesis';
    },
  };
}

function genesisInput(text: string, json: Json, random: Random): string {
  if (random(30) === 0) return text;
  const file = genesisCodec.fromJson(json);
  switch (random(8)) {
    case 0:
      return new TextDecoder().decode(mutate(utf8Encode(text), utf8Encode(text), random));
    case 1: {
      const lines = text.split('\n');
      const [a, b] = [random(lines.length), random(lines.length)];
      return lines.with(a, lines[b]!).with(b, lines[a]!).join('\n');
    }
    case 2:
      return printJson(changedJson(json, random)) ?? text;
    default:
      return printGenesis(changed(file, file, random, genesisCodec));
  }
}

/** As a genesis file is printed; undefined for what JSON can not hold. */
function printJson(json: Json): string | undefined {
  try {
    return `${JSON.stringify(json, undefined, 2)}\n`;
  } catch {
    return undefined;
  }
}

/** One or two places changed, or exchanged with what stands there in another; with a codec, as it would come from outside. */
export function changed<T>(base: T, other: T, random: Random, codec?: Codec<T>): T {
  let value = base;
  for (let left = 1 + random(2); left > 0; ) {
    const place = randomPlace(value, random);
    const changes = changesOf(place.value, random);
    const found = valueAt(other, place.path);
    if (found !== undefined) changes.push({ name: 'other', value: found });
    if (changes.length === 0) continue;
    const next = place.with(changes[random(changes.length)]!.value);
    const bytes = codec && tryEncode(codec, next);
    if (codec !== undefined && bytes === undefined) continue;
    value = codec === undefined ? next : decode(codec, bytes!);
    left--;
  }
  return value;
}

function isOneOf<T>(codec: Codec<T>, value: T, known: readonly T[]): boolean {
  const bytes = encode(codec, value);
  return known.some((one) => equalBytes(encode(codec, one), bytes));
}
