import { z } from 'zod';
import { headerCodec, receiptCodec } from '../ledger/block.ts';
import { bundleCodec, updatesCodec } from '../ledger/bundle.ts';
import { fromHex } from '../ledger/bytes.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { type Codec, type Json, tryFromJson } from '../ledger/codec.ts';
import { layoutOf, schemaOf } from '../ledger/describe.ts';
import { signedReadyCodec } from '../ledger/ready.ts';
import { signedReplyCodec } from '../ledger/reply.ts';
import { validatorSetCodec } from '../ledger/validators.ts';
import { WAITED_FOR } from './ports.ts';
import { PROBLEMS } from './problems.ts';

/** Schemas of the JSON that is answered; those with a name are components of the OpenAPI document. */
export const components = z.registry<{ id: string }>();

export function named<S extends z.ZodType>(id: string, schema: S): S {
  components.add(schema, { id });
  return schema;
}

/** The JSON form of a canonical type: checked by its codec, documented by its codec's schema. */
function jsonOf(codec: Codec<unknown>) {
  return z.custom<Json>((json) => tryFromJson(codec, json as Json).ok).meta({ ...schemaOf(codec) });
}

const bytesText = (length: number) => z.string().regex(new RegExp(`^0x[0-9a-f]{${length * 2}}$`));
/** Bytes of any length in requests, decoded. The pattern is for readers; what checks is the decoder. */
export const hexBytes = z
  .string()
  .meta({ pattern: '^0x([0-9a-f]{2})*$' })
  .transform((text, context) => {
    const bytes = fromHex(text);
    if (bytes === undefined) context.addIssue('expected 0x and hex digits in lower case');
    return bytes ?? z.NEVER;
  });
const anyHex = z.string().regex(/^0x[0-9a-f]*$/);
const hash = bytesText(32);
const count = z.int().min(0);
const ms = count;
const decoded = z.unknown().meta({ description: 'By the type that the application defines' });

export const problem = named(
  'Problem',
  z.strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    code: z.enum(Object.keys(PROBLEMS) as [keyof typeof PROBLEMS]),
    retry: z
      .enum(['never', 'same', 'later', 'elsewhere'])
      .meta({ description: 'same: send the same bytes again after Retry-After; elsewhere: ask another node' }),
  }),
);

export const problemKind = named(
  'ProblemKind',
  z.strictObject({
    code: problem.shape.code,
    title: z.string(),
    status: problem.shape.status,
    retry: problem.shape.retry,
    retryAfter: z.int().optional().meta({ description: 'Seconds, unless the case knows better' }),
    description: z.string(),
    remedy: z.string(),
    example: problem,
  }),
);
export const problemKinds = named('ProblemKinds', z.strictObject({ items: z.array(problemKind) }));

export const header = named('Header', jsonOf(headerCodec));
export const candidacy = named('SignedReady', jsonOf(signedReadyCodec));
export const certificate = named('Certificate', jsonOf(certificateCodec));
export const bundle = named('Bundle', jsonOf(bundleCodec));
export const updates = named('Updates', jsonOf(updatesCodec));
const signedReply = named('SignedReply', jsonOf(signedReplyCodec));

const event = z.strictObject({ module: z.string(), name: z.string(), data: decoded });
const receiptStatus = z.enum(['ok', 'failed']);
const receipt = named(
  'Receipt',
  z.strictObject({ status: receiptStatus, code: z.string(), events: z.array(event) }).meta({
    description: `A failed transaction changed nothing; code says why. Canonical layout: ${layoutOf(receiptCodec)}`,
  }),
);
const transaction = named(
  'Transaction',
  z.strictObject({
    sender: hash,
    nonce: bytesText(8),
    validUntil: ms,
    calls: z.array(z.strictObject({ module: z.string(), action: z.string(), args: decoded })),
    memo: anyHex,
    signature: bytesText(64),
    bytes: anyHex,
  }),
);
const place = z.strictObject({ height: count, index: count });
const state = z.enum(['pending', 'committed', 'final', 'rejected', 'expired', 'unknown']).meta({
  description:
    'pending: held here. committed: ordered by a quorum, executed here. final: under a certificate, receipt ok. rejected: under a certificate, receipt failed. expired: can never execute.',
});
export const transactionStatus = named(
  'TransactionStatus',
  z.strictObject({
    id: hash,
    status: state,
    block: place.optional(),
    receipt: receipt.optional(),
    transaction: transaction.optional(),
    reply: signedReply.optional().meta({ description: 'The same, signed; only if asked for' }),
  }),
);
export const batchResults = named(
  'BatchResults',
  z.strictObject({
    results: z.array(
      z.union([
        z.strictObject({ id: hash, status: z.enum([...state.options, 'known']), block: place.optional() }),
        z.strictObject({ id: hash.optional(), error: problem }),
      ]),
    ),
  }),
);
export const dryRun = named(
  'DryRun',
  z.strictObject({
    height: count.meta({ description: 'Of the newest executed block, on whose state it ran' }),
    time: ms.meta({ description: 'Block time that it ran at' }),
    receipt: receipt.optional().meta({ description: 'Absent: the id has a receipt already, and would be passed over' }),
  }),
);
export const encoded = named('EncodedTransaction', z.strictObject({ body: anyHex, signBytes: anyHex, id: hash }));

