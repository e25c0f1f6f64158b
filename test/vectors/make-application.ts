import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { type Codec, encode, type Json } from '../../ledger/codec.ts';
import { organisationHash } from '../../ledger/modules/accounts.ts';
import { proposalCodec, proposalId } from '../../ledger/modules/changes.ts';
import { governanceProposalCodec, governanceProposalId } from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { defaultParameters, parametersCodec } from '../../ledger/parameters.ts';
import { statePath } from '../../ledger/state-proof.ts';
import { tableKeyFromText } from '../../ledger/table.ts';
import { validatorCodec, validatorSetCodec } from '../../ledger/validators.ts';
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

const NODE = memberOf('node-4');
const OTHER = memberOf('node-5');
const SIGNATURE = toHex(new Uint8Array(64).fill(7));

/** One of each kind. */
const DECISIONS: readonly Json[] = [
  { kind: 'parameters', value: parametersCodec.toJson({ ...defaultParameters, window: 16 }) },
  {
    kind: 'validators',
    value: { add: [validatorCodec.toJson(toValidator(NODE))], remove: [toHex(OTHER.key)], shrinksTo: 3 },
  },
  { kind: 'rotate', value: { key: toHex(NODE.key), next: toHex(OTHER.key), peerKey: BEN, possession: SIGNATURE } },
  {
    kind: 'admit',
    value: {
      name: 'globex',
      administration: { administrators: [ANN, BEN], threshold: 2 },
      roles: ['writer', 'issuer'],
    },
  },
  { kind: 'expel', value: { organisation: 'acme' } },
  { kind: 'observer', value: { name: 'watcher', organisation: 'acme', peerKey: BEN } },
  { kind: 'removeObserver', value: { peerKey: BEN } },
  {
    kind: 'limits',
    value: { role: 'writer', limits: { kind: 'these', value: { pending: 500, perSecond: 50, burst: 200 } } },
  },
  { kind: 'limits', value: { role: '*', limits: { kind: 'none', value: {} } } },
];
const decisionOf = (change: Json): Json => ({ nonce: '0x0000000000000002', expires: 1_700_000_600_000, change });
const idOfDecision = (json: Json): string => toHex(governanceProposalId(governanceProposalCodec.fromJson(json)));
const DECISION = decisionOf(DECISIONS[1]!);
const DECISION_ID = idOfDecision(DECISION);
const DECIDED = {
  proposal: DECISION,
  approvals: [{ organisation: 'acme', administrator: ANN, time: 1_700_000_001_000 }],
};
const READY: Json = {
  ready: {
    epoch: 3,
    height: 750,
    protocolVersion: 1,
    application: 'quorate',
    applicationVersion: 1,
    key: toHex(NODE.key),
    peerKey: toHex(NODE.peerKey),
  },
  signature: SIGNATURE,
};

/** A row of every table: key as text, value in JSON. */
const ROWS: Readonly<Record<string, readonly [key: string, value: Json]>> = {
  'members.organisations': [
    'acme',
    { administrators: [ANN, BEN], threshold: 2, roles: ['writer', 'issuer'], changes: 7 },
  ],
  'members.expelled': ['acme', { number: 9 }],
  'members.accounts': [BEN, { id: ANN, name: 'ann', organisation: 'acme', roles: ['writer', 'issuer'], active: true }],
  'members.administrators': [ANN, { organisation: 'acme', open: [PROPOSAL_ID], votes: [DECISION_ID] }],
  'members.names': [`${ACME}:ann`, { account: ANN }],
  'members.keys': [ANN, { key: BEN }],
  'members.proposals': [PROPOSAL_ID, { kind: 'open', value: { proposal: PROPOSAL, approvals: APPROVALS } }],
  'members.history': [`${ACME}:0x0000000000000007`, { proposal: PROPOSAL, approvals: APPROVALS }],
  'governance.epoch': [
    'previous',
    {
      number: 3,
      firstHeight: 700,
      idHorizonMs: 3_600_000,
      idHorizonUntil: 1_700_000_000_000,
      idHorizonMaxMs: 7_200_000,
    },
  ],
  'governance.parameters': ['current', parametersCodec.toJson(defaultParameters)],
  'governance.validators': ['current', validatorSetCodec.toJson([toValidator(memberOf('node-0'))])],
  'governance.summary': ['current', { organisations: 4, changes: 9, guests: [BEN] }],
  'governance.keys': [toHex(NODE.key), { from: 2, until: 3, changed: 1_700_000_001_000 }],
  'governance.guests': [BEN, { name: 'watcher', organisation: 'acme', kind: 'candidate', until: 1_700_000_600_000 }],
  'governance.limits': ['writer', { pending: 500, perSecond: 50, burst: 200 }],
  'governance.proposals': [DECISION_ID, { kind: 'passed', value: DECIDED }],
  'governance.history': ['0x0000000000000009', { ...DECIDED, height: 751, time: 1_700_000_002_000, by: ANN }],
  'governance.recoveries': ['0x0000000000000003', { height: 812, time: 1_700_000_003_000, reason: 'a fire' }],
  'assets.definitions': ['gold', { owner: ANN, supply: '1000' }],
  'assets.balances': [`${ANN}:gold`, { amount: '340282366920938463463374607431768211455' }],
  'records.entries': ['deed 1', { digest: DIGEST, owner: ANN, registered: 1_700_000_001_000, note: 'ñ', revoked: 0 }],
};

