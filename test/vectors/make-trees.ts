import { stateProofCodec } from '../../ledger/bundle.ts';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { leafHash, sha256 } from '../../ledger/hash.ts';
import { appendHistory, emptyHistory, historyRoot } from '../../ledger/history.ts';
import { listProof, listRoot } from '../../ledger/list-tree.ts';
import { encodeStateProof, stateLeaf, statePath } from '../../ledger/state-proof.ts';
import { StateTree } from '../../ledger/state-tree.ts';

const COUNTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17];

const contentsOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => utf8Encode(`item ${index}`));

export function listTreeVectors(): Json {
  const five = contentsOf(5);
  const proof = (index: number): string[] => listProof(five, index).map(toHex);
  const root = toHex(listRoot(five));
  const claim = (name: string, change: { [key: string]: Json }): Json => ({
    name,
    root,
    count: 5,
    index: 2,
    content: toHex(five[2]!),
    siblings: proof(2),
    ...change,
  });
  return {
    about: 'The content of item i is the UTF-8 of "item i". A bad proof must not lead to its root; its name says why.',
    leaf: { content: toHex(five[0]!), hash: toHex(leafHash(five[0]!)) },
    roots: COUNTS.map((count) => ({ count, root: toHex(listRoot(contentsOf(count))) })),
    good: [1, 2, 5, 8, 13].flatMap((count) =>
      Array.from({ length: count }, (_, index) => ({
        root: toHex(listRoot(contentsOf(count))),
        count,
        index,
        content: toHex(contentsOf(count)[index]!),
        siblings: listProof(contentsOf(count), index).map(toHex),
      })),
    ),
    bad: [
      claim('another content', { content: toHex(five[3]!) }),
      claim('another index', { index: 3 }),
      claim('an index out of range', { index: 5 }),
      claim('a smaller count with as many siblings', { count: 4 }),
      claim('a larger count with as many siblings', { count: 6 }),
      claim('no items', { count: 0, index: 0, siblings: [] }),
      claim('a sibling too few', { siblings: proof(2).slice(0, -1) }),
      claim('a sibling too many', { siblings: [...proof(2), `0x${'00'.repeat(32)}`] }),
      claim('siblings in the other order', { siblings: proof(2).toReversed() }),
      claim('the last item of an odd level paired with itself', {
        index: 4,
        content: toHex(five[4]!),
        siblings: [toHex(leafHash(five[4]!)), ...proof(4)],
      }),
    ],
  };
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
  const claim = (name: string, change: { [key: string]: Json }): Json => ({
    name,
    table: row.table,
    key: toHex(row.key),
    value: toHex(row.value),
    proof: prove(row.table, row.key),
    ...change,
  });
  const proof = prove(row.table, row.key) as { readonly [key: string]: Json };
  const siblings = proof.siblings as readonly Json[];
  return {
    about:
      'State trees over the first rows. `value` null: absent. A bad proof must not lead to `root`; its name says why.',
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
      claim('another value', { value: toHex(other.value) }),
      claim('another key', { key: toHex(other.key) }),
      claim('another table', { table: 'assets.definitions' }),
      claim('said to be absent', { value: null }),
      claim('one level more than there is', { proof: { ...proof, depth: (proof.depth as number) + 1 } }),
      claim('one level less than there is', { proof: { ...proof, depth: (proof.depth as number) - 1 } }),
      claim('a sibling too many', { proof: { ...proof, siblings: [...siblings, `0x${'00'.repeat(32)}`] } }),
      claim('a sibling too few', { proof: { ...proof, siblings: siblings.slice(1) } }),
      claim('a bitmap longer than the depth needs', { proof: { ...proof, bitmap: `${proof.bitmap as string}00` } }),
      claim('a bit beyond the depth', {
        proof: { ...proof, bitmap: `0x${'ff'.repeat(((proof.bitmap as string).length - 2) / 2)}` },
      }),
      claim('an absent key shown as present', {
        key: toHex(absent[2]!.key),
        value: toHex(row.value),
        proof: prove(absent[2]!.table, absent[2]!.key),
      }),
    ],
  };
}

function treeOf(rows: readonly { table: string; key: Uint8Array; value: Uint8Array }[]): StateTree {
  const tree = new StateTree();
  tree.apply(rows.map(({ table, key, value }) => ({ path: statePath(table, key), valueHash: sha256(value) })));
  return tree;
}
