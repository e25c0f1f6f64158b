import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes, toHex } from '../../ledger/bytes.ts';
import { checkpointCodec } from '../../ledger/checkpoint.ts';
import { decode, sameEncoding, tryFromJson } from '../../ledger/codec.ts';
import { organisations } from '../../ledger/modules/accounts.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { organisationsNeeded, recoveryMessage, recoverySigners } from '../../ledger/recovery.ts';
import { type RecoveryFile, recoveryHash } from '../../ledger/recovery-form.ts';
import { faultsTolerated, quorum, type Validator, type ValidatorSet, validatorCodec } from '../../ledger/validators.ts';
import { createLightClient } from '../../light/client.ts';
import { readKeyFile } from '../../light/keystore/key-file.ts';
import { readConfig } from '../config.ts';
import { Ledger } from '../ledger/ledger.ts';
import { readText } from '../read-text.ts';
import { printRecovery, readRecovery } from '../recovery.ts';
import { chooseSignatures } from '../signatures.ts';
import { accountNamed } from './accounts.ts';
import { CliError, EXIT } from './errors.ts';
import { validatorOf } from './gov-changes.ts';
import { print, table, warnPublicKey } from './output.ts';
import { readGenesisFile } from './read-genesis.ts';

// `quorate recover …` (R10): what people do when more validators are gone for good than the chain can lose.

export interface PrepareOptions {
  readonly config: string;
  /** Names. */
  readonly remove: readonly string[];
  /** Each `name:organisation:0xconsensus:0xpeer`; the name of a validator that stays gives it these keys. */
  readonly add: readonly string[];
  readonly reason: string;
  readonly out: string;
  readonly json: boolean;
}

/** On the machine of a node that is stopped: what the administrators are to sign. */
export async function prepare({ config: path, remove, add, reason, out, json }: PrepareOptions): Promise<number> {
  const config = await readConfig(path);
  const genesis = await readGenesisFile(config.genesis);
  const peerKey = readKeyFile(config.keys.peer, 'peer').publicKey;
  const directory = join(config.data, 'ledger');
  const ledger = new Ledger({ directory, genesis, application: quorateApplication, peerKey });
  const { membership, head } = await ledger.open();
  try {
    const now = membership.current.validators;
    const next = nextSet(now, remove, add.map(validatorFrom));
    const handoff = await ledger.draftRecovery({ next, reason, time: Math.max(Date.now(), head.timestamp + 1) });
    const text = printRecovery(handoff);
    writeFileSync(out, text, { flag: 'wx' });
    const file = readRecovery(text, out);
    print(json, { out, ...summaryOf(file) }, [
      ...describe(file, genesis.recovery, []),
      `  set now     ${sizes(now)}`,
      `  set then    ${sizes(next)}`,
      ``,
      `Written to ${out}. Every administrator: quorate recover sign ${out} --genesis <file> --url <own node> --as <key file>`,
    ]);
    return EXIT.ok;
  } finally {
    await ledger.close();
  }
}

export interface SignOptions {
  readonly genesis: string;
  /** A node that is asked for the last certified block; none: only what the file itself shows is checked. */
  readonly url: readonly string[] | undefined;
  readonly as: string;
  readonly json: boolean;
}

/** One administrator's signature, in the file itself. */
export async function sign(path: string, { genesis: genesisPath, url, as, json }: SignOptions): Promise<number> {
  const [genesis, file] = [await readGenesisFile(genesisPath), readRecovery(await readText(path), path)];
  const checked = await checkBasis(file, genesis.text, url);
  const { signer, isPublic } = await accountNamed(as);
  if (isPublic) warnPublicKey(as, json);
  const value = file.recovery;
  const at = value.approvals.findIndex(({ row }) =>
    decode(organisations.value, row.value).administrators.some((key) => equalBytes(key, signer.publicKey)),
  );
  if (at < 0) throw new CliError(EXIT.failed, 'NO_ADMINISTRATOR', `${as}: the administrator of no organisation there`);
  const signature = signer.sign(recoveryMessage(genesis.id, value.body));
  const approvals = value.approvals.map((one, i) => {
    if (i !== at) return one;
    const others = one.signatures.filter(({ administrator }) => !equalBytes(administrator, signer.publicKey));
    return { ...one, signatures: [...others, { administrator: signer.publicKey, signature }] };
  });
  const signed: RecoveryFile = { ...file, recovery: { ...value, approvals } };
  const signers = signersOf(signed, genesis.id);
  // Whole, or as it was: it has the signatures of others.
  writeFileSync(`${path}.new`, printRecovery(signed));
  renameSync(`${path}.new`, path);
  const { organisation } = value.approvals[at]!;
  print(json, { out: path, organisation, checked, ...summaryOf(signed), signed: signers.organisations }, [
    ...describe(signed, genesis.recovery, signers.organisations, signers.of),
    checked ? CHECKED : NOT_CHECKED,
    '',
    `Signed for ${organisation}.`,
  ]);
  return EXIT.ok;
}

