import { toHex } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import { SIGN_KINDS } from '../../ledger/sign-bytes.ts';
import { voteCodec } from '../../node/pbft/messages.ts';
import type { ScriptWorld } from './run.ts';

/** Where the kind stands in sign bytes. */
export const KIND_AT = 'quorate/1'.length;

/** I8 for a machine whose disk makes it count as faulty: slots that it has signed two contents for. */
export function signedTwice({ checker }: ScriptWorld, machine: number, twice: string[]): void {
  const signed = checker.signed.bind(checker);
  const first = new Map<string, string>();
  checker.signed = (node, bytes) => {
    const kind = bytes[KIND_AT]!;
    const body = bytes.subarray(KIND_AT + 1 + 32);
    const isVote = kind === SIGN_KINDS.prePrepare || kind === SIGN_KINDS.prepare || kind === SIGN_KINDS.commit;
    if (node.machine === machine && isVote) {
      const { epoch, view, height, digest } = decode(voteCodec, body);
      const [slot, content] = [`${kind} ${epoch} ${view} ${height}`, toHex(digest)];
      if (first.has(slot) && first.get(slot) !== content) twice.push(slot);
      first.set(slot, content);
    }
    signed(node, bytes);
  };
}