const blockHeader = named('BlockHeader', z.strictObject({ hash, final: z.boolean(), header }));
export const block = named(
  'Block',
  z.strictObject({
    hash,
    final: z.boolean(),
    header,
    transactions: z.array(z.strictObject({ id: hash, transaction, receipt })),
  }),
);

const cursor = z.string().optional().meta({ description: 'Of the next page; absent on the last one' });
export const blockPage = named('BlockPage', z.strictObject({ items: z.array(blockHeader), cursor }));
export const certificatePage = named('CertificatePage', z.strictObject({ items: z.array(certificate), cursor }));

export const stateRow = named(
  'StateRow',
  z.strictObject({
    table: z.string(),
    key: z.string(),
    height: count,
    exists: z.boolean(),
    value: decoded.optional(),
    valueBytes: anyHex.optional(),
    proof: bundle.optional(),
  }),
);
export const stateRows = named(
  'StateRows',
  z.strictObject({
    table: z.string(),
    height: count,
    items: z.array(z.strictObject({ key: z.string(), value: decoded.optional(), valueBytes: anyHex })),
    cursor,
  }),
);

export const chain = named(
  'Chain',
  z.strictObject({
    chain: z.string(),
    genesisId: hash,
    epoch: count,
    height: count,
    blockHash: hash,
    stateRoot: hash,
    finalHeight: count,
    finalStateRoot: hash,
    time: ms,
    maxLifetimeMs: ms,
  }),
);
export const consensus = named(
  'Consensus',
  z.strictObject({
    mode: z.enum(['starting', 'active', 'behind', 'doubt', 'halted', 'observing']),
    reason: z.string().optional(),
    epoch: count,
    view: count,
    viewAsked: count,
    suspicion: z.string().optional(),
    viewTimeoutMs: z.number(),
    leader: count,
    low: count,
    executed: count,
    window: count,
    quorum: count,
    inFlight: count,
    connected: count,
  }),
);
export const why = named(
  'Why',
  z.strictObject({
    sentence: z.string(),
    waitingFor: z.enum(WAITED_FOR),
    height: count.optional(),
    view: count.optional(),
    have: count.optional(),
    need: count.optional(),
    from: z.array(z.string()),
    missing: z.array(z.strictObject({ name: z.string(), why: z.string() })),
  }),
);
export const mempool = named(
  'Mempool',
  z.strictObject({ transactions: count, bytes: count, transactionsMax: count, bytesMax: count }),
);
const peer = z.strictObject({
  index: count,
  name: z.string(),
  connected: z.boolean(),
  addresses: z.array(z.string()),
  bytesSent: count,
  bytesReceived: count,
  reason: z.string().optional(),
});
export const peers = named('Peers', z.strictObject({ items: z.array(peer) }));
export const validators = named(
  'Validators',
  z.strictObject({
    items: z.array(
      z.strictObject({
        index: count,
        name: z.string(),
        organisation: z.string(),
        key: hash,
        leader: z.boolean(),
        connected: z.boolean(),
      }),
    ),
  }),
);
export const nodeStatus = named(
  'NodeStatus',
  z.strictObject({
    name: z.string(),
    /** Absent while it has no vote. */
    index: count.optional(),
    version: z.string(),
    chain,
    consensus,
    mempool,
    peers: z.array(peer),
  }),
);
export const evidence = named(
  'EvidenceList',
  z.strictObject({
    items: z.array(
      z.strictObject({
        member: count,
        /** Of members of the present epoch. */
        name: z.string().optional(),
        kind: z.string(),
        epoch: count,
        view: count.optional(),
        height: count,
        evidence: anyHex,
      }),
    ),
  }),
);
/** Data of server-sent events, by their names. All but view changes and heartbeats follow from the chain alone. */
export const streamEvents = {
  block: named('BlockEvent', z.strictObject({ height: count, hash, header })),
  transaction: named(
    'TransactionEvent',
    z.strictObject({
      height: count,
      /** Among the transactions of the block. */
      index: count,
      id: hash,
      sender: hash,
      status: z.enum(['final', 'rejected']),
      code: z.string().meta({ description: 'Why it was rejected; empty if it was not' }),
    }),
  ),
  event: named('ModuleEvent', z.strictObject({ height: count, transaction: hash, ...event.shape })),
  checkpoint: named('CheckpointEvent', z.strictObject({ height: count, blockHash: hash, epoch: count })),
  epoch: named(
    'EpochEvent',
    z.strictObject({
      height: count,
      epoch: count.meta({ description: 'The epoch that begins' }),
      firstHeight: count,
      validators: jsonOf(validatorSetCodec),
    }),
  ),
  'view-change': named(
    'ViewChangeEvent',
    z.strictObject({ epoch: count, view: count, leader: count }).meta({
      description: 'What this node saw. It has no id and is not repeated',
    }),
  ),
  heartbeat: named(
    'HeartbeatEvent',
    z.strictObject({ height: count, finalHeight: count, time: ms }).meta({
      description: 'Its id is the last event that was looked at, whether it was asked for or not',
    }),
  ),
};

export const live = z.strictObject({ live: z.literal(true) });
export const ready = z.strictObject({ ready: z.literal(true), connected: count });
export const index = z.strictObject({
  name: z.string(),
  version: z.string(),
  routes: z.array(z.strictObject({ method: z.string(), path: z.string(), summary: z.string() })),
});
/** Documents of their own kind: the genesis file, the OpenAPI document. */
export const anyObject = z.looseObject({});
