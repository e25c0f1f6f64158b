import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '../../ledger/codec.ts';
import { MESSAGE_BYTES_MAX, VALIDATORS_MAX, WINDOW_MAX } from '../../ledger/limits.ts';
import { newViewBytesMax } from '../../ledger/parameters.ts';
import { multiSignature, quorum } from '../../ledger/validators.ts';
import { type NewView, newViewCodec } from '../../node/pbft/messages.ts';
import { FRAME_BYTES_MAX } from '../../p2p/limits.ts';

const HASH = new Uint8Array(32);
const SIGNATURE = new Uint8Array(64);

function greatestNewView(n: number, window: number): NewView {
  const q = quorum(n);
  const signed = (count: number) => multiSignature(n, new Map(Array.from({ length: count }, (_, i) => [i, SIGNATURE])));
  const vote = { epoch: 0, view: 1, height: 1, digest: HASH };
  const prepared = { vote, prePrepareSignature: SIGNATURE, prepares: signed(q - 1) };
  const roots = { blockHash: HASH, stateRoot: HASH, historyRoot: HASH, timestamp: 0, nextEpoch: 0 };
  const checkpoint = { epoch: 0, validatorsHash: HASH, height: 1, ...roots, nextValidatorsHash: HASH };
  const certificate = { scheme: 'ed25519-list', checkpoint, proof: signed(q) } as const;
  const stable = { kind: 'certificate', value: certificate } as const;
  const body = { epoch: 0, view: 1, stable, prepared: Array.from({ length: window }, () => prepared) };
  const viewChanges = Array.from({ length: q }, (_, sender) => ({ body, sender, signature: SIGNATURE }));
  const prePrepares = Array.from({ length: window }, () => ({ vote, signature: SIGNATURE }));
  return { body: { epoch: 0, view: 1, viewChanges, prePrepares }, signature: SIGNATURE };
}

test('V6: the greatest NEW-VIEW is as large as genesis reckons, and what genesis allows fits a frame', () => {
  assert(MESSAGE_BYTES_MAX < FRAME_BYTES_MAX);
  for (const n of [1, 4, 7, 10, 31, 100, VALIDATORS_MAX]) {
    for (const window of [1, 8, WINDOW_MAX]) {
      const { length } = encode(newViewCodec, greatestNewView(n, window));
      const most = newViewBytesMax(n, window);
      assert(
        length <= most && most < 1.5 * length + 1_024,
        `n ${n}, window ${window}: ${length} bytes, reckoned ${most}`,
      );
    }
  }
  // The default window at the greatest size of a set.
  assert(newViewBytesMax(VALIDATORS_MAX, 8) <= MESSAGE_BYTES_MAX);
  assert(newViewBytesMax(VALIDATORS_MAX, WINDOW_MAX) > MESSAGE_BYTES_MAX);
});
