import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { utf8Encode } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import { idKey } from '../../node/id-key.ts';
import { NO_ROW_LIMITS } from '../../node/limits.ts';
import { packEntries, SENDS, Senders, unpackEntries } from '../../node/senders.ts';
import { packed } from '../support/senders.ts';

const key = (name: string): Uint8Array => sha256(utf8Encode(name));
const account = (name: string, ...roles: string[]) => ({ key: key(name), sends: SENDS.account, roles });

const FEW = { pending: 10, perSecond: 1, burst: 5 };
const MANY = { pending: 4, perSecond: 100, burst: 200 };
const limited = ({ pending, perSecond, burst }: typeof FEW) => ({ pending, rate: { perSecond, burst } });

describe('senders', () => {
  it('come through a thread as they were packed', () => {
    const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const role = fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme-ascii' });
    const entry = fc.record({
      key: bytes32,
      sends: fc.integer({ min: 0, max: 3 }),
      other: fc.option(bytes32, { nil: undefined }),
      roles: fc.array(fc.oneof(role, fc.constant('ñandú')), { maxLength: 16 }),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), (drawn) => {
        const entries = drawn.map(({ key, sends, other, roles }) => ({ key, sends, account: other ?? key, roles }));
        assert.deepEqual([...unpackEntries(packEntries(entries))], entries);
      }),
    );
  });

  it('T9: have the limits of their roles, as accounts; administrators and whoever no row is about have the others', () => {
    const senders = new Senders(
      packed(
        [
          account('ann', 'few'),
          account('ben', 'few', 'many'),
          account('cleo', 'none'),
          { ...account('both', 'few'), sends: SENDS.account | SENDS.administrator },
          { key: key('admin'), sends: SENDS.administrator },
        ],
        { few: FEW, many: MANY },
      ),
    );
    const of = (name: string) => senders.of(key(name))?.limits;
    assert.deepEqual(of('ann'), limited(FEW));
    assert.deepEqual(of('ben'), limited({ pending: 10, perSecond: 100, burst: 200 }));
    assert.deepEqual(of('both'), limited(FEW));
    assert.deepEqual([of('cleo'), of('admin'), of('nobody')], [NO_ROW_LIMITS, NO_ROW_LIMITS, undefined]);
    senders.apply(packed([], { '*': MANY }));
    assert.deepEqual([of('ann'), of('cleo'), of('admin')], [limited(FEW), limited(MANY), NO_ROW_LIMITS]);
  });

  it('T9: follow what a block changes: rows, roles, keys and who may send at all; and another state as a whole', () => {
    const senders = new Senders(packed([account('ann', 'few'), account('ben', 'few')], { few: FEW }));
    const of = (name: string) => senders.of(key(name));
    senders.apply(packed([], { few: MANY }));
    assert.deepEqual(of('ann')?.limits, limited(MANY));
    senders.apply(packed([account('ann', 'other')], { other: FEW, few: undefined }));
    assert.deepEqual([of('ann')?.limits, of('ben')?.limits], [limited(FEW), NO_ROW_LIMITS]);
    // Rotated: another key, the same account; and once more.
    const [ann, next, last] = [key('ann'), key('ann 2'), key('ann 3')];
    senders.apply(
      packed([
        { key: ann, sends: 0 },
        { ...account('ann 2', 'other'), account: ann },
      ]),
    );
    assert.deepEqual([senders.of(ann), senders.of(next)?.account], [undefined, idKey(ann)]);
    senders.apply(
      packed([
        { key: next, sends: 0, account: ann },
        { ...account('ann 3', 'other'), account: ann },
      ]),
    );
    assert.deepEqual([senders.of(next), senders.of(last)?.account], [undefined, idKey(ann)]);
    assert.deepEqual(senders.of(last)?.limits, limited(FEW));
    senders.replace(packed([account('zoe', 'few')], { few: FEW }));
    assert.deepEqual([of('ann 3'), of('ben')], [undefined, undefined]);
    assert.deepEqual(of('zoe'), { account: idKey(key('zoe')), limits: limited(FEW) });
    senders.replace(packed([account('zoe', 'few')]));
    assert.deepEqual(of('zoe')?.limits, NO_ROW_LIMITS, 'rows of before count no more');
  });
});
