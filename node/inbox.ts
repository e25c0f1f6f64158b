import { tryDecode } from '../ledger/codec.ts';
import type { Event } from './pbft/events.ts';
import { epochOfMessage, type Message, messageCodec } from './pbft/messages.ts';
import type { ReplicaState } from './pbft/state.ts';
import { isUseful } from './pbft/useful.ts';
import { type MessageContext, verifyMessage } from './pbft/verify.ts';
import { FRAME_MESSAGE, FRAME_OFFER, FRAME_TRANSACTIONS } from './wire.ts';

export interface InboxContext {
  messages(): MessageContext;
  state(): ReplicaState;
  dispatch(event: Event): void;
  /** Packed transactions that a member forwards (T9). */
  transactions(from: number, packed: Uint8Array): void;
  /** Ids of what a member holds. */
  offer(from: number, ids: Uint8Array): void;
  blame(member: number, reason: string): void;
  /** E7: a member speaks of another epoch than ours. */
  otherEpoch(from: number, epoch: number, message: Message): void;
}

/** S3: the way of a frame from a channel to the core. Cheap checks first, then signatures; bytes of a peer never throw. */
export function takeFrame(from: number, frame: Uint8Array, context: InboxContext): void {
  const body = frame.subarray(1);
  switch (frame[0]) {
    case FRAME_TRANSACTIONS:
      return context.transactions(from, body);
    case FRAME_OFFER:
      return context.offer(from, body);
    case FRAME_MESSAGE:
      return takeMessage(from, body, context);
    default:
      return context.blame(from, `frame of kind ${frame[0]}`);
  }
}

function takeMessage(from: number, bytes: Uint8Array, context: InboxContext): void {
  const { messages, state, dispatch, blame } = context;
  const decoded = tryDecode(messageCodec, bytes);
  if (!decoded.ok) return blame(from, `message: ${decoded.problem}`);
  const message = decoded.value;
  const epoch = epochOfMessage(message);
  if (epoch !== state().config.epoch) return context.otherEpoch(from, epoch, message);
  if (!isUseful(state(), message)) return;
  const judged = verifyMessage(message, messages());
  if (judged.ok) return dispatch({ type: 'message', message: judged.message });
  const { code, detail } = judged.reject;
  blame(from, `${message.kind}: ${detail}`);
  // R25: whoever passes it on is not to blame, but its signer is.
  if (code === 'misconduct' && message.kind === 'newView') dispatch({ type: 'misconduct', message, detail });
}
