import { concatBytes, toHex, utf8Encode } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { leafHash, sha256 } from '../../ledger/hash.ts';
import { appendHistory, emptyHistory, historyRoot } from '../../ledger/history.ts';
import { listProof, listRoot, listRootFromProof } from '../../ledger/list-tree.ts';
import { encodeStateProof, stateLeaf, statePath, stateProofCodec } from '../../ledger/state-proof.ts';
import { StateTree } from '../../ledger/state-tree.ts';

const COUNTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17];

const contentsOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => utf8Encode(`item ${index}`));

export function listTreeVectors(): Json {
  const five = contentsOf(5);
  const proof = (index: number): string[] => listProof(five, index).map(toHex);
  const root = toHex(listRoot(five));
  const claim = (step: string, name: string, change: { [key: string]: Json }): Json => ({
    name,
    step,
    root,
    count: 5,
    index: 2,
    content: toHex(five[2]!),
    siblings: proof(2),
    ...change,
  });
  return {
    about:
      'The content of item i is the UTF-8 of "item i". A bad proof must be refused at `step`: index, siblings (their number) or root (it leads to another); its name says why.',
    leaf: { content: toHex(five[0]!), hash: toHex(leafHash(five[0]!)) },
    roots: COUNTS.map((count) => ({ count, root: toHex(listRoot(contentsOf(count))) })),
    good: [
      ...[1, 2, 5, 8, 13].flatMap((count) =>
        Array.from({ length: count }, (_, index) => ({
          root: toHex(listRoot(contentsOf(count))),
          count,
          index,
          content: toHex(contentsOf(count)[index]!),
          siblings: listProof(contentsOf(count), index).map(toHex),
        })),
      ),
      ...LARGE.map(({ count, index, siblings }) => largeProof(count, index, siblings)),
    ],
    bad: [
      claim('root', 'another content', { content: toHex(five[3]!) }),
      claim('root', 'another index', { index: 3 }),
      claim('index', 'an index out of range', { index: 5 }),
      claim('siblings', 'a smaller count with as many siblings', { count: 4 }),
      claim('root', 'a larger count with as many siblings', { count: 6 }),
      claim('index', 'no items', { count: 0, index: 0, siblings: [] }),
      claim('siblings', 'a sibling too few', { siblings: proof(2).slice(0, -1) }),
      claim('siblings', 'a sibling too many', { siblings: [...proof(2), `0x${'00'.repeat(32)}`] }),
      claim('siblings', 'no siblings', { siblings: [] }),
      claim('root', 'siblings in the other order', { siblings: proof(2).toReversed() }),
      claim('siblings', 'the last item of an odd level paired with itself', {
        index: 4,
        content: toHex(five[4]!),
        siblings: [toHex(leafHash(five[4]!)), ...proof(4)],
      }),
      claim('root', 'an inner node shown as an item', {
        count: 3,
        index: 0,
        content: toHex(concatBytes(leafHash(five[0]!), leafHash(five[1]!))),
        siblings: proof(0).slice(1),
      }),
      {
        name: 'an index that is another one modulo 2^32',
        step: 'root',
        ...largeProof(2 ** 33, 2 ** 32, 33),
        index: 0,
      },
    ],
  };
}

/** Sizes at which 32 bits, or a count of 53 bits, show whether a verifier computes with whole numbers. */
const LARGE = [
  { count: 2 ** 33, index: 2 ** 32, siblings: 33 },
  { count: Number.MAX_SAFE_INTEGER, index: 2 ** 40 + 1, siblings: 53 },
  // The last item moves up alone once, and 52 times.
  { count: Number.MAX_SAFE_INTEGER, index: Number.MAX_SAFE_INTEGER - 1, siblings: 52 },
  { count: 2 ** 52 + 1, index: 2 ** 52, siblings: 1 },
];

/** Nobody can build such a list; the root is what the proof itself leads to. */
function largeProof(count: number, index: number, length: number): { readonly [key: string]: Json } {
  const content = utf8Encode('item of a large list');
  const siblings = Array.from({ length }, (_, level) => sha256(utf8Encode(`sibling ${level}`)));
  const root = listRootFromProof({ count, index, content, siblings });
  if (root === undefined) throw new Error(`${length} siblings are not a proof for ${index} of ${count}`);
  return { root: toHex(root), count, index, content: toHex(content), siblings: siblings.map(toHex) };
}

export function historyVectors(): Json {
  let history = emptyHistory;
  const roots: Json[] = [{ count: 0, root: toHex(historyRoot(history)) }];
  for (let height = 0; height < 20; height++) {
    history = appendHistory(history, sha256(utf8Encode(`block ${height}`))).next;
    roots.push({ count: history.count, peaks: history.peaks.map(toHex), root: toHex(historyRoot(history)) });
  }
  return {
    about: 'Block hash of height i is SHA-256 of the UTF-8 of "block i". The root is the list root over them.',
    roots,
  };
}

