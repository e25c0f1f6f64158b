import { toHex } from '../../ledger/bytes.ts';
import { type Certificate, certificateCodec, checkpointCodec, checkpointSignBytes } from '../../ledger/checkpoint.ts';
import { encode, type Json } from '../../ledger/codec.ts';
import { signEd25519 } from '../../ledger/ed25519.ts';
import { signBytes } from '../../ledger/sign-bytes.ts';
import { multiSignature, signerIndexes, validatorSetCodec } from '../../ledger/validators.ts';
import { type Chain, type Member, memberOf, smallChain } from '../support/chain.ts';

export function certificateVectors(): Json {
  return {
    about:
      'Certificates judged by a trusted epoch and set, for sets of 4, 10 and 1. A bad case decodes and must be refused at `step`: epoch, validators, next, signers, quorum or signature; its name says why.',
    cases: [certificatesOfFour(), certificatesOfTen(), certificatesOfOne()],
  };
}

type NamedCertificates = Readonly<Record<string, Certificate>>;

function certificateCases(
  chain: Chain,
  good: readonly Certificate[],
  bad: Readonly<Record<string, NamedCertificates>>,
): Json {
  const shown = (certificate: Certificate) => toHex(encode(certificateCodec, certificate));
  return {
    trust: {
      genesisId: toHex(chain.genesis.id),
      epoch: 0,
      validators: validatorSetCodec.toJson(chain.genesis.validators),
    },
    good: good.map((certificate) => ({
      bytes: shown(certificate),
      signBytes: toHex(checkpointSignBytes(chain.genesis.id, certificate.checkpoint)),
      signers: signerIndexes(certificate.proof.signers, chain.genesis.validators.length) as readonly number[],
    })),
    bad: Object.entries(bad).flatMap(([step, certificates]) =>
      Object.entries(certificates).map(([name, certificate]) => ({ name, step, bytes: shown(certificate) })),
    ),
  };
}

function certificatesOfFour(): Json {
  const chain = smallChain();
  const other = smallChain(4, 'other-chain');
  const sound = chain.certify();
  const { signers, signatures } = sound.proof;
  const all = chain.certify(5, { signers: [0, 1, 2, 3] });
  const zeros = new Uint8Array(32);
  const change = (proof: Partial<Certificate['proof']>): Certificate => proofOf(sound, proof);
  const forged = (checkpoint: Partial<Certificate['checkpoint']>): Certificate => chain.certify(5, { checkpoint });
  const good = [
    sound,
    chain.certify(5, { signers: [1, 2, 3] }),
    all,
    forged({ nextEpoch: 1, nextValidatorsHash: zeros }),
    forged({ nextEpoch: 1 }),
  ];
  return certificateCases(chain, good, {
    epoch: {
      'another epoch': forged({ epoch: 1, nextEpoch: 1 }),
      'another epoch, that of this chain next': forged({ epoch: 1, nextEpoch: 2 }),
    },
    validators: {
      'another validator set': forged({ validatorsHash: zeros, nextValidatorsHash: zeros }),
    },
    next: {
      'a next epoch two further': forged({ nextEpoch: 2 }),
      'a set that changes inside the epoch': forged({ nextValidatorsHash: zeros }),
    },
    signers: {
      'bitmap of two bytes': change({ signers: Uint8Array.of(...signers, 0) }),
      'bitmap empty': change({ signers: new Uint8Array(0), signatures: [] }),
      'a bit for member 4 of 4': change({ signers: Uint8Array.of(0x13) }),
      'a bit for member 7 of 4': change({ signers: Uint8Array.of(0x83) }),
      'a quorum, and a bit for member 7 of 4': change({ signers: Uint8Array.of(0x87) }),
      'a bit more than signatures': change({ signers: Uint8Array.of(0x0f) }),
      'a signature more than bits': change({ signatures: [...signatures, signatures[0]!] }),
      'signatures, and no bits': change({ signers: Uint8Array.of(0) }),
    },
    quorum: {
      'signed by one too few': chain.certify(5, { signers: [0, 1] }),
      'signed by nobody': change({ signers: Uint8Array.of(0), signatures: [] }),
    },
    signature: {
      'signed for another chain': chain.certify(5, { genesisId: other.genesis.id }),
      'signed as a commit': signedWith(chain, (body) => signBytes('commit', chain.genesis.id, body)),
      'the bare checkpoint signed': signedWith(chain, (body) => body),
      'a changed height': { ...sound, checkpoint: { ...sound.checkpoint, height: 6 } },
      'a changed block hash': { ...sound, checkpoint: { ...sound.checkpoint, blockHash: zeros } },
      'a changed state root': { ...sound, checkpoint: { ...sound.checkpoint, stateRoot: zeros } },
      'a changed history root': { ...sound, checkpoint: { ...sound.checkpoint, historyRoot: zeros } },
      'a changed time': { ...sound, checkpoint: { ...sound.checkpoint, timestamp: sound.checkpoint.timestamp + 1 } },
      'a changed next epoch': { ...sound, checkpoint: { ...sound.checkpoint, nextEpoch: 1 } },
      'one signature twice': change({ signatures: [signatures[0]!, signatures[1]!, signatures[1]!] }),
      'signatures in another order': change({ signatures: signatures.toReversed() }),
      'signatures of others than the bits say': change({ signers: Uint8Array.of(0x0e) }),
      'a signature with S + L': change({ signatures: [withGroupOrderAdded(signatures[0]!), ...signatures.slice(1)] }),
      'one bad signature beyond the quorum': proofOf(all, { signatures: [...signatures, new Uint8Array(64).fill(1)] }),
      'one signature of a stranger beyond the quorum': proofOf(all, {
        signatures: [...signatures, signatureOf(chain, memberOf('stranger'))],
      }),
    },
  });
}

