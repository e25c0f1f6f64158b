import assert from 'node:assert/strict';
import type { Genesis } from '../genesis/genesis.ts';
import { headerCodec } from '../ledger/block.ts';
import { blockFactCodec } from '../ledger/bundle.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { encode } from '../ledger/codec.ts';
import { installHashEngine, portableHashEngine } from '../ledger/hash.ts';
import { verifyBundle } from '../light/index.ts';
import { installFastHashing } from '../node/hashing.ts';
import { chooseSignatures } from '../node/signatures.ts';
import { hasChromium, inChromium, type PageEngine } from './chromium.ts';
import { encodeBundle, genesisOf, handoffBundle, historySiblings, members, transactionBundle } from './proofs.ts';
import { measureR1 } from './r1.ts';
import { median, type Row, rounded, sizes, WARM_MS } from './row.ts';
import { stateTree } from './state-tree.ts';

const SETS = [4, 7, 16, 31, 100];
const EPOCH_SETS = [4, 31];
const EPOCHS = 100;
const TRANSACTIONS = 500;
/** In the oldest half of the history, where the path is the longest. */
const PLACE = { count: 1_000_000, height: 123_456 };
const HEIGHTS = [10 ** 3, 10 ** 4, 10 ** 5, 10 ** 6, 10 ** 7];
const PLACES = 1_000;

interface Engine {
  readonly name: string;
  readonly verify: Parameters<typeof verifyBundle>[2]['verify'];
  /** Of this process, from then on. */
  installHashing(): void;
}

interface Proof {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly genesis: Genesis;
}

/**
 * What a proof costs: its bytes, and the time to verify it with the genesis file read already, in Node and in Chromium, each
 * by the fastest engine it has and by the portable one (signatures and hashes in JavaScript).
 */
export async function light(log: (text: string) => void): Promise<readonly Row[]> {
  const fast = chooseSignatures();
  const engines: readonly Engine[] = [
    { name: fast.name, verify: fast.verify, installHashing: () => installFastHashing() },
    {
      name: 'portable',
      verify: chooseSignatures(['portable']).verify,
      installHashing: () => installHashEngine(portableHashEngine),
    },
  ];
  const r1 = measureR1();
  const pool = members(Math.max(...SETS, Math.max(...EPOCH_SETS) + EPOCHS));
  const proofs = SETS.map((n): Proof & { readonly certificate: number } => {
    const genesis = genesisOf(pool.slice(0, n));
    const bundle = transactionBundle(pool.slice(0, n), genesis, TRANSACTIONS, PLACE);
    const certificate = encode(certificateCodec, bundle.certificate).length;
    return { name: `n=${n}`, bytes: encodeBundle(bundle), genesis, certificate };
  });
  const ways = EPOCH_SETS.map((n): Proof => {
    const genesis = genesisOf(pool.slice(0, n));
    return { name: `n=${n}, ${EPOCHS} epochs`, bytes: encodeBundle(handoffBundle(pool, genesis, n, EPOCHS)), genesis };
  });
  log('proofs are made');
  const rows: Row[] = [
    { name: 'r1', value: r1, unit: 'verifications/s', runs: 1 },
    ...proofs.flatMap(({ name, bytes, certificate }): Row[] => [
      { name: `${name}: certificate`, value: certificate, unit: 'bytes' },
      { name: `${name}: transaction bundle`, value: bytes.length, unit: 'bytes' },
    ]),
    ...ways.map(({ name, bytes }): Row => ({ name: `${name}: block bundle`, value: bytes.length, unit: 'bytes' })),
    ...HEIGHTS.flatMap(historySizes),
  ];
  for (const proof of [...proofs, ...ways]) {
    rows.push(...inNode(proof, engines));
    log(`${proof.name} verified in Node`);
  }
  rows.push(...(await browserRows([...proofs, ...ways], log)));
  return [...rows, ...stateTree(log)];
}

function inNode(proof: Proof, engines: readonly Engine[]): Row[] {
  const measured = engines.map((engine) => {
    engine.installHashing();
    return { engine, times: verifyTimes(proof, engine) };
  });
  installFastHashing();
  const rows = measured.map(({ engine, times }) => timeRow(proof, `Node, ${engine.name}`, times));
  const [fastest, portable] = rows.map(({ value }) => value!);
  const ratio = rounded(portable! / fastest!, 1);
  return [
    ...rows,
    { name: `${proof.name}: Node, portable to fastest`, value: ratio, unit: 'ratio', ratioOf: rows[0]!.name },
  ];
}

function verifyTimes({ bytes, genesis }: Proof, { verify }: Engine): number[] {
  const times: number[] = [];
  const once = (): number => {
    const start = performance.now();
    const { ok } = verifyBundle(bytes, genesis, { verify });
    assert(ok, 'a sound proof was refused');
    return performance.now() - start;
  };
  const begin = performance.now();
  let least = once();
  while (performance.now() - begin < WARM_MS) least = Math.min(least, once());
  const runs = runsFor(least);
  while (times.length < runs) times.push(once());
  return times;
}

/** About half a second of each, but not less than 5 and not more than 101 runs. */
function runsFor(ms: number): number {
  return Math.max(5, Math.min(101, Math.floor(500 / ms)));
}

async function browserRows(proofs: readonly Proof[], log: (text: string) => void): Promise<Row[]> {
  if (!hasChromium()) {
    const skipped = 'no Chromium';
    return proofs.flatMap(({ name }) =>
      ['WebCrypto', 'portable'].map((engine) => ({
        name: `${name}: Chromium, ${engine}`,
        value: null,
        unit: 'ms',
        skipped,
      })),
    );
  }
  return inChromium(async (engines: readonly PageEngine[]) => {
    const rows: Row[] = [];
    for (const proof of proofs) {
      for (const engine of engines) {
        const [first] = await engine.verify(proof.bytes, proof.genesis, 1);
        const times = await engine.verify(proof.bytes, proof.genesis, runsFor(first!));
        rows.push(timeRow(proof, `Chromium, ${engine.name}`, times));
      }
      log(`${proof.name} verified in Chromium`);
    }
    return rows;
  });
}

function timeRow(proof: Proof, where: string, times: readonly number[]): Row {
  return { name: `${proof.name}: ${where}`, value: rounded(median(times), 2), unit: 'ms', runs: times.length };
}

/** Of the proof alone, without the header, for blocks spread over the whole history. */
function historySizes(height: number): Row[] {
  const count = height + 1;
  const header = {
    height,
    parent: new Uint8Array(32),
    timestamp: 0,
    transactionsRoot: new Uint8Array(32),
    receiptsRoot: new Uint8Array(32),
    count: 0,
  };
  const bytes = Array.from({ length: PLACES }, (_, i) => {
    const historyProof = historySiblings({ count, height: Math.floor((i * count) / PLACES) });
    return encode(blockFactCodec, { header, historyProof }).length - encode(headerCodec, header).length;
  });
  return sizes(`history to height 10^${Math.log10(height)}: proof`, bytes);
}
