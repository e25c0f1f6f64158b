/** Every size, count and rate of the network between validators. Sizes in bytes, times in ms. */

/** Payload of one frame; a longer one ends the channel before anything is allocated for it. */
export const FRAME_BYTES_MAX = 8 * 1024 * 1024;
/** One write to a stream; a receiver's stream buffer holds 4 MiB. */
export const WRITE_BYTES_MAX = 256 * 1024;
/** What may wait for one peer. */
export const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
/** Requests to one peer that wait for an answer. */
export const REQUESTS_OUT_MAX = 64;
/** Requests of one peer that are worked on at a time. */
export const REQUESTS_IN_MAX = 16;
/** A channel without a frame for this long is dead; STATUS comes every half second. */
export const SILENCE_MS = 15_000;
export const HANDSHAKE_MS = 5_000;

export const ADDRESSES_MAX = 16;
export const ADDRESS_BYTES_MAX = 256;
/** Connections per second from one address; libp2p's own limit of 5 breaks networks on one machine. */
export const CONNECTIONS_PER_SECOND = 100;
/** Connections that are not authenticated yet. */
export const PENDING_CONNECTIONS_MAX = 64;
export const STREAMS_PER_PROTOCOL_MAX = 4;

/** A member with the greater index leaves dialing to the other for this long, so that one connection results. */
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
