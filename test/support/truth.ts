import type { Bundle, StateFact } from '../../ledger/bundle.ts';
import { equalBytes, toHex } from '../../ledger/bytes.ts';
import { type Certificate, type Checkpoint, checkpointSignBytes, type Trust } from '../../ledger/checkpoint.ts';
import { signEd25519 } from '../../ledger/ed25519.ts';
import { balances } from '../../ledger/modules/assets.ts';
import { entries } from '../../ledger/modules/records.ts';
import { quorum, signerIndexes, type ValidatorSet } from '../../ledger/validators.ts';
import { ACCOUNTS, type Chain, changedChain, encodeBundle, growTo, memberOf, smallChain } from './chain.ts';

/** Sound proofs of one chain, and what is true of it: what a verifier may accept, however an input came about. */
export interface Truth {
  readonly chain: Chain;
  readonly bundles: readonly Bundle[];
  /** Certificates with the epoch and set that must judge each of them. */
  readonly certified: readonly { readonly certificate: Certificate; readonly trust: Trust }[];
  /** The one signature of whoever holds this key for a checkpoint that was certified. */
  isGiven(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean;
  /** Each signature is the one that its member gave for this checkpoint, and they are a quorum. */
  isGenuine(certificate: Certificate, validators: ValidatorSet): boolean;
  /** The certificates are genuine, and the fact is byte for byte what the chain itself would prove under the last one. */
  isTrue(bundle: Bundle): boolean;
}

/** The chain once without a change of its set and once with three; its blocks are the same. */
export function truthOfTheTests(): Truth {
  const plain = growTo(smallChain(), 40);
  const changed = changedChain();
  const everybody = [...plain.members, ...[4, 5, 6].map((index) => memberOf(`node-${index}`))];
  const bundles = [plain, changed].flatMap(bundlesOf);
  const certified = bundles.flatMap(certificatesOf);
  const messageOf = (checkpoint: Checkpoint) => toHex(checkpointSignBytes(plain.genesis.id, checkpoint));
  const messages = new Set(certified.map(({ certificate }) => messageOf(certificate.checkpoint)));
  const holders = new Map(everybody.map((member) => [toHex(member.key), member]));
  const given = new Map<string, Uint8Array>();
  const isGiven: Truth['isGiven'] = (signature, message, key) => {
    const [name, holder] = [toHex(message), holders.get(toHex(key))];
    if (holder === undefined || !messages.has(name)) return false;
    const one = given.get(`${name} ${holder.name}`) ?? signEd25519(message, holder.seed);
    given.set(`${name} ${holder.name}`, one);
    return equalBytes(signature, one);
  };

  const isGenuine = ({ checkpoint, proof }: Certificate, validators: ValidatorSet): boolean => {
    const signers = signerIndexes(proof.signers, validators.length);
    const message = checkpointSignBytes(plain.genesis.id, checkpoint);
    return (
      typeof signers !== 'string' &&
      signers.length >= quorum(validators.length) &&
      signers.length === proof.signatures.length &&
      signers.every((member, i) => isGiven(proof.signatures[i]!, message, validators[member]!.key))
    );
  };

  return {
    chain: plain,
    bundles,
    certified,
    isGiven,
    isGenuine,
    isTrue: (bundle) =>
      equalBytes(bundle.genesisId, plain.genesis.id) &&
      certificatesOf(bundle).every(({ certificate, trust }) => isGenuine(certificate, trust.validators)) &&
      isProvenBy(plain, bundle),
  };

  function certificatesOf({ handoffs, certificate }: Bundle): { certificate: Certificate; trust: Trust }[] {
    let trust: Trust = { genesisId: plain.genesis.id, epoch: 0, validators: plain.genesis.validators };
    const judged = handoffs.map((handoff) => {
      const one = { certificate: handoff.certificate, trust };
      trust = { ...trust, epoch: trust.epoch + 1, validators: handoff.next };
      return one;
    });
    return [...judged, { certificate, trust }];
  }
}

function bundlesOf(chain: Chain): Bundle[] {
  const [ann, ben] = ACCOUNTS;
  const far = chain.certify(39);
  const all = chain.certify(40, { signers: chain.members.map((_, index) => index) });
  return [
    chain.transactionBundle(2, 3),
    chain.transactionBundle(2, 4, far),
    chain.transactionBundle(1, 0),
    chain.transactionBundle(1, 2, all),
    chain.transactionBundle(40, 1),
    chain.blockBundle(0),
    chain.blockBundle(3, far),
    chain.blockBundle(40),
    chain.stateBundle(balances, [ben.key, 'gold']),
    chain.stateBundle(balances, [ann.key, 'gold'], far),
    chain.stateBundle(entries, ['deed 1']),
    ...(['self', 'other'] as const).map((form) => absence(chain, form)),
  ];
}

/** A record that is not there, with a proof that ends in this form. */
function absence(chain: Chain, form: StateFact['proof']['end']['kind']): Bundle {
  const certificate = chain.certify();
  for (let i = 0; ; i++) {
    const bundle = chain.stateBundle(entries, [`no deed ${i}`], certificate);
    if (bundle.fact.kind === 'state' && bundle.fact.value.proof.end.kind === form) return bundle;
  }
}

function isProvenBy(chain: Chain, { certificate, fact }: Bundle): boolean {
  const own = provenBy(chain, fact, certificate);
  const known = { ...chain.blockBundle(0, certificate), fact };
  return own !== undefined && equalBytes(encodeBundle(own), encodeBundle(known));
}

/** The chain's own proof of what this fact is about; undefined if there is no such thing in it. */
function provenBy(chain: Chain, fact: Bundle['fact'], certificate: Certificate): Bundle | undefined {
  if (fact.kind === 'state') return chain.rowBundle(fact.value.table, fact.value.key, certificate);
  const { height } = fact.value.header;
  if (height > certificate.checkpoint.height) return undefined;
  if (fact.kind === 'block') return chain.blockBundle(height, certificate);
  const { index } = fact.value;
  return index < chain.blocks[height]!.transactions.length
    ? chain.transactionBundle(height, index, certificate)
    : undefined;
}