export function stateTreeVectors(): Json {
  const rows = Array.from({ length: 12 }, (_, index) => ({
    table: index % 3 === 0 ? 'records.entries' : 'assets.balances',
    key: utf8Encode(`key ${index}`),
    value: utf8Encode(`value ${index}`),
  }));
  const roots: Json[] = [];
  for (const count of [0, 1, 2, 3, 5, 12]) {
    const tree = treeOf(rows.slice(0, count));
    roots.push({ rows: count, root: toHex(tree.root()) });
  }
  const tree = treeOf(rows);
  const prove = (table: string, key: Uint8Array): Json =>
    stateProofCodec.toJson(encodeStateProof(tree.prove(statePath(table, key))));
  const absent = [
    { table: 'records.entries', key: utf8Encode('key 1') },
    { table: 'records.entries', key: utf8Encode('') },
    ...Array.from({ length: 6 }, (_, index) => ({ table: 'assets.balances', key: utf8Encode(`no key ${index}`) })),
  ];
  const [row, other] = [rows[1]!, rows[2]!];
  const claim = (step: string, name: string, change: { [key: string]: Json }): Json => ({
    name,
    step,
    table: row.table,
    key: toHex(row.key),
    value: toHex(row.value),
    proof: prove(row.table, row.key),
    ...change,
  });
  const proof = prove(row.table, row.key) as { readonly [key: string]: Json };
  const siblings = proof.siblings as readonly Json[];
  const depth = proof.depth as number;
  const bitmap = proof.bitmap as string;
  const zeros = `0x${'00'.repeat(32)}`;
  const absentAs = (kind: string) => {
    for (const { table, key } of absent) {
      const found = prove(table, key) as {
        readonly end: { readonly kind: string; readonly value: { [key: string]: Json } };
      };
      if (found.end.kind === kind) return { table, key: toHex(key), proof: found, end: found.end.value };
    }
    throw new Error(`no absent row ends at ${kind}`);
  };
  const { end: _, ...absentSelf } = absentAs('self');
  const { end, ...absentOther } = absentAs('other');
  return {
    about:
      'State trees over the first rows. `value` null: absent. A bad proof must be refused at `step`: form, end or root (it leads to another than `root`); its name says why.',
    rows: rows.map(({ table, key, value }) => ({
      table,
      key: toHex(key),
      value: toHex(value),
      path: toHex(statePath(table, key)),
      leaf: toHex(stateLeaf(statePath(table, key), sha256(value))),
    })),
    roots,
    root: toHex(tree.root()),
    good: [
      ...rows.map(({ table, key, value }) => ({
        table,
        key: toHex(key),
        value: toHex(value),
        proof: prove(table, key),
      })),
      ...absent.map(({ table, key }) => ({ table, key: toHex(key), value: null, proof: prove(table, key) })),
    ],
    bad: [
      claim('root', 'another value', { value: toHex(other.value) }),
      claim('root', 'another key', { key: toHex(other.key) }),
      claim('root', 'another table', { table: 'assets.definitions' }),
      claim('root', 'said to be absent', { value: null }),
      claim('root', 'one level more than there is', { proof: { ...proof, depth: depth + 1 } }),
      claim('form', 'one level less than there is', { proof: { ...proof, depth: depth - 1 } }),
      claim('form', 'a sibling too many', { proof: { ...proof, siblings: [...siblings, zeros] } }),
      claim('form', 'a sibling too few', { proof: { ...proof, siblings: siblings.slice(1) } }),
      claim('root', 'siblings in the other order', { proof: { ...proof, siblings: siblings.toReversed() } }),
      claim('form', 'a bitmap longer than the depth needs', { proof: { ...proof, bitmap: `${bitmap}00` } }),
      claim('form', 'a bitmap shorter than the depth needs', { proof: { ...proof, bitmap: '0x', siblings: [] } }),
      claim('form', 'a bit beyond the depth', { proof: { ...proof, bitmap: '0xff' } }),
      claim('form', 'an empty sibling that is listed', {
        proof: { ...proof, bitmap: '0x3f', siblings: withEmptySiblings(depth, bitmap, siblings) },
      }),
      claim('form', 'depth 257', { proof: { ...proof, depth: 257, bitmap: `0x${'00'.repeat(32)}`, siblings: [] } }),
      claim('root', 'depth 256 with nothing beside', {
        proof: { ...proof, depth: 256, bitmap: `0x${'00'.repeat(32)}`, siblings: [] },
      }),
      claim('root', 'no levels at all', { proof: { depth: 0, bitmap: '0x', siblings: [], end: proof.end! } }),
      claim('end', 'presence that ends at the row itself as another one', {
        proof: { ...proof, end: otherEnd(row) },
      }),
      claim('end', 'absence that ends at the row itself', { value: null, proof: { ...proof, end: otherEnd(row) } }),
      claim('end', 'absence that ends at a row elsewhere', { value: null, proof: { ...proof, end: otherEnd(other) } }),
      claim('root', 'absence that ends at the other row with another value', {
        ...absentOther,
        value: null,
        proof: { ...absentOther.proof, end: { kind: 'other', value: { ...end, valueHash: zeros } } },
      }),
      claim('end', 'an absent key shown as present', { ...absentOther, value: toHex(row.value) }),
      claim('root', 'an absent key at an empty place shown as present', { ...absentSelf, value: toHex(row.value) }),
    ],
  };
}

/** All siblings of all levels, also those that are empty, which the bitmap leaves out. */
function withEmptySiblings(depth: number, bitmap: string, siblings: readonly Json[]): Json[] {
  const bits = Number(bitmap);
  let next = 0;
  return Array.from({ length: depth }, (_, level) =>
    (bits >> level) & 1 ? siblings[next++]! : `0x${'00'.repeat(32)}`,
  );
}

function otherEnd({ table, key, value }: Row): Json {
  return { kind: 'other', value: { path: toHex(statePath(table, key)), valueHash: toHex(sha256(value)) } };
}

interface Row {
  readonly table: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

function treeOf(rows: readonly Row[]): StateTree {
  const tree = new StateTree();
  tree.apply(rows.map(({ table, key, value }) => ({ path: statePath(table, key), valueHash: sha256(value) })));
  return tree;
}
