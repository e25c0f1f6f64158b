import { handoffCodec } from '../ledger/bundle.ts';
import { equalBytes } from '../ledger/bytes.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { bytes32, encode, list, struct, tryDecode, union } from '../ledger/codec.ts';
import { HANDOFFS_MAX } from '../ledger/limits.ts';
import type { View } from './fork.ts';

/** Where a light client keeps its way from genesis: a file, localStorage, IndexedDB. */
export interface LightStore {
  /** What was saved last; undefined if nothing was. */
  load(): Promise<Uint8Array | undefined>;
  save(bytes: Uint8Array): Promise<void>;
}

const viewCodec = struct({
  genesisId: bytes32,
  handoffs: list(handoffCodec, HANDOFFS_MAX),
  certificate: union({ none: [0, struct({})], certificate: [1, certificateCodec] }),
});

export function encodeView(genesisId: Uint8Array, { handoffs, certificate }: View): Uint8Array {
  return encode(viewCodec, {
    genesisId,
    handoffs,
    certificate: certificate === undefined ? { kind: 'none', value: {} } : { kind: 'certificate', value: certificate },
  });
}

/** Or what is wrong with the bytes; signatures are not looked at. */
export function decodeView(genesisId: Uint8Array, bytes: Uint8Array): View | string {
  const read = tryDecode(viewCodec, bytes);
  if (!read.ok) return `what was stored can not be read: ${read.problem}`;
  const { handoffs, certificate } = read.value;
  if (!equalBytes(read.value.genesisId, genesisId)) return 'what was stored is of another chain';
  return { handoffs, certificate: certificate.kind === 'certificate' ? certificate.value : undefined };
}
