import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeInfo, SubmitOutcome, TransactionStatus } from '../../api/ports.ts';
import { headerCodec } from '../../ledger/block.ts';
import { encode } from '../../ledger/codec.ts';
import type { Reply } from '../../ledger/reply.ts';
import { createNodePort } from '../../node/node-port.ts';
import { HALTED } from '../../node/pbft/halt.ts';
import type { ReplicaState } from '../../node/pbft/state.ts';
import type { LedgerPort } from '../../node/ports.ts';
import { isExpired, signedReply } from '../../node/replies.ts';
import type { Validator } from '../../node/validator.ts';
import type { Network } from '../../p2p/index.ts';
import { smallChain } from '../support/chain.ts';

const chain = smallChain();
const { header, transactions, receipts } = chain.blocks[1]!;
const { id, bytes } = transactions[1]!;
const final: TransactionStatus = {
  id,
  status: 'final',
  block: { height: 1, index: 1 },
  receipt: receipts[1]!,
  transaction: bytes,
};
const expired: TransactionStatus = { id, status: 'expired', transaction: bytes };

describe('what a validator signs about a transaction (C4, C5)', () => {
  /** A validator of which only its state counts. */
  function validatorOf(state: Partial<ReplicaState>): Validator {
    const config = { epoch: 0 } as ReplicaState['config'];
    return { state: { config, ...state }, signReply: (reply: Reply) => chain.signReply(0, reply) } as Validator;
  }

  const ledgerOf = (answer: unknown, asked: () => void = () => {}): LedgerPort =>
    ({
      async query() {
        asked();
        return answer;
      },
    }) as unknown as LedgerPort;
  const headers = [{ header: encode(headerCodec, header), hash: new Uint8Array(32) }];

  it('while it votes, starts, is behind or in doubt', async () => {
    for (const mode of ['active', 'starting', 'behind', 'doubt'] as const) {
      const validator = validatorOf({ mode, reason: 'member 2 shows a lacking PREPARE' });
      const signed = await signedReply(validator, ledgerOf(headers), final);
      assert.deepEqual([signed?.reply.status, signed?.reply.height], ['final', 1], mode);
      assert.equal((await signedReply(validator, ledgerOf(headers), expired))?.reply.status, 'expired', mode);
    }
  });

  it('C3: nothing once it has halted: before a restart, and while the ledger is asked', async () => {
    const halted = validatorOf({ mode: 'halted', reason: 'own checkpoint differs' });
    const restarted = validatorOf({ mode: 'doubt', reason: `${HALTED}own checkpoint differs` });
    for (const validator of [halted, restarted]) {
      for (const status of [final, expired]) {
        assert.equal(await signedReply(validator, ledgerOf(headers), status), undefined);
      }
    }
    const halting = validatorOf({ mode: 'active', reason: '' });
    const halt = (): void => {
      halting.state.mode = 'halted';
    };
    assert.equal(await signedReply(halting, ledgerOf(headers, halt), final), undefined);
  });

  it('C4: expired only by certified time that is executed here, and if the ledger has seen all that could hold it', async () => {
    const at = (low: number, executed: number, timestamp: number) =>
      ({ low, executed: { height: executed }, stable: { checkpoint: { timestamp } } }) as unknown as ReplicaState;
    const none = { low: 0, executed: { height: 3 }, stable: undefined } as unknown as ReplicaState;
    for (const [state, answer, says] of [
      [at(5, 5, 1_001), false, true],
      [at(5, 7, 1_001), false, true],
      [at(5, 5, 1_000), false, false],
      [at(5, 4, 1_001), false, false],
      [at(5, 5, 1_001), true, false],
      [at(5, 5, 1_001), undefined, false],
      [none, false, false],
    ] as const) {
      assert.equal(await isExpired(() => state, ledgerOf(answer), id, 1_000), says);
    }
  });

  it('C4, Q10: a clock past its time is a reason not to take a transaction, and not to say that it never executes', async () => {
    const { genesis } = chain;
    const refused: SubmitOutcome = { kind: 'refused', id, code: 'expired', detail: 'by the clock' };
    const { body } = transactions[1]!;
    for (const [certified, executed, code] of [
      [body.validUntil - 60_000, false, 'too-late'],
      [body.validUntil, false, 'too-late'],
      [body.validUntil + 1, undefined, 'too-late'],
      [body.validUntil + 1, false, 'expired'],
    ] as const) {
      const state = { low: 5, executed: { height: 5 }, stable: { checkpoint: { timestamp: certified } } };
      const validator = { state, observe() {}, intake: { fromClient: async () => [refused] } } as unknown as Validator;
      const port = createNodePort({ genesisId: genesis.id } as NodeInfo, validator, ledgerOf(executed), {} as Network);
      assert.deepEqual(await port.submit([bytes]), [{ ...refused, code }], `${certified} ${executed}`);
      port.close();
    }
  });
});