const ARGUMENTS: Readonly<Record<string, Json>> = {
  'members.approve': PROPOSAL,
  'members.retract': { proposal: PROPOSAL_ID },
  'governance.approve': DECISION,
  'governance.retract': { proposal: DECISION_ID },
  'governance.activate': { proposal: DECISION_ID, ready: [READY] },
  'assets.issue': { asset: 'gold', to: ANN, amount: '1000' },
  'assets.transfer': { asset: 'gold', to: BEN, amount: '1' },
  'records.register': { key: 'deed 1', digest: DIGEST, note: '' },
  'records.revoke': { key: 'deed 1' },
};

const EVENTS: Readonly<Record<string, Json>> = {
  'members.approved': { organisation: 'acme', proposal: PROPOSAL_ID, by: ANN, approvals: 1, threshold: 2 },
  'members.retracted': { organisation: 'acme', proposal: PROPOSAL_ID, by: ANN },
  'members.changed': { organisation: 'acme', number: 7, proposal: PROPOSAL_ID, change: CHANGES[4]! },
  'governance.approved': {
    proposal: DECISION_ID,
    organisation: 'acme',
    by: ANN,
    approvals: 1,
    threshold: 2,
    organisations: 0,
    needed: 3,
  },
  'governance.retracted': { proposal: DECISION_ID, organisation: 'acme', by: ANN },
  'governance.passed': { proposal: DECISION_ID, change: DECISIONS[1]! },
  'governance.changed': { number: 9, proposal: DECISION_ID, change: DECISIONS[2]!, epoch: 4 },
  'assets.issued': { asset: 'gold', by: ANN, to: ANN, amount: '1000' },
  'assets.transferred': { asset: 'gold', from: ANN, to: BEN, amount: '1' },
  'records.registered': { key: 'deed 1', digest: DIGEST, owner: ANN },
  'records.revoked': { key: 'deed 1', owner: ANN },
};

export function applicationVectors(): Json {
  const { modules } = quorateApplication;
  const bytes = (codec: Codec<unknown>, json: Json | undefined): string => toHex(encode(codec, codec.fromJson(json!)));
  return {
    about:
      'Rows, arguments and events of the built-in modules. `path` is where the row stands in the state tree. A bad case is no value of what `of` names; `step`: decode, or match (the pattern of asset names).',
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
    decisions: DECISIONS.map(decisionOf).map((json) => ({
      json,
      bytes: bytes(governanceProposalCodec, json),
      id: idOfDecision(json),
    })),
    bad: badCases(),
  };
}

