import { toHex } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import type { Table, TableKey } from '../../ledger/table.ts';
import { createLightClient, type LightClient, type LightClientOptions, type Proven } from '../client.ts';
import { encodeKey, type KeyInput } from './calls.ts';
import { asQuorateError, QuorateError } from './errors.ts';
import { abortable, type CallOptions, type Timers } from './timers.ts';

/** How long a read waits for a node that is as far as the connection has seen the chain. */
const BEHIND_MAX_MS = 10_000;
const PAUSE_MS = 200;

/** The value of a row, or that there is none, as of a certified height. */
export interface ProvenRow<V> {
  readonly value: V | undefined;
  readonly height: number;
  /** Of the certificate, in ms. */
  readonly time: number;
  /** The bundle's canonical bytes. */
  readonly proof: Uint8Array;
}

/** Rows of the state with their proofs. Rejects with QuorateError: `stale` also when no node is as far as what was seen. */
export interface StateReader {
  /** The row's value; undefined is proven absence. */
  get<K extends TableKey, V>(
    table: Table<K, V>,
    key: KeyInput<NoInfer<K>>,
    options?: CallOptions,
  ): Promise<V | undefined>;
  /** The same with its proof. */
  prove<K extends TableKey, V>(
    table: Table<K, V>,
    key: KeyInput<NoInfer<K>>,
    options?: CallOptions,
  ): Promise<ProvenRow<V>>;
}

/** Heights of one connection: it never goes back. */
export interface Seen {
  height: number;
}

export function createStateReader(
  light: LightClient,
  options: LightClientOptions,
  seen: Seen,
  timers: Timers,
): StateReader {
  const ask = rowAsker(light, options);
  const reader: StateReader = {
    get: async (table, key, options) => (await reader.prove(table, key, options)).value,
    async prove<K extends TableKey, V>(table: Table<K, V>, key: KeyInput<NoInfer<K>>, { signal }: CallOptions = {}) {
      const bytes = encodeKey(table, key);
      const { facts, proof, value } = await abortable(newEnough(table.name, bytes, signal), signal);
      const { height, time } = facts.certified;
      seen.height = Math.max(seen.height, height);
      return { value: value === undefined ? undefined : decode(table.value, value), height, time, proof };
    },
  };
  return reader;

  async function newEnough(
    table: string,
    key: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Proven<Uint8Array | undefined>> {
    const wanted = seen.height;
    const end = timers.now() + BEHIND_MAX_MS;
    for (;;) {
      const found = await ask(table, key, wanted);
      if (found.facts.certified.height >= wanted) return found;
      if (timers.now() > end) {
        const detail = `row ${toHex(key)} of ${table}: no node is at height ${wanted}, the newest is at ${found.facts.certified.height}`;
        throw new QuorateError('stale', detail);
      }
      await timers.sleep(PAUSE_MS, signal);
    }
  }
}

/** The first sound answer; where that is older than `wanted`, the newest one of all nodes, each asked for itself. */
function rowAsker(light: LightClient, options: LightClientOptions) {
  let single: readonly LightClient[] | undefined;
  return async (table: string, key: Uint8Array, wanted: number): Promise<Proven<Uint8Array | undefined>> => {
    let newest: Proven<Uint8Array | undefined>;
    try {
      newest = await light.state(table, key);
    } catch (error) {
      throw asQuorateError(error);
    }
    if (newest.facts.certified.height >= wanted) return newest;
    // The store belongs to the connection's own light client.
    single ??= options.urls.map((url) => createLightClient({ ...options, urls: [url], store: undefined }));
    for (const one of single) {
      const found = await one.state(table, key).catch(() => undefined);
      if (found !== undefined && found.facts.certified.height > newest.facts.certified.height) newest = found;
      if (newest.facts.certified.height >= wanted) return newest;
    }
    return newest;
  };
}
