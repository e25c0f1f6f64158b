import assert from 'node:assert/strict';
import { toHex } from '../../../ledger/bytes.ts';
import type { Parameters } from '../../../ledger/parameters.ts';
import type { Event, JournalRecord } from '../../../node/pbft/events.ts';
import type { ViewChange } from '../../../node/pbft/messages.ts';
import { decodeRecord, type StoredRecord } from '../../../node/pbft/records.ts';
import { isLeader } from '../../../node/pbft/state.ts';
import { Cluster, type Member, type Sent } from '../cluster.ts';
import { Describe } from './describe.ts';
import { faultyMessage } from './faulty.ts';
import { Names } from './names.ts';
import { Printer } from './printer.ts';
import { type Selector, selectorOf, Words } from './words.ts';

/** Timers are looked at this often; the core's own tick is not finer with the default view timeout. */
const STEP_MS = 100;

type Disk = Member['disk'];

/** Runs the commands of one scenario; test/scenarios/README.md says what they mean. */
export class Scenario {
  #cluster = new Cluster(1);
  #names = new Names();
  #describe = new Describe(this.#names, 1);
  #printer = new Printer(this.#names, this.#describe);
  readonly #submitted: Uint8Array[][] = [];
  readonly #blocks = new Map<string, Uint8Array>();
  readonly #viewChanges: ViewChange[] = [];
  readonly #drops: Selector[] = [];
  readonly #holds: Selector[] = [];
  #held: Sent[] = [];
  #cut: readonly number[][] = [];
  readonly #snapshots = new Map<number, Disk>();

  /** The lines that a command prints. */
  run(command: string): string[] {
    const words = new Words(command);
    this.#command(words.next('a command'), words);
    words.end();
    this.#flow();
    return this.#printer.take();
  }

  #command(name: string, words: Words): void {
    switch (name) {
      case 'cluster':
        return this.#begin(words);
      case 'submit':
        return this.#submit(words.rest());
      case 'deliver':
        return this.#deliver(selectorOf(words));
      case 'release':
        return this.#release(selectorOf(words));
      case 'lose':
        return this.#lose(selectorOf(words));
      case 'drop':
        this.#drops.push(selectorOf(words));
        return;
      case 'hold':
        this.#holds.push(selectorOf(words));
        return;
      case 'cut':
        return this.#divide(words);
      case 'heal':
        return this.#heal();
      case 'crash':
        for (const member of this.#several(words)) this.#cluster.crash(member);
        return;
      case 'refused':
        return this.#refuse(words.member());
      case 'restart':
        for (const member of this.#several(words)) this.#cluster.restart(member);
        return;
      case 'snapshot':
        return this.#snapshot(words.member());
      case 'rollback':
        return this.#rollback(words.member());
      case 'tick':
        return this.#pass(words.duration(), () => this.#flow());
      case 'run':
        return this.#pass(words.duration(), () => this.#deliver(EVERYTHING));
      case 'byzantine':
        return this.#byzantine(words.member(), words);
      case 'show':
      case 'hide':
        assert(words.take('status'), 'only STATUS can be shown or hidden');
        this.#printer.showStatus = name === 'show';
        return;
      case 'resend':
        this.#printer.resends = words.take('on');
        assert(this.#printer.resends || words.take('off'), 'expected on or off');
        return;
      case 'status':
        return this.#status();
      case 'journal':
        return this.#journal(words.member());
      default:
        throw new Error(`${name} is no command`);
    }
  }

  #begin(words: Words): void {
    const options = new Map(words.rest().map((option) => option.split('=') as [string, string]));
    const parameters: Partial<Record<keyof Parameters, number>> = {};
    let n = 4;
    for (const [name, value] of options) {
      if (name === 'n') n = Number(value);
      else if (name === 'window') parameters.window = Number(value);
      else if (name === 'term') parameters.leaderTerm = Number(value);
      else if (name === 'heartbeat') parameters.heartbeatMs = words.duration(value);
      else if (name === 'timeout') parameters.viewTimeoutMs = words.duration(value);
      else throw new Error(`${name} is no option of a cluster`);
    }
    for (const list of [this.#submitted, this.#viewChanges, this.#drops, this.#holds, this.#held]) list.length = 0;
    this.#cut = [];
    this.#snapshots.clear();
    this.#names = new Names();
    this.#describe = new Describe(this.#names, n);
    this.#printer = new Printer(this.#names, this.#describe);
    this.#cluster = new Cluster(n, parameters as Partial<Parameters>);
    const cluster = this.#cluster;
    cluster.reaches = (from, to) => this.#group(from) === this.#group(to);
    cluster.passes = (sent) => this.#passes(sent);
    cluster.pendingOf = (index) => this.#pendingOf(index);
    this.#flow();
    const printer = this.#printer;
    cluster.watch = {
      before: (member, event) => {
        this.#noteBlock(event);
        printer.before(member, event);
      },
      stepped: (member, event, effects) => printer.stepped(member, event, effects),
    };
  }

  /** One batch of transactions; every member holds their bodies (T9). */
  #submit(transactions: readonly string[]): void {
    assert(transactions.length > 0, 'expected names of transactions');
    this.#submitted.push(transactions.map((name) => this.#names.transaction(name)));
    this.#refreshPools();
  }

  /** Until nothing that it is about is on its way, or so many are delivered. */
  #deliver(selector: Selector): void {
    for (let delivered = 0; delivered < selector.count; delivered++) {
      if (!selector.isAll) this.#flow();
      const { wire } = this.#cluster;
      const at = wire.findIndex((sent) => selector.matches(sent));
      if (at < 0) return;
      this.#deliverOne(wire.splice(at, 1)[0]!);
    }
  }

  #deliverOne(sent: Sent): void {
    if (sent.message.kind === 'viewChange') this.#viewChanges.push(sent.message.value);
    if (!sent.again && this.#holds.some((hold) => hold.matches(sent))) {
      this.#held.push(sent);
      return;
    }
    this.#cluster.deliverOne(sent);
    this.#refreshPools();
  }

