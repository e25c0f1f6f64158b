import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sha256 } from '../../ledger/hash.ts';
import { SigningGuard } from '../../node/guard.ts';
import { createSigner } from '../../node/signatures.ts';

const vote = { epoch: 0, view: 0, height: 5, digest: sha256(Uint8Array.of(1)) };
const other = { ...vote, digest: sha256(Uint8Array.of(2)) };

function guard(): SigningGuard {
  return new SigningGuard(sha256(Uint8Array.of(0)), {
    epoch: 0,
    signer: createSigner(sha256(Uint8Array.of(7))),
    self: 1,
  });
}

describe('signing guard (S2, N2)', () => {
  it('answers the first signature again for the same content', () => {
    const one = guard();
    assert.deepEqual(one.sign({ kind: 'prepare', vote }), one.sign({ kind: 'prepare', vote: { ...vote } }));
  });

  it('refuses a second content for a slot, for every kind of vote', () => {
    for (const kind of ['prepare', 'commit'] as const) {
      const one = guard();
      one.sign({ kind, vote });
      assert.throws(() => one.sign({ kind, vote: other }), /second content for .* 0 0 5/);
    }
  });

  it('other views, heights and kinds are other slots', () => {
    const one = guard();
    one.sign({ kind: 'prepare', vote });
    one.sign({ kind: 'commit', vote: other });
    one.sign({ kind: 'prepare', vote: { ...other, view: 1 } });
    one.sign({ kind: 'prepare', vote: { ...other, height: 6 } });
  });

  it('signs nothing at or below the stable height, where it remembers no slots', () => {
    const one = guard();
    one.sign({ kind: 'prepare', vote });
    one.forget(5);
    assert.throws(() => one.sign({ kind: 'prepare', vote }), /stable height 5/);
    assert.throws(() => one.sign({ kind: 'prepare', vote: other }), /stable height 5/);
    one.sign({ kind: 'prepare', vote: { ...vote, height: 6 } });
  });

  it('V5: signs no vote below a view that it asked for, and asks for no lower one', () => {
    const one = guard();
    const body = { epoch: 0, view: 3, stable: { kind: 'beginning', value: {} }, prepared: [] } as const;
    one.sign({ kind: 'viewChange', body });
    for (const kind of ['prepare', 'commit'] as const) {
      assert.throws(() => one.sign({ kind, vote: { ...vote, view: 2 } }), /after a VIEW-CHANGE for view 3/);
    }
    assert.throws(() => one.sign({ kind: 'viewChange', body: { ...body, view: 2 } }), /after a VIEW-CHANGE for view 3/);
    one.sign({ kind: 'prepare', vote: { ...vote, view: 3 } });
    one.sign({ kind: 'viewChange', body });
    const second = { ...body, epoch: 0, prepared: [{ vote, prePrepareSignature: new Uint8Array(64), prepares: NONE }] };
    assert.throws(() => one.sign({ kind: 'viewChange', body: second }), /second content for viewChange 0 3/);
  });
});

const NONE = { signers: new Uint8Array(1), signatures: [] };
