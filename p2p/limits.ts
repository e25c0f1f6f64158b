import { CHANGED_MEMBERS_MAX, GUESTS_MAX as LEDGER_GUESTS_MAX } from '../ledger/limits.ts';

/** Every size, count and rate of the network between nodes. Sizes in bytes, times in ms. */

/** Payload of one frame; a longer one ends the channel before anything is allocated for it. */
export const FRAME_BYTES_MAX = 8 * 1024 * 1024;
/** The first frame on a channel, of whatever version. */
export const HELLO_BYTES_MAX = 1024;
/** One write to a stream; a receiver's stream buffer holds 4 MiB. */
export const WRITE_BYTES_MAX = 256 * 1024;
/** What may wait for one peer. */
export const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
/** Requests to one peer that wait for an answer. */
export const REQUESTS_OUT_MAX = 64;
/** Requests of one peer that are worked on at a time. */
export const REQUESTS_IN_MAX = 16;
/** A channel without a frame for this long is dead; STATUS comes every half second, ... */
export const SILENCE_MS = 15_000;
/** ... and between a guest and a member, who sends none to it, the own record comes again. */
export const SIGN_OF_LIFE_MS = 5_000;
export const HANDSHAKE_MS = 5_000;

export const ADDRESSES_MAX = 16;
export const ADDRESS_BYTES_MAX = 256;
/** As many as a set of validators has at most. */
export const MEMBERS_MAX = 128;
/** Guests by the ledger, and members that the newest change has removed (E6). */
export const GUESTS_MAX = LEDGER_GUESTS_MAX + CHANGED_MEMBERS_MAX;
/** Of one peer at a time; the oldest give way, so that nobody takes the place of others. */
export const CONNECTIONS_PER_MEMBER_MAX = 4;
export const CONNECTIONS_PER_GUEST_MAX = 2;
export const CONNECTIONS_MAX = CONNECTIONS_PER_MEMBER_MAX * MEMBERS_MAX + CONNECTIONS_PER_GUEST_MAX * GUESTS_MAX + 16;
/** Connections per second from one address; libp2p's own limit of 5 breaks networks on one machine. */
export const CONNECTIONS_PER_SECOND = 100;
/** Connections that are not authenticated yet. */
export const PENDING_CONNECTIONS_MAX = 64;
export const STREAMS_PER_PROTOCOL_MAX = 4;
/** Streams that one peer has open on one connection, of all protocols. */
export const STREAMS_IN_MAX = 64;
/**
 * What one member may have gossipsub work on, in units of about 10 us: a message is one, whatever is in it, and so is each 16
 * bytes; a signature is more. By estimate an honest one needs 4,000 a second when 128 members all look for each other.
 */
export const GOSSIP_UNITS_PER_SECOND = 10_000;
export const GOSSIP_UNITS_BURST = 100_000;
export const GOSSIP_UNIT_BYTES = 16;
export const GOSSIP_SIGNATURE_UNITS = 10;
/** One message of gossipsub, and what may wait for one peer there. */
export const GOSSIP_RPC_BYTES_MAX = 256 * 1024;
export const GOSSIP_QUEUE_BYTES_MAX = 4 * 1024 * 1024;
/** Strangers that the log names in a minute. */
export const REFUSALS_LOGGED_MAX = 32;
export const REFUSALS_LOG_MS = 60_000;

/** A question of a guest; the largest that there is takes half of it. */
export const GUEST_REQUEST_BYTES_MAX = 256 * 1024;
/** Questions of one guest that are worked on at a time, and that are taken a second and at once. */
export const GUEST_REQUESTS_IN_MAX = 4;
export const GUEST_REQUESTS_PER_SECOND = 8;
export const GUEST_REQUESTS_BURST = 64;
/** Answers to one guest. Who has more than the burst in advance is refused until it is paid off. */
export const GUEST_ANSWER_BYTES_PER_SECOND = 4 * 1024 * 1024;
export const GUEST_ANSWER_BYTES_BURST = 16 * 1024 * 1024;
/** What may wait for one guest: an answer of each question that is worked on, of 4 MiB each. */
export const GUEST_QUEUE_BYTES_MAX = 17 * 1024 * 1024;
/** What one guest may send over all its connections, whatever the protocol; answers that we wait for are extra. */
export const GUEST_BYTES_PER_SECOND = 32 * 1024;
export const GUEST_BYTES_BURST = 4 * 1024 * 1024;
/** What costs more than its bytes is charged as if it had so many: a frame, a stream, a signature, a handshake. */
export const GUEST_FRAME_PRICE = 1024;
export const GUEST_STREAM_PRICE = 16 * 1024;
export const GUEST_SIGNATURE_PRICE = 16 * 1024;
export const GUEST_CONNECTION_PRICE = 64 * 1024;
/** A guest that sends more is refused for so long, each time for twice as long. */
export const GUEST_PAUSE_FIRST_MS = 10_000;
export const GUEST_PAUSE_MAX_MS = 600_000;

/** A member with the greater peer key leaves dialing to the other for this long, so that one connection results. */
export const DIAL_POLITENESS_MS = 1_000;
/** After a lost channel only this long: a leader that is gone should be noticed soon (V1). */
export const REDIAL_POLITENESS_MS = 100;
export const DIAL_RETRY_FIRST_MS = 50;
export const DIAL_RETRY_MAX_MS = 2_000;
export const DIAL_TIMEOUT_MS = 5_000;
/** Our own record is published after somebody joined the topic, one for several who join together; ... */
export const ANNOUNCE_AT_ONCE_MS = 20;
/** ... and again, soon while somebody is missing, rarely else. */
export const ANNOUNCE_SOON_MS = 1_000;
export const ANNOUNCE_MS = 30_000;
