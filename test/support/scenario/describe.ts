import type { Batch } from '../../../ledger/block.ts';
import { leaderIndex, type MultiSignature, signerIndexes } from '../../../ledger/validators.ts';
import type { JournalRecord } from '../../../node/pbft/events.ts';
import type {
  Evidence,
  Message,
  Shown,
  StatusBody,
  Unsigned,
  ViewChange,
  ViewChangeBody,
  Vote,
  VoteKind,
} from '../../../node/pbft/messages.ts';
import type { Names } from './names.ts';

const WORDS: Readonly<Record<VoteKind, string>> = {
  prePrepare: 'PRE-PREPARE',
  prepare: 'PREPARE',
  commit: 'COMMIT',
  viewChange: 'VIEW-CHANGE',
  newView: 'NEW-VIEW',
};

/** What messages and journal records are called in the output of a scenario. `0/1` is view 0, height 1. */
export class Describe {
  readonly #names: Names;
  readonly #n: number;

  constructor(names: Names, n: number) {
    this.#names = names;
    this.#n = n;
  }

  vote({ view, height, digest }: Vote, batch?: Batch): string {
    if (batch !== undefined) this.#names.learn(batch);
    return `${view}/${height} ${this.#names.digest(digest, height)}`;
  }

  /** `from` passes it on; whoever signed it is named if that is another. */
  message(message: Message, from: number): string {
    const author = this.#authorOf(message);
    const text = this.#messageText(message);
    return author === undefined || author === from ? text : `${text} of v${author}`;
  }

  unsigned(unsigned: Unsigned): string {
    switch (unsigned.kind) {
      case 'prePrepare':
        return `${WORDS.prePrepare} ${this.vote(unsigned.vote, unsigned.batch)}`;
      case 'prepare':
      case 'commit':
        return `${WORDS[unsigned.kind]} ${this.vote(unsigned.vote)}`;
      case 'checkpoint':
        return `CHECKPOINT ${unsigned.checkpoint.height}`;
      case 'viewChange':
        return this.#viewChange(unsigned.body);
      case 'newView':
        return this.#newView(unsigned.view, unsigned.viewChanges, unsigned.votes);
      case 'status':
        return statusText(unsigned.body);
    }
  }

  /** Undefined for what is written on the side: what others signed (R5), and marks of dropped segments (R6). */
  record(record: JournalRecord): string | undefined {
    switch (record.kind) {
      case 'proposal':
        return `proposal ${this.vote(record.vote, record.batch)}`;
      case 'prepared': {
        const { vote, prepares } = record.certificate;
        const leader = leaderIndex(vote.epoch, vote.view, this.#n);
        return `prepared certificate ${this.vote(vote, record.batch)} of v${leader} ${this.signers(prepares)}`;
      }
      case 'viewChange':
        return `VIEW-CHANGE ${record.body.view}`;
      case 'newView':
        return `NEW-VIEW ${record.newView.body.view}`;
      case 'evidence':
        return this.evidence(record.evidence);
      default:
        return undefined;
    }
  }

  shown(shown: Shown): string {
    if (shown.kind === 'checkpoint') return `CHECKPOINT ${shown.value.checkpoint.height}`;
    const { kind, vote } = shown.value;
    return `${WORDS[kind]} ${vote.height === 0 ? vote.view : this.vote(vote)}`;
  }

  evidence(evidence: Evidence): string {
    if (evidence.kind === 'checkpoint') {
      const { sender, checkpoint } = evidence.value.first;
      return `evidence against v${sender}: two CHECKPOINTs of height ${checkpoint.height}`;
    }
    const { kind, member, first, second } = evidence.value;
    const { height, digest } = second.vote;
    const what = height === 0 ? first.vote.view : `${this.vote(first.vote)} and ${this.#names.digest(digest, height)}`;
    return `evidence against v${member}: ${WORDS[kind]} ${what}`;
  }

  signers({ signers }: MultiSignature): string {
    const indexes = signerIndexes(signers, this.#n);
    return typeof indexes === 'string' ? indexes : indexes.map((index) => `v${index}`).join(' ');
  }

  #messageText(message: Message): string {
    switch (message.kind) {
      case 'prePrepare':
        return `${WORDS.prePrepare} ${this.vote(message.value.vote, message.value.batch)}`;
      case 'prepare':
      case 'commit':
        return `${WORDS[message.kind]} ${this.vote(message.value.vote)}`;
      case 'checkpoint':
        return `CHECKPOINT ${message.value.checkpoint.height}`;
      case 'viewChange':
        return this.#viewChange(message.value.body);
      case 'newView': {
        const { view, viewChanges, prePrepares } = message.value.body;
        return this.#newView(
          view,
          viewChanges,
          prePrepares.map(({ vote }) => vote),
        );
      }
      case 'status':
        return statusText(message.value.body);
      case 'certificate':
        return `certificate ${message.value.checkpoint.height}`;
      case 'commitCertificate':
        return `commit certificate ${this.vote(message.value.vote, message.value.batch)}`;
      case 'evidence':
        return this.evidence(message.value);
    }
  }

  #viewChange({ view, stable, prepared }: ViewChangeBody): string {
    const base = stable.kind === 'beginning' ? 0 : stable.value.checkpoint.height;
    const certificates = prepared.map(({ vote }) => this.vote(vote)).join(', ') || 'nothing';
    return `VIEW-CHANGE ${view} (stable ${base}, prepared ${certificates})`;
  }

  #newView(view: number, viewChanges: readonly ViewChange[], votes: readonly Vote[]): string {
    const senders = viewChanges.map(({ sender }) => `v${sender}`).join(' ');
    const carry = votes.map((vote) => this.vote(vote)).join(', ') || 'nothing';
    return `NEW-VIEW ${view} (of ${senders}, carries ${carry})`;
  }

  #authorOf(message: Message): number | undefined {
    switch (message.kind) {
      case 'prePrepare':
        return leaderIndex(message.value.vote.epoch, message.value.vote.view, this.#n);
      case 'newView':
        return leaderIndex(message.value.body.epoch, message.value.body.view, this.#n);
      case 'prepare':
      case 'commit':
      case 'checkpoint':
      case 'viewChange':
      case 'status':
        return message.value.sender;
      default:
        return undefined;
    }
  }
}

function statusText({ view, viewAsked, low, executed, suspects }: StatusBody): string {
  const asks = viewAsked > view ? `, asks ${viewAsked}` : '';
  return `STATUS (view ${view}${asks}, low ${low}, executed ${executed}${suspects ? ', suspects' : ''})`;
}
