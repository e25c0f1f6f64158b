import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Application } from '../ledger/application.ts';
import type { Json } from '../ledger/codec.ts';
import type { NodePort } from './ports.ts';

/** What handlers work on. */
export interface ApiContext {
  readonly node: NodePort;
  readonly application: Application;
}

export interface RouteRequest<Q> {
  readonly params: { readonly [name: string]: string };
  readonly query: Q;
  readonly contentType: string;
  /** True when the client would rather have canonical bytes than JSON. */
  readonly wantsBytes: boolean;
  readonly body: Uint8Array;
  readonly raw: IncomingMessage;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export interface RouteAnswer {
  readonly status: number;
  readonly body: Json | Uint8Array;
  readonly headers?: { readonly [name: string]: string };
  /** Never changes any more: may be cached for ever. */
  readonly immutable?: boolean;
}

/** One row of the route table: what is asked is validated by it before the handler runs. */
export interface Route<S extends z.ZodObject = z.ZodObject> {
  readonly method: 'GET' | 'POST';
  /** As @koa/router writes it: `/v1/blocks/:at`. */
  readonly path: string;
  readonly summary: string;
  readonly query: S;
  /** Largest accepted body; 0 for none. */
  readonly bodyBytesMax: number;
  handle(context: ApiContext, request: RouteRequest<z.output<S>>): Promise<RouteAnswer>;
}

export function route<S extends z.ZodObject>(definition: Route<S>): Route {
  return definition as unknown as Route;
}

/** No query parameter is known. */
export const noQuery = z.strictObject({});

/** A decimal integer of a query string; no signs, exponents, spaces or leading zeros. */
export function integer(min: number, max: number) {
  return z
    .string()
    .regex(/^(0|[1-9][0-9]{0,15})$/)
    .transform(Number)
    .pipe(z.int().min(min).max(max));
}
