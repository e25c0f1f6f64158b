import { z } from 'zod';
import type { Application } from '../ledger/application.ts';
import type { Json } from '../ledger/codec.ts';
import type { HeldBlocks } from './events/held-blocks.ts';
import type { Gate } from './gate.ts';
import type { ServerLimits } from './limits.ts';
import type { BuiltPage, NodePort } from './ports.ts';
import type { ProblemCode } from './problems.ts';

/** What handlers work on. */
export interface ApiContext {
  readonly node: NodePort;
  readonly application: Application;
  /** Transactions and heights that requests wait for; entered before anything else is done, so that a refusal has no effect. */
  readonly waiting: Gate;
  /** The server takes no more and is about to stop. */
  isClosing(): boolean;
  readonly dryRuns: Gate;
  readonly verifyPage: BuiltPage | undefined;
  readonly docsPage: BuiltPage | undefined;
  /** Blocks as event streams send them, shared by all of them. */
  readonly eventBlocks: HeldBlocks;
  readonly limits: ServerLimits;
}

export interface RouteRequest<P = unknown, Q = unknown, H = unknown> {
  readonly params: P;
  readonly query: Q;
  readonly headers: H;
  readonly contentType: string;
  /** True when the client would rather have canonical bytes than JSON. */
  readonly wantsBytes: boolean;
  /** True when the client would rather have a page than JSON. */
  readonly wantsPage: boolean;
  readonly body: Uint8Array;
  /** Aborted when the client goes away or the server closes. */
  readonly signal: AbortSignal;
}

export type RouteAnswer = WholeAnswer | StreamAnswer;

/** Server-sent events (text/event-stream), for as long as the client reads and the server runs. */
export interface StreamAnswer {
  readonly status: 200;
  /**
   * Messages in their text form, some at a time. What comes next is asked for when the client has taken what came before; the
   * stream is dropped when that takes too long, or when `drop` is called. Nothing is held before the first is asked for.
   */
  stream(drop: () => void): AsyncGenerator<string, void, void>;
}

export interface WholeAnswer {
  readonly status: number;
  readonly body: Json | Uint8Array;
  readonly headers?: { readonly [name: string]: string };
  /** Never changes any more: may be cached for ever. */
  readonly immutable?: boolean;
  /** May be cached if it is asked each time, by its ETag, whether it is still the same. */
  readonly revalidated?: boolean;
}

/** One documented answer: its JSON, its canonical bytes, either by the request's Accept, a page for people, or a stream. */
export interface AnswerForm {
  readonly description: string;
  readonly json?: z.ZodType;
  /** What the octets are. */
  readonly bytes?: string;
  /** What the page is. */
  readonly html?: string;
  /** Server-sent events: the data of each, by the name in its `event` line. */
  readonly events?: { readonly [event: string]: z.ZodType };
}

export interface BodyForm {
  readonly bytesMax: number;
  readonly json: z.ZodType;
  /** What the octets are, where they are accepted too. */
  readonly bytes?: string;
}

/** How far what a route answers holds (docs/consistency.md). */
export const CONSISTENCY = {
  constant: 'Of the chain or of the version of the node: it does not change while that runs.',
  final: 'Under a finality certificate: every node that has that height answers the same, and anybody can verify it.',
  committed:
    'Ordered by a quorum and executed here: no correct node has anything else at that height, but others may not be there yet, and no certificate shows it.',
  stated: 'The request or the answer says of which class it is.',
  node: 'What this node itself sees, keeps or plans: another one answers for itself.',
} as const;
export type Consistency = keyof typeof CONSISTENCY;

/**
 * One row of the route table. Requests are validated by it before the handler runs, the OpenAPI document is printed from
 * it, and tests hold every answer against it.
 */
export interface Route<
  P extends z.ZodObject = z.ZodObject,
  Q extends z.ZodObject = z.ZodObject,
  H extends z.ZodObject = z.ZodObject,
> {
  readonly method: 'GET' | 'POST';
  /** As @koa/router writes it: `/v1/blocks/:at`. */
  readonly path: string;
  /** Unique; the operationId. */
  readonly name: string;
  readonly summary: string;
  readonly consistency: Consistency;
  /** Which part of the answer is what, where it is `stated`. */
  readonly consistencyNote?: string;
  /** One schema for each `:name` of the path. */
  readonly params: P;
  readonly query: Q;
  /** Those that say what is asked for, by their names in lower case; all others are ignored. */
  readonly headers?: H;
  /** None: a body is refused. */
  readonly body?: BodyForm;
  /** By status. */
  readonly answers: { readonly [status: number]: AnswerForm };
  /** Beyond those that any request can get (`COMMON_PROBLEMS`). */
  readonly problems: readonly ProblemCode[];
  /** Some answers carry an ETag: 304 is possible. */
  readonly cacheable?: boolean;
  handle(context: ApiContext, request: RouteRequest<z.output<P>, z.output<Q>, z.output<H>>): Promise<RouteAnswer>;
}

/** Keeps the types of params, query and headers for `handle` and forgets them for the table. */
export function route<P extends z.ZodObject, Q extends z.ZodObject, H extends z.ZodObject>(
  definition: Route<P, Q, H>,
): Route {
  return definition as unknown as Route;
}

/** What any request can be answered, whatever the route is. */
export const COMMON_PROBLEMS: readonly ProblemCode[] = [
  'malformed',
  'request-timeout',
  'too-large',
  'headers-too-large',
  'internal',
  'busy',
];

const MEDIA_TYPE: ProblemCode = 'unsupported-media-type';

/** Every problem a route can answer. */
export function problemsOf({ body, problems }: Route): ReadonlySet<ProblemCode> {
  return new Set([...COMMON_PROBLEMS, ...problems, ...(body === undefined ? [] : [MEDIA_TYPE])]);
}

/** No parameter is known. */
export const none = z.strictObject({});

/** A decimal integer of a query string; no signs, exponents, spaces or leading zeros. */
export function integer(min: number, max: number) {
  return z
    .string()
    .regex(/^(0|[1-9][0-9]{0,15})$/, `expected an integer from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.int().min(min).max(max));
}
