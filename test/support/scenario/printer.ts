import type { Effect, Event } from '../../../node/pbft/events.ts';
import { maySupport, mayVote, type ReplicaState, targetView } from '../../../node/pbft/state.ts';
import { isStatus, type Member, type Watch } from '../cluster.ts';
import type { Describe } from './describe.ts';
import type { Names } from './names.ts';

interface Seen {
  readonly mode: string;
  readonly suspicion: string | undefined;
  readonly target: number;
}

/** Prints what happens to the members of a cluster, a line for each thing a reader would want to know. */
export class Printer implements Watch {
  readonly lines: string[] = [];
  showStatus = false;
  /** R4: whether messages that a STATUS asks for are sent at all. */
  resends = true;
  readonly #names: Names;
  readonly #describe: Describe;
  readonly #seen = new Map<number, Seen>();
  readonly #refrains = new Map<number, Set<string>>();

  constructor(names: Names, describe: Describe) {
    this.#names = names;
    this.#describe = describe;
  }

  take(): string[] {
    return this.lines.splice(0);
  }

  before(member: Member, event: Event): void {
    const { index, state } = member;
    this.#seen.set(index, { mode: state.mode, suspicion: state.timer.suspicion, target: targetView(state) });
    if (event.type === 'started') {
      this.#refrains.delete(index);
      this.#print(index, `starts with view ${state.view}, low ${state.low}, executed ${state.executed.height}`);
    } else if (event.type === 'shown') {
      const all = event.shown.map((shown) => this.#describe.shown(shown)).join(', ') || 'nothing';
      this.#print(event.from, `shows v${index} what it has seen of it: ${all}`);
    } else if (event.type === 'executed' && event.ordered === undefined) {
      this.#print(index, `executes block ${event.head.height}, fetched`);
    }
  }

  stepped(member: Member, event: Event, effects: readonly Effect[]): void {
    const { index, state } = member;
    this.#changes(index, state);
    if (event.type !== 'started') this.#refraining(index, state);
    for (const [i, effect] of effects.entries()) {
      if (event.type === 'started' && effect.type === 'entered') continue;
      if (effect.type === 'send') {
        if (this.resends || !isStatus(event)) this.#send(index, effects, i);
      } else this.#effect(index, state, effect);
    }
  }

  #print(index: number, text: string): void {
    this.lines.push(`v${index} ${text}`);
  }

  #changes(index: number, state: ReplicaState): void {
    const before = this.#seen.get(index)!;
    const { suspicion } = state.timer;
    if (before.mode !== state.mode && state.mode !== 'halted' && state.mode !== 'doubt') {
      this.#print(index, state.mode === 'active' ? 'votes from here on' : `is ${state.mode}: ${state.reason}`);
    }
    if (before.suspicion === suspicion || before.target !== targetView(state)) return;
    const text = suspicion === undefined ? 'no longer suspects' : 'suspects';
    const reason = suspicion === undefined ? '' : `: ${this.#names.text(suspicion)}`;
    this.#print(index, `${text} view ${before.target}${reason}`);
  }

  /** A proposal that is held (N5), or never voted for (N11), has no effect; it is told once. */
  #refraining(index: number, state: ReplicaState): void {
    if (!mayVote(state)) return;
    const told = this.#refrains.get(index) ?? new Set();
    this.#refrains.set(index, told);
    for (const slot of state.slots.values()) {
      const { proposal } = slot;
      if (proposal?.phase !== 'held' || proposal.batch === undefined) continue;
      const what = this.#describe.vote(proposal.vote, proposal.batch);
      if (told.has(what)) continue;
      told.add(what);
      if (maySupport(state, proposal.vote)) this.#print(index, `holds ${what}`);
      else this.#print(index, `gives no vote to ${what}, having executed another batch`);
    }
  }

  #effect(index: number, state: ReplicaState, effect: Exclude<Effect, { type: 'send' }>): void {
    switch (effect.type) {
      case 'persist':
        return this.#persist(index, effect);
      case 'relay':
        return this.#print(index, `→ * ${this.#describe.message(effect.message, index)}`);
      case 'execute': {
        const { batch, ordered } = effect;
        return this.#print(
          index,
          `executes ${batch.height} ${this.#names.learn(batch)}, committed in view ${ordered.view}`,
        );
      }
      case 'stable': {
        const { checkpoint, proof } = effect.certificate;
        const ahead = state.executed.height < checkpoint.height ? `; executed is ${state.executed.height}` : '';
        return this.#print(
          index,
          `stable ${checkpoint.height} (certificate of ${this.#describe.signers(proof)}${ahead})`,
        );
      }
      case 'requestBatch':
        return this.#print(
          index,
          `asks for the batch ${this.#names.digest(effect.digest, effect.height)} of height ${effect.height}`,
        );
      case 'startSync':
        return this.#print(index, `fetches the blocks up to ${effect.certificate.checkpoint.height}`);
      case 'entered':
        return this.#print(index, `enters view ${effect.view} (leader v${effect.leader})`);
      case 'left':
        return this.#print(index, `leaves view ${effect.view} for ${effect.asked}: ${this.#names.text(effect.reason)}`);
      case 'refused':
        return this.#print(index, `refuses ${effect.what}: ${this.#names.text(effect.reason)}`);
      case 'doubt':
        return this.#print(index, `is in doubt: ${this.#names.text(effect.reason)}`);
      case 'halt':
        return this.#print(index, `halts: ${this.#names.text(effect.reason)}`);
      case 'startTimer':
      case 'stopTimer':
      case 'chooseBatch':
      case 'requestBodies':
      case 'accepted':
      case 'keepCertificate':
      case 'evidence':
        return;
    }
  }

  #persist(index: number, { records, then }: Extract<Effect, { type: 'persist' }>): void {
    const kept = records.flatMap((record) => this.#describe.record(record) ?? []);
    const sent = then.flatMap((one) =>
      one.kind === 'status' && !this.showStatus ? [] : [this.#describe.unsigned(one)],
    );
    if (kept.length === 0 && sent.length === 0) return;
    const leaves = sent.length === 0 ? '' : `→ * ${sent.join(', ')}`;
    if (kept.length === 0) this.#print(index, leaves);
    else this.#print(index, `persists ${kept.join(', ')}${leaves === '' ? '' : `, then ${leaves}`}`);
  }

  /** Everything that one step sends to one member, in one line. */
  #send(index: number, effects: readonly Effect[], i: number): void {
    const first = effects[i]!;
    const before = effects[i - 1];
    if (first.type !== 'send' || (before?.type === 'send' && before.to === first.to)) return;
    const texts: string[] = [];
    for (const effect of effects.slice(i)) {
      if (effect.type !== 'send' || effect.to !== first.to) break;
      if (effect.message.kind === 'status' && !this.showStatus) continue;
      texts.push(this.#describe.message(effect.message, index));
    }
    if (texts.length > 0) this.#print(index, `→ v${first.to} ${texts.join(', ')}`);
  }
}