const CHECKED = '  checked     the last certified block is the newest that the nodes asked can prove';
const NOT_CHECKED = '  checked     NOT against the chain: no --url was given';

/** What a recovery does, who has signed it, and its hash. */
export async function show(
  path: string,
  { genesis: genesisPath, url, json }: Omit<SignOptions, 'as'>,
): Promise<number> {
  const [genesis, file] = [await readGenesisFile(genesisPath), readRecovery(await readText(path), path)];
  const checked = await checkBasis(file, genesis.text, url);
  const signers = signersOf(file, genesis.id);
  const isEnough =
    genesis.recovery > 0 &&
    signers.organisations.length >= organisationsNeeded(signers.of, { percent: genesis.recovery });
  print(json, { ...summaryOf(file), checked, signed: signers.organisations, of: signers.of, isEnough }, [
    ...describe(file, genesis.recovery, signers.organisations, signers.of),
    checked ? CHECKED : NOT_CHECKED,
    '',
    isEnough
      ? `Enough have signed. Every operator: quorate start --config <node.toml> --recovery ${path} --accept-recovery ${hashOf(file)}`
      : 'Not enough have signed.',
  ]);
  return EXIT.ok;
}

/** True if the nodes asked prove, from genesis on, that the certified block is the newest one they know. */
async function checkBasis(
  { recovery }: RecoveryFile,
  genesis: string,
  urls: readonly string[] | undefined,
): Promise<boolean> {
  if (urls === undefined) return false;
  const { certificate } = await createLightClient({ genesis, urls }).follow();
  const { checkpoint } = recovery.basis;
  if (sameEncoding(checkpointCodec, certificate.checkpoint, checkpoint)) return true;
  const { height } = certificate.checkpoint;
  throw new CliError(
    EXIT.notVerified,
    'OTHER_BLOCK',
    `the recovery goes on from block ${checkpoint.height}, and block ${height} is certified: it would undo what is final`,
  );
}

function signersOf({ recovery }: RecoveryFile, genesisId: Uint8Array) {
  const signers = recoverySigners(recovery, genesisId, chooseSignatures().verify);
  if (typeof signers === 'string') throw new CliError(EXIT.notVerified, 'RECOVERY', signers);
  return signers;
}

function hashOf({ recovery }: RecoveryFile): string {
  return toHex(recoveryHash(recovery.body));
}

function summaryOf(file: RecoveryFile) {
  const { checkpoint, reason } = file.recovery.body;
  const { epoch, height } = checkpoint;
  return {
    hash: hashOf(file),
    epoch,
    lastCertified: height - 1,
    reason,
    validators: file.next.map(({ name }) => name),
  };
}

function describe(file: RecoveryFile, percent: number, signed: readonly string[], of?: number): string[] {
  const { body, approvals } = file.recovery;
  const { checkpoint, reason } = body;
  const total = of ?? approvals.length;
  const needed =
    percent === 0
      ? 'the genesis file allows no recovery'
      : `${organisationsNeeded(total, { percent })} of ${total} needed`;
  return [
    `Recovery ${hashOf(file)}`,
    `  reason      ${reason}`,
    `  ends        epoch ${checkpoint.epoch}, above block ${checkpoint.height - 1}, the last certified one`,
    `  loses       whatever blocks above it were executed somewhere; none of them is final`,
    `  signed by   ${signed.length === 0 ? 'nobody yet' : signed.join(', ')} (${needed})`,
    ...table(
      ['  next set', 'organisation', 'consensus key'],
      file.next.map(({ name, organisation, key }) => [`  ${name}`, organisation, toHex(key)]),
    ),
  ];
}

function sizes(set: ValidatorSet): string {
  return `${set.length} validators, ${faultsTolerated(set.length)} may be faulty, ${quorum(set.length)} certify a block`;
}

/** Who is gone leaves; who has the name of one that stays takes its place, with these keys. */
function nextSet(now: ValidatorSet, remove: readonly string[], add: readonly Validator[]): ValidatorSet {
  for (const name of remove) {
    if (now.some((one) => one.name === name)) continue;
    const names = now.map((one) => one.name).join(', ');
    throw new CliError(EXIT.usage, 'UNKNOWN_VALIDATOR', `--remove ${name}: no validator, there are ${names}`);
  }
  const staying = now.filter(({ name }) => !remove.includes(name));
  const replaced = staying.map((one) => add.find(({ name }) => name === one.name) ?? one);
  return [...replaced, ...add.filter(({ name }) => !staying.some((one) => one.name === name))];
}

function validatorFrom(text: string): Validator {
  const read = tryFromJson(validatorCodec, validatorOf(text));
  if (!read.ok) throw new CliError(EXIT.usage, 'USAGE', `--add ${text}: ${read.problem}`);
  return read.value;
}
