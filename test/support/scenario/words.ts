import assert from 'node:assert/strict';
import type { Sent } from '../cluster.ts';

/** The words of one command, taken from left to right. */
export class Words {
  readonly #words: string[];

  constructor(text: string) {
    // A batch name may hold spaces: {a b}
    this.#words = text.match(/\{[^}]*\}'*|[^\s{}]+/g) ?? [];
  }

  get peek(): string | undefined {
    return this.#words[0];
  }

  next(what: string): string {
    const word = this.#words.shift();
    assert(word !== undefined, `expected ${what}`);
    return word;
  }

  /** Takes the next word if it is this one. */
  take(word: string): boolean {
    if (this.#words[0]?.toLowerCase() !== word) return false;
    this.#words.shift();
    return true;
  }

  number(what: string): number {
    const word = this.next(what);
    assert.match(word, /^\d+$/, `expected ${what}, not ${word}`);
    return Number(word);
  }

  /** `v0`. */
  member(): number {
    const word = this.next('a member');
    assert.match(word, /^v\d+$/, `expected a member, not ${word}`);
    return Number(word.slice(1));
  }

  /** `v0 v2`, at least one. */
  members(): number[] {
    const members = [this.member()];
    while (this.peek !== undefined && /^v\d+$/.test(this.peek)) members.push(this.member());
    return members;
  }

  /** `0/1`: view and height. */
  place(): { view: number; height: number } {
    const [view, height] = this.next('a view and height').split('/').map(Number);
    assert(view !== undefined && height !== undefined, 'expected view/height');
    return { view, height };
  }

  /** `500ms`, `10s`, `5m`, `1h`. */
  duration(word = this.next('a duration')): number {
    const match = /^(\d+)(ms|s|m|h)$/.exec(word);
    assert(match !== null, `expected a duration, not ${word}`);
    return Number(match[1]) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] as 'ms' | 's' | 'm' | 'h'];
  }

  rest(): string[] {
    return this.#words.splice(0);
  }

  end(): void {
    assert.equal(this.#words.length, 0, `what does ${this.#words.join(' ')} mean?`);
  }
}

const KINDS = [
  'prePrepare',
  'prepare',
  'commit',
  'checkpoint',
  'viewChange',
  'newView',
  'status',
  'certificate',
  'commitCertificate',
  'evidence',
] as const;

/** `PREPARE COMMIT view 0 at 1 from v0 to v1 v2`: which messages a command is about; everything may be left out. */
export interface Selector {
  readonly count: number;
  /** Nothing is left out, STATUS included. */
  readonly isAll: boolean;
  matches(sent: Sent): boolean;
}

export function selectorOf(words: Words): Selector {
  const isAll = words.peek === undefined;
  const kinds: string[] = [];
  let count = Number.POSITIVE_INFINITY;
  let view: number | undefined;
  let height: number | undefined;
  let from: number[] | undefined;
  let to: number[] | undefined;
  while (words.peek !== undefined) {
    if (words.take('view')) view = words.number('a view');
    else if (words.take('at')) height = words.number('a height');
    else if (words.take('from')) from = words.members();
    else if (words.take('to')) to = words.members();
    else if (/^\d+$/.test(words.peek)) count = words.number('a count');
    else kinds.push(kindOf(words.next('a kind of message')));
  }
  return {
    count,
    isAll,
    matches: (sent) =>
      (kinds.length === 0 || kinds.includes(sent.message.kind)) &&
      (view === undefined || placeOf(sent).view === view) &&
      (height === undefined || placeOf(sent).height === height) &&
      (from === undefined || from.includes(sent.from)) &&
      (to === undefined || to.includes(sent.to)),
  };
}

/** PRE-PREPARE, pre-prepare and prePrepare are the same. */
export function kindOf(word: string): (typeof KINDS)[number] {
  const plain = word.replaceAll('-', '').toLowerCase();
  const kind = KINDS.find((one) => one.toLowerCase() === plain);
  assert(kind !== undefined, `${word} is no kind of message`);
  return kind;
}

function placeOf({ message }: Sent): { view?: number; height?: number } {
  switch (message.kind) {
    case 'prePrepare':
    case 'prepare':
    case 'commit':
    case 'commitCertificate':
      return message.value.vote;
    case 'checkpoint':
    case 'certificate':
      return { height: message.value.checkpoint.height };
    case 'viewChange':
    case 'newView':
      return { view: message.value.body.view };
    default:
      return {};
  }
}