/** Bytes that are none of what they are said to be. */
function badCases(): Json {
  const ben = BEN.slice(2);
  const amount = '00'.repeat(16);
  const cases: readonly (readonly [of: string, step: string, name: string, digits: string])[] = [
    ['assets.transfer', 'match', 'an asset name with a space', `0461206263${ben}${amount}`],
    ['assets.transfer', 'match', 'an asset name that begins with a dot', `022e61${ben}${amount}`],
    ['assets.transfer', 'match', 'an asset name with a newline at its end', `02610a${ben}${amount}`],
    ['assets.transfer', 'decode', 'an empty asset name', `00${ben}${amount}`],
    ['assets.issue', 'decode', 'no amount', `0161${ben}`],
    ['records.register', 'decode', 'a note of 513 bytes', `0161${ben}0201${'61'.repeat(513)}`],
    ['records.revoke', 'decode', 'an empty key', '00'],
    ['records.revoke', 'decode', 'a key of 201 bytes', `c9${'61'.repeat(201)}`],
    ['records.revoke', 'decode', 'trailing byte', '016100'],
    ['event assets.transferred', 'match', 'an asset name with a slash', `03612f62${ben}${ben}${amount}`],
    ['event records.revoked', 'decode', 'no owner', '0161'],
    ['members.organisations', 'decode', 'no administrators', '0001'],
    ['assets.balances', 'decode', 'an amount of 15 bytes', '00'.repeat(15)],
    ['records.entries', 'decode', 'a time above 2^53 - 1', `${ben}${ben}0020000000000000000000${'00'.repeat(7)}`],
    ...badProposals().map(([name, step, digits]) => ['members.approve', step, name, digits] as const),
    ...badDecisions().map(([name, step, digits]) => ['governance.approve', step, name, digits] as const),
  ];
  return cases.map(([of, step, name, digits]) => ({ of, step, name, bytes: `0x${digits}` }));
}

/** Sound proposals, with a part changed for another one of the same length. */
function badProposals(): readonly (readonly [name: string, step: string, digits: string])[] {
  const hexOf = (text: string): string => toHex(utf8Encode(text)).slice(2);
  const [enrol, grant, both] = [0, 1, 5].map((at) => {
    return toHex(encode(proposalCodec, proposalCodec.fromJson(proposalOf(CHANGES[at]!)))).slice(2);
  }) as [string, string, string];
  return [
    ['a change of no kind', 'decode', grant.replace(`02${BEN.slice(2)}`, `07${BEN.slice(2)}`)],
    ['a name with two spaces in a row', 'match', enrol.replace(hexOf('Zoë 2'), hexOf('Zoe  2'))],
    ['a name with a character that is not seen', 'match', enrol.replace(hexOf('Zoë 2'), hexOf('Zo\u200b2'))],
    ['a role twice', 'match', grant.replace(hexOf('issuer'), hexOf('writer'))],
    ['a threshold of 0', 'match', `${both.slice(0, -2)}00`],
    ['a threshold above the administrators', 'match', `${both.slice(0, -2)}03`],
    ['an administrator twice', 'match', both.replace(BEN.slice(2), ANN.slice(2))],
  ];
}

/** Sound decisions, with a part changed for another one of the same length. */
function badDecisions(): readonly (readonly [name: string, step: string, digits: string])[] {
  const hexOf = (text: string): string => toHex(utf8Encode(text)).slice(2);
  const [set, admit, expel] = [1, 3, 4].map((at) => {
    return toHex(encode(governanceProposalCodec, governanceProposalCodec.fromJson(decisionOf(DECISIONS[at]!)))).slice(
      2,
    );
  }) as [string, string, string];
  return [
    ['a decision of no kind', 'decode', expel.replace(`0504${hexOf('acme')}`, `0804${hexOf('acme')}`)],
    ['a key that is added and removed', 'match', set.replace(toHex(OTHER.key).slice(2), toHex(NODE.key).slice(2))],
    [
      'one key as consensus key and peer key',
      'match',
      set.replace(toHex(NODE.peerKey).slice(2), toHex(NODE.key).slice(2)),
    ],
    ['a validator with a name that begins with a space', 'match', set.replace(hexOf('node-4'), hexOf(' ode-4'))],
    ['an organisation with a space at its end', 'match', expel.replace(hexOf('acme'), hexOf('acm '))],
    ['a threshold above those who are admitted', 'match', admit.replace(`${BEN.slice(2)}02`, `${BEN.slice(2)}03`)],
    ['an administrator twice', 'match', admit.replace(BEN.slice(2), ANN.slice(2))],
  ];
}
