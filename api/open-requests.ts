import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Requests whose answer is not out yet, so that nobody works for who has gone, and closing can wait for the rest. */
export class OpenRequests {
  readonly #open = new Map<ServerResponse, AbortController>();
  readonly #streams = new Map<Duplex, ServerResponse>();
  #closing: (() => void) | undefined;
  /** How many were answered `busy` so far. */
  refused = 0;

  /** Without the streams. */
  get size(): number {
    return this.#open.size - this.#streams.size;
  }

  get closing(): boolean {
    return this.#closing !== undefined;
  }

  add(response: ServerResponse): void {
    const controller = new AbortController();
    const { socket } = response.req;
    this.#open.set(response, controller);
    response.once('close', () => {
      this.#open.delete(response);
      if (this.#streams.get(socket) === response) this.#streams.delete(socket);
      if (!response.writableFinished) controller.abort();
      if (this.#open.size === 0) this.#closing?.();
    });
  }

  /**
   * From now on this answer is a stream, the last one on its connection: what is sent behind it would wait without end. False
   * if its client is gone, or has sent something behind it already.
   */
  beginStream(response: ServerResponse): boolean {
    const { socket } = response.req;
    if (!this.#open.has(response) || this.of(socket).length > 1) return false;
    this.#streams.set(socket, response);
    return true;
  }

  isStreaming(socket: Duplex): boolean {
    return this.#streams.has(socket);
  }

  /** Aborted when the client goes away before its answer is out, or when the server closes. */
  signal(response: ServerResponse): AbortSignal {
    return this.#open.get(response)?.signal ?? AbortSignal.abort();
  }

  /** Those of one connection, oldest first. */
  of(socket: Duplex): ServerResponse[] {
    return [...this.#open.keys()].filter((response) => response.req.socket === socket);
  }

  /** Wakes everybody who waits; resolves when the last answer is out, or after `graceMs`. */
  close(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#closing = () => {
        clearTimeout(timer);
        resolve();
      };
      for (const controller of this.#open.values()) controller.abort();
      if (this.#open.size === 0) this.#closing();
    });
  }
}
