/** One event of a stream of server-sent events (the HTML standard, section 9.2). */
export interface SseEvent {
  /** `message` where the server gave none. */
  readonly name: string;
  readonly data: string;
  /** Undefined where it has none of its own. */
  readonly id: string | undefined;
}

/** Reads server-sent events from pieces of text, wherever they are cut. Throws when one is longer than `charsMax`. */
export class SseParser {
  readonly #charsMax: number;
  /** Of a line whose end has not come yet. */
  #rest: string[] = [];
  /** Of the event that has not ended. */
  #chars = 0;
  #name = '';
  #data: string[] = [];
  #id: string | undefined;
  #isFirst = true;
  #afterCr = false;

  constructor(charsMax: number) {
    this.#charsMax = charsMax;
  }

  /** The events that end in this piece. */
  push(piece: string): SseEvent[] {
    if (piece === '') return [];
    let text = this.#isFirst ? piece.replace(/^\uFEFF/, '') : piece;
    this.#isFirst = false;
    // A CR ends a line at once; an LF behind it belongs to it.
    if (this.#afterCr && text.startsWith('\n')) text = text.slice(1);
    this.#afterCr = piece.endsWith('\r');
    const events: SseEvent[] = [];
    const lines = text.split(/\r\n|\n|\r/);
    for (const [i, line] of lines.entries()) {
      this.#rest.push(line);
      this.#chars += line.length;
      if (this.#chars > this.#charsMax) throw new Error(`an event of more than ${this.#charsMax} characters`);
      if (i === lines.length - 1) break;
      const whole = this.#rest.join('');
      this.#rest = [];
      if (whole !== '') this.#field(whole);
      else this.#dispatch(events);
    }
    return events;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    // A comment.
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'event') this.#name = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }

  #dispatch(events: SseEvent[]): void {
    if (this.#data.length > 0) {
      events.push({ name: this.#name || 'message', data: this.#data.join('\n'), id: this.#id });
    }
    this.#chars = 0;
    this.#name = '';
    this.#data = [];
    this.#id = undefined;
  }
}
