export type P2pErrorCode = 'LISTEN' | 'NO_CHANNEL' | 'TIMEOUT' | 'ABORTED' | 'REFUSED' | 'TOO_MANY' | 'CLOSED';

/** Why the network does not start (`LISTEN`), or a request got no answer. `REFUSED`: the peer had an error; its text stays there. */
export class P2pError extends Error {
  readonly code: P2pErrorCode;

  constructor(code: P2pErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