  /** STATUS is always on its way: nobody waits for a script to be heard. */
  #flow(): void {
    const { wire } = this.#cluster;
    for (;;) {
      const at = wire.findIndex(({ message }) => message.kind === 'status');
      if (at < 0) return;
      this.#deliverOne(wire.splice(at, 1)[0]!);
    }
  }

  #release(selector: Selector): void {
    const released = this.#held.filter((sent) => selector.matches(sent));
    this.#held = this.#held.filter((sent) => !released.includes(sent));
    for (const sent of released) this.#cluster.deliverOne(sent);
    this.#refreshPools();
  }

  #lose(selector: Selector): void {
    const { wire } = this.#cluster;
    const kept = wire.filter((sent) => !selector.matches(sent));
    wire.splice(0, wire.length, ...kept);
  }

  #divide(words: Words): void {
    const groups = [words.members()];
    while (words.take('|')) groups.push(words.members());
    this.#cut = groups;
  }

  #heal(): void {
    this.#drops.length = 0;
    this.#holds.length = 0;
    this.#cut = [];
    this.#cluster.askForOwn();
  }

  /** Members that no group of the cut names are together. */
  #group(member: number): number {
    return this.#cut.findIndex((group) => group.includes(member));
  }

  #passes(sent: Sent): boolean {
    if (sent.again && sent.message.kind !== 'status' && !this.#printer.resends) return false;
    return this.#cluster.reaches(sent.from, sent.to) && !this.#drops.some((drop) => drop.matches(sent));
  }

  /** Its process is gone and its machine says so: the others lose the channel and can't dial it. */
  #refuse(member: number): void {
    for (const { index, up } of this.#cluster.members) {
      if (!up || index === member) continue;
      this.#cluster.feed(index, { type: 'channel', member, open: false });
      this.#cluster.feed(index, { type: 'unreachable', member });
    }
  }

  #snapshot(member: number): void {
    this.#snapshots.set(member, copyOf(this.#cluster.members[member]!.disk));
  }

  #rollback(member: number): void {
    const { disk, up } = this.#cluster.members[member]!;
    const old = this.#snapshots.get(member);
    assert(old !== undefined && !up, `v${member} must be down and have a snapshot`);
    Object.assign(disk, copyOf(old));
  }

  #pass(ms: number, then: () => void): void {
    const cluster = this.#cluster;
    // With everybody down there is nothing to look at in between.
    const stepMs = cluster.members.some(({ up }) => up) ? STEP_MS : ms;
    for (let left = ms; left > 0; left -= stepMs) {
      cluster.advance(Math.min(stepMs, left));
      cluster.askForOwn();
      this.#refreshPools();
      then();
    }
  }

  /** The production core of a faulty member is switched off; the script says what is sent with its key. */
  #byzantine(member: number, words: Words): void {
    this.#cluster.crash(member);
    const message = faultyMessage(this.#cluster, this.#names, this.#viewChanges, member, words);
    assert(words.take('to'), 'expected to');
    const others = this.#cluster.members.filter(({ index }) => index !== member).map(({ index }) => index);
    const everybody = words.take('*');
    const targets = everybody ? others : words.members();
    for (const to of targets) this.#cluster.inject(member, to, message);
    if (message.kind === 'viewChange') this.#viewChanges.push(message.value);
    const names = everybody ? '*' : targets.map((to) => `v${to}`).join(' ');
    this.#printer.lines.push(`v${member} → ${names} ${this.#describe.message(message, member)}`);
  }

  #status(): void {
    for (const { index, up, state } of this.#cluster.members) {
      if (!up) {
        this.#printer.lines.push(`v${index} down`);
        continue;
      }
      const { mode, view, asked, low, executed, timer } = state;
      const pending = this.#pendingOf(index)
        .flat()
        .map((id) => this.#names.transactionName(id));
      const parts = [
        mode,
        asked > view ? `view ${view} asks ${asked}` : `view ${view}`,
        `low ${low}`,
        `executed ${executed.height}`,
        `pending ${pending.join(' ') || '-'}`,
      ];
      if (timer.timeoutMs !== this.#cluster.parameters.viewTimeoutMs) parts.push(`timeout ${timer.timeoutMs}ms`);
      if (timer.suspicion !== undefined) parts.push('suspects');
      this.#printer.lines.push(`v${index} ${parts.join(', ')}`);
    }
  }

  /** What is durable, without what others signed. */
  #journal(member: number): void {
    const records = this.#cluster.members[member]!.disk.records.map(decodeRecord);
    for (const record of records) {
      const text = this.#describe.record(journalRecordOf(record));
      if (text !== undefined) this.#printer.lines.push(text);
    }
  }

  #several(words: Words): number[] {
    return words.take('all') ? this.#cluster.members.map(({ index }) => index) : words.members();
  }

  /** N13: known, not executed, and not in an accepted batch of the current view. */
  #pendingOf(index: number): Uint8Array[][] {
    const { state, disk } = this.#cluster.members[index]!;
    const taken = new Set<string>();
    for (const { blockHash } of disk.heads) {
      const digest = this.#blocks.get(toHex(blockHash));
      for (const id of (digest && this.#names.batchWith(digest)?.transactions) ?? []) taken.add(toHex(id));
    }
    for (const { proposal } of state.slots.values()) {
      if (proposal?.phase !== 'accepted') continue;
      for (const id of proposal.batch?.transactions ?? []) taken.add(toHex(id));
    }
    return this.#submitted.filter((batch) => batch.every((id) => !taken.has(toHex(id))));
  }

  /** The leader hears of what it could order now, be it new or pending again. */
  #refreshPools(): void {
    for (const { index, up, state } of this.#cluster.members) {
      if (!up || !isLeader(state)) continue;
      const orderable = this.#pendingOf(index).length;
      if (state.pool.orderable === orderable) continue;
      this.#cluster.feed(index, { type: 'pool', view: { orderable, full: orderable > 0 } });
    }
  }

  #noteBlock(event: Event): void {
    if (event.type !== 'executed' || event.ordered === undefined) return;
    this.#blocks.set(toHex(event.head.blockHash), event.ordered.digest);
  }
}

const EVERYTHING: Selector = { count: Number.POSITIVE_INFINITY, isAll: true, matches: () => true };

function copyOf({ records, heads, certificate, doubt }: Disk): Disk {
  return { records: [...records], heads: [...heads], certificate, doubt };
}

function journalRecordOf(record: StoredRecord): JournalRecord {
  switch (record.kind) {
    case 'viewChange':
      return { kind: 'viewChange', body: record.value };
    case 'newView':
      return { kind: 'newView', newView: record.value };
    case 'evidence':
      return { kind: 'evidence', evidence: record.value };
    default:
      return { kind: record.kind, ...record.value } as JournalRecord;
  }
}
