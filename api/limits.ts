/** Limits of the REST side. Sizes in bytes, times in ms. */
export const BODY_BYTES_MAX = 4 * 1024 * 1024;
export const SINGLE_BODY_BYTES_MAX = 256 * 1024;
export const BATCH_MAX = 500;
export const HEADERS_MAX = 100;
export const HEADER_BYTES_MAX = 16 * 1024;
export const HEADERS_TIMEOUT_MS = 10_000;
export const REQUEST_TIMEOUT_MS = 30_000;
export const KEEP_ALIVE_MS = 65_000;
export const CONNECTIONS_MAX = 2_000;
export const WAIT_DEFAULT_MS = 30_000;
export const WAIT_MAX_MS = 60_000;
/** Requests that wait for a transaction at a time. */
export const WAITING_MAX = 5_000;
export const PAGE_DEFAULT = 20;
export const PAGE_MAX = 200;
export const JSON_DEPTH_MAX = 32;
