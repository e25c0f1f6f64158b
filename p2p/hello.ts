import { equalBytes, toHex } from '../ledger/bytes.ts';
import { bytes32, struct, tryDecode, u16 } from '../ledger/codec.ts';

/** First frame on a channel, both ways. Noise has shown the peer key already, and an index would be of one epoch only. */
export const helloCodec = struct({ version: u16, genesisId: bytes32 });
export const HELLO_VERSION = 1;

/** What is wrong with a hello; the version is looked at first, since another one may look otherwise. */
export function helloProblem(payload: Uint8Array, genesisId: Uint8Array): string | undefined {
  const version = payload.length < 2 ? undefined : (payload[0]! << 8) | payload[1]!;
  if (version !== undefined && version !== HELLO_VERSION) return versionProblem(String(version));
  const decoded = tryDecode(helloCodec, payload);
  if (!decoded.ok) return `hello: ${decoded.problem}`;
  const other = decoded.value.genesisId;
  return equalBytes(other, genesisId) ? undefined : genesisProblem(toHex(other), genesisId);
}

/** The libp2p protocol of channels: whoever is on another chain, or speaks another version, has another one. */
export function replicaProtocol(genesisId: Uint8Array): string {
  return `/quorate/${HELLO_VERSION}/${toHex(genesisId).slice(2)}/replica`;
}

/** The one topic of gossipsub: signed peer records. It stays the same in every epoch. */
export function recordsTopic(genesisId: Uint8Array): string {
  return `/quorate/${HELLO_VERSION}/${toHex(genesisId).slice(2)}/records`;
}

/** G02: says what another chain or version a peer with these libp2p protocols is on, naming both. */
export function protocolProblem(protocols: readonly string[], genesisId: Uint8Array): string | undefined {
  if (protocols.includes(replicaProtocol(genesisId))) return undefined;
  for (const protocol of protocols) {
    const match = /^\/quorate\/(\d{1,9})\/([0-9a-f]{64})\/replica$/.exec(protocol);
    if (match === null) continue;
    const [, version, genesis] = match;
    if (version !== String(HELLO_VERSION)) return versionProblem(version!);
    return genesisProblem(`0x${genesis}`, genesisId);
  }
  return undefined;
}

const versionProblem = (version: string): string => `it speaks version ${version}, we speak ${HELLO_VERSION}`;

const genesisProblem = (other: string, genesisId: Uint8Array): string =>
  `it is on genesis ${other}, we are on ${toHex(genesisId)}`;
