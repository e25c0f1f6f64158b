import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import {
  assets,
  type Call,
  calls,
  callsOf,
  type Hex,
  members,
  webCryptoSigner,
} from '../../light/ledger-client/index.ts';
import { ACCOUNTS } from '../support/chain.ts';
import { ClientNetwork, isClientError } from '../support/client-network.ts';

const [ann, ben] = ACCOUNTS;
const invalid = isClientError('invalid-args', { retry: 'never' });

describe('calls, typed from the definitions of the modules', () => {
  it('bytes are the same as 0x text, and are copied', () => {
    const to = ben.key.slice();
    const call = calls.assets.transfer({ asset: 'gold', to, amount: 5n });
    assert.deepEqual(call, calls.assets.transfer({ asset: 'gold', to: toHex(to) as Hex, amount: 5n }));
    to.fill(0);
    const args = decode(assets.actions.transfer.args, call.args);
    assert.deepEqual(args, { asset: 'gold', to: ben.key, amount: 5n });
    assert.deepEqual([call.module, call.action], ['assets', 'transfer']);
  });

  it('also where bytes stand inside of lists and unions', () => {
    const of = callsOf([members]);
    const make = (administrators: readonly (Uint8Array | Hex)[]): Call =>
      of.members.approve({
        organisation: 'acme',
        nonce: '0x0000000000000001',
        expires: 1,
        change: { kind: 'administrators', value: { administrators, threshold: 1 } },
      });
    assert.deepEqual(make([ann.key, ben.key]), make([toHex(ann.key) as Hex, toHex(ben.key) as Hex]));
    assert.notDeepEqual(make([ann.key]), make([ben.key]));
  });

  it('what is not of the type is refused by the compiler, and before anything is sent', () => {
    const to = ben.key;
    // @ts-expect-error: amounts are bigint.
    assert.throws(() => calls.assets.transfer({ asset: 'gold', to, amount: 5 }), invalid);
    // @ts-expect-error: a field is missing.
    assert.throws(() => calls.assets.transfer({ asset: 'gold', to }), invalid);
    // @ts-expect-error: a field too many.
    assert.throws(() => calls.assets.transfer({ asset: 'gold', to, amount: 5n, memo: '' }), invalid);
    // @ts-expect-error: bytes as text begin with 0x.
    assert.throws(() => calls.assets.transfer({ asset: 'gold', to: 'bob', amount: 5n }), invalid);
    assert.throws(() => calls.assets.transfer({ asset: 'gold', to: '0x12', amount: 5n }), invalid);
    assert.throws(() => calls.assets.transfer({ asset: 'a b', to, amount: 5n }), invalid);
    assert.throws(() => calls.assets.transfer({ asset: 'gold', to, amount: -1n }), invalid);
    assert.throws(() => calls.assets.transfer({ asset: 'gold', to, amount: 1n << 128n }), invalid);
    // @ts-expect-error: no such action.
    assert.throws(() => calls.assets.steal({}), TypeError);
    // @ts-expect-error: no arguments at all.
    assert.throws(() => calls.assets.transfer(), invalid);
  });

  it('a key of WebCrypto signs, also one that can not be exported', async () => {
    const network = new ClientNetwork();
    const keys = (await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])) as CryptoKeyPair;
    const signer = await webCryptoSigner(keys);
    const ledger = await network.connect({ signer });
    const bytes = await ledger.assets.transfer({ asset: 'gold', to: ben.key, amount: 1n }).bytes();
    assert.deepEqual(bytes.subarray(0, 32), signer.publicKey);
  });
});
