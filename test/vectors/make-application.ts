import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { type Codec, encode, type Json } from '../../ledger/codec.ts';
import { organisationHash } from '../../ledger/modules/accounts.ts';
import { proposalCodec, proposalId } from '../../ledger/modules/changes.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { defaultParameters, parametersCodec } from '../../ledger/parameters.ts';
import { statePath } from '../../ledger/state-proof.ts';
import { tableKeyFromText } from '../../ledger/table.ts';
import { validatorSetCodec } from '../../ledger/validators.ts';
import { ACCOUNTS, memberOf, seedOf, toValidator } from '../support/chain.ts';

const [ann, ben] = ACCOUNTS;
const ANN = toHex(ann.key);
const BEN = toHex(ben.key);
const DIGEST = toHex(seedOf('document'));

const ACME = toHex(organisationHash('acme'));

/** One of each kind. */
const CHANGES: readonly Json[] = [
  { kind: 'enrol', value: { key: BEN, name: 'Zoë 2', roles: ['writer'] } },
  { kind: 'grant', value: { account: BEN, roles: ['writer', 'issuer'] } },
  { kind: 'withdraw', value: { account: BEN, roles: ['writer'] } },
  { kind: 'revoke', value: { account: BEN } },
  { kind: 'rotate', value: { account: ANN, key: BEN } },
  { kind: 'administrators', value: { administrators: [ANN, BEN], threshold: 1 } },
];
const proposalOf = (change: Json): Json => ({
  organisation: 'acme',
  nonce: '0x0000000000000001',
  expires: 1_700_000_600_000,
  change,
});
const idOf = (proposal: Json): string => toHex(proposalId(proposalCodec.fromJson(proposal)));
const PROPOSAL = proposalOf(CHANGES[4]!);
const PROPOSAL_ID = idOf(PROPOSAL);
const APPROVALS: Json = [{ administrator: ANN, time: 1_700_000_001_000 }];

/** A row of every table: key as text, value in JSON. */
const ROWS: Readonly<Record<string, readonly [key: string, value: Json]>> = {
  'members.organisations': [
    'acme',
    { administrators: [ANN, BEN], threshold: 2, roles: ['writer', 'issuer'], changes: 7 },
  ],
  'members.accounts': [BEN, { id: ANN, name: 'ann', organisation: 'acme', roles: ['writer', 'issuer'], active: true }],
  'members.administrators': [ANN, { organisation: 'acme', open: [PROPOSAL_ID] }],
  'members.names': [`${ACME}:ann`, { account: ANN }],
  'members.keys': [ANN, { key: BEN }],
  'members.proposals': [PROPOSAL_ID, { kind: 'open', value: { proposal: PROPOSAL, approvals: APPROVALS } }],
  'members.history': [`${ACME}:0x0000000000000007`, { proposal: PROPOSAL, approvals: APPROVALS }],
  'governance.parameters': ['current', parametersCodec.toJson(defaultParameters)],
  'governance.validators': ['current', validatorSetCodec.toJson([toValidator(memberOf('node-0'))])],
  'assets.definitions': ['gold', { owner: ANN, supply: '1000' }],
  'assets.balances': [`${ANN}:gold`, { amount: '340282366920938463463374607431768211455' }],
  'records.entries': ['deed 1', { digest: DIGEST, owner: ANN, registered: 1_700_000_001_000, note: 'ñ', revoked: 0 }],
};

const ARGUMENTS: Readonly<Record<string, Json>> = {
  'members.approve': PROPOSAL,
  'members.retract': { proposal: PROPOSAL_ID },
  'assets.issue': { asset: 'gold', to: ANN, amount: '1000' },
  'assets.transfer': { asset: 'gold', to: BEN, amount: '1' },
  'records.register': { key: 'deed 1', digest: DIGEST, note: '' },
  'records.revoke': { key: 'deed 1' },
};