/** Two bytes of bitmap, of which six bits must be 0. */
function certificatesOfTen(): Json {
  const chain = smallChain(10);
  const sound = chain.certify();
  const from = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);
  const good = [sound, chain.certify(5, { signers: from(3, 7) }), chain.certify(5, { signers: from(0, 10) })];
  const withBits = (...signers: number[]): Certificate => proofOf(sound, { signers: Uint8Array.from(signers) });
  return certificateCases(chain, good, {
    signers: {
      'bitmap of one byte': withBits(0x7f),
      'bitmap of three bytes': withBits(0x7f, 0, 0),
      'a bit for member 10 of 10': withBits(0x3f, 0x04),
      'a bit for member 15 of 10': withBits(0x3f, 0x80),
    },
    quorum: { 'six of ten, which are all but f': chain.certify(5, { signers: from(4, 6) }) },
    signature: { 'bits counted from the other end of the byte': withBits(0xfe, 0) },
  });
}

function certificatesOfOne(): Json {
  const chain = smallChain(1);
  const sound = chain.certify();
  return certificateCases(chain, [sound], {
    signers: { 'a bit for member 1 of 1': proofOf(sound, { signers: Uint8Array.of(0x02) }) },
    quorum: { 'signed by nobody': proofOf(sound, { signers: Uint8Array.of(0), signatures: [] }) },
  });
}

export function proofOf(certificate: Certificate, change: Partial<Certificate['proof']>): Certificate {
  return { ...certificate, proof: { ...certificate.proof, ...change } };
}

/** A certificate whose members 0 to 2 signed what `message` makes of the encoded checkpoint. */
function signedWith(chain: Chain, message: (body: Uint8Array) => Uint8Array): Certificate {
  const checkpoint = chain.checkpoint();
  const signed = message(encode(checkpointCodec, checkpoint));
  const signatures = new Map([0, 1, 2].map((index) => [index, signEd25519(signed, chain.members[index]!.seed)]));
  return { scheme: 'ed25519-list', checkpoint, proof: multiSignature(4, signatures) };
}

function signatureOf(chain: Chain, member: Member): Uint8Array {
  return signEd25519(checkpointSignBytes(chain.genesis.id, chain.checkpoint()), member.seed);
}

/** The other signature that a verifier without the bound on S would accept. */
function withGroupOrderAdded(signature: Uint8Array): Uint8Array {
  const changed = signature.slice();
  let rest = 2n ** 252n + 27742317777372353535851937790883648493n;
  for (let at = 32; at < 64; at++, rest >>= 8n) {
    rest += BigInt(changed[at]!);
    changed[at] = Number(rest & 0xffn);
  }
  return changed;
}
