import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { equalBytes } from '../../ledger/bytes.ts';
import { encode, tryDecode } from '../../ledger/codec.ts';
import { type Message, messageCodec } from '../../node/pbft/messages.ts';
import { verifyMessage } from '../../node/pbft/verify.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { Cluster } from '../support/cluster.ts';

const { verify } = chooseSignatures();

describe('bytes from a peer (S3)', () => {
  const cluster = new Cluster(4, { heartbeatMs: 1_000 });
  const messages = new Map<string, Message>();
  cluster.passes = ({ message }) => {
    messages.set(message.kind, message);
    return true;
  };
  cluster.order('a');
  cluster.deliver();
  const context = {
    genesisId: cluster.genesisId,
    epoch: 0,
    validators: cluster.validators,
    verify,
    beginning: 0,
    window: 8,
  };

  it('every kind of message that a validator sends is accepted as it is', () => {
    assert.deepEqual([...messages.keys()].sort(), ['checkpoint', 'commit', 'prePrepare', 'prepare', 'status']);
    for (const message of messages.values()) assert(verifyMessage(message, context).ok, message.kind);
  });

  it('no changed byte is accepted as a verified message of the same sender, and none makes it throw', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...messages.values()),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (message, at, bits) => {
          const bytes = encode(messageCodec, message);
          bytes[at % bytes.length]! ^= bits;
          const decoded = tryDecode(messageCodec, bytes);
          if (!decoded.ok) return;
          assert(!verifyMessage(decoded.value, context).ok, `${message.kind} with byte ${at % bytes.length} changed`);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('any bytes are decoded or refused with a problem, and what is decoded is canonical', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const decoded = tryDecode(messageCodec, bytes);
        if (!decoded.ok) return;
        assert(equalBytes(encode(messageCodec, decoded.value), bytes));
        assert(!verifyMessage(decoded.value, context).ok);
      }),
      { numRuns: 2_000 },
    );
  });

  it('R07: a message of another chain or epoch is refused', () => {
    for (const message of messages.values()) {
      assert(!verifyMessage(message, { ...context, genesisId: new Uint8Array(32) }).ok, message.kind);
      assert(!verifyMessage(message, { ...context, epoch: 1 }).ok, message.kind);
    }
  });
});