const EVENTS: Readonly<Record<string, Json>> = {
  'members.approved': { organisation: 'acme', proposal: PROPOSAL_ID, by: ANN, approvals: 1, threshold: 2 },
  'members.retracted': { organisation: 'acme', proposal: PROPOSAL_ID, by: ANN },
  'members.changed': { organisation: 'acme', number: 7, proposal: PROPOSAL_ID, change: CHANGES[4]! },
  'assets.issued': { asset: 'gold', by: ANN, to: ANN, amount: '1000' },
  'assets.transferred': { asset: 'gold', from: ANN, to: BEN, amount: '1' },
  'records.registered': { key: 'deed 1', digest: DIGEST, owner: ANN },
  'records.revoked': { key: 'deed 1', owner: ANN },
};

export function applicationVectors(): Json {
  const { modules } = quorateApplication;
  const bytes = (codec: Codec<unknown>, json: Json | undefined): string => toHex(encode(codec, codec.fromJson(json!)));
  return {
    about: 'Rows, arguments and events of the built-in modules. `path` is where the row stands in the state tree.',
    rows: modules.flatMap(({ tables }) =>
      tables.map((table) => {
        const [text, value] = ROWS[table.name]!;
        const key = tableKeyFromText(table, text);
        if (!key.ok) throw new Error(key.problem);
        const path = statePath(table.name, key.value);
        return {
          table: table.name,
          keyText: text,
          key: toHex(key.value),
          path: toHex(path),
          json: value,
          bytes: bytes(table.value, value),
        };
      }),
    ),
    arguments: modules.flatMap(({ name, actions }) =>
      Object.entries(actions).map(([action, { args }]) => {
        const json = ARGUMENTS[`${name}.${action}`]!;
        return { module: name, action, json, bytes: bytes(args as Codec<unknown>, json) };
      }),
    ),
    events: modules.flatMap(({ name: module, events }) =>
      Object.entries(events).map(([name, codec]) => {
        const json = EVENTS[`${module}.${name}`]!;
        return { module, name, json, bytes: bytes(codec, json) };
      }),
    ),
    proposals: CHANGES.map(proposalOf).map((json) => ({ json, bytes: bytes(proposalCodec, json), id: idOf(json) })),
    badArguments: [
      {
        module: 'assets',
        action: 'transfer',
        name: 'an asset name with a space',
        bytes: `0x0461206263${BEN.slice(2)}${'00'.repeat(16)}`,
      },
      {
        module: 'assets',
        action: 'transfer',
        name: 'an empty asset name',
        bytes: `0x00${BEN.slice(2)}${'00'.repeat(16)}`,
      },
      ...badProposals(),
      { module: 'records', action: 'revoke', name: 'an empty key', bytes: '0x00' },
      { module: 'records', action: 'revoke', name: 'a key of 201 bytes', bytes: `0xc9${'61'.repeat(201)}` },
      { module: 'records', action: 'revoke', name: 'trailing byte', bytes: '0x016100' },
    ],
  };
}

/** Sound proposals, with a part changed for another one of the same length. */
function badProposals() {
  const hexOf = (text: string): string => toHex(utf8Encode(text)).slice(2);
  const [enrol, grant, both] = [0, 1, 5].map((at) => {
    return toHex(encode(proposalCodec, proposalCodec.fromJson(proposalOf(CHANGES[at]!)))).slice(2);
  }) as [string, string, string];
  const bad: Readonly<Record<string, string>> = {
    'a change of no kind': grant.replace(`02${BEN.slice(2)}`, `07${BEN.slice(2)}`),
    'a name with two spaces in a row': enrol.replace(hexOf('Zoë 2'), hexOf('Zoe  2')),
    'a name with a character that is not seen': enrol.replace(hexOf('Zoë 2'), hexOf('Zo\u200b2')),
    'a role twice': grant.replace(hexOf('issuer'), hexOf('writer')),
    'a threshold of 0': `${both.slice(0, -2)}00`,
    'a threshold above the administrators': `${both.slice(0, -2)}03`,
    'an administrator twice': both.replace(BEN.slice(2), ANN.slice(2)),
  };
  return Object.entries(bad).map(([name, bytes]) => {
    return { module: 'members', action: 'approve', name, bytes: `0x${bytes}` };
  });
}
