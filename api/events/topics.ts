import type { Application } from '../../ledger/application.ts';
import { TOPICS_CHARS_MAX, TOPICS_MAX } from '../limits.ts';
import { Problem } from '../problems.ts';
import type { BlockEvent } from './block-events.ts';

/** What somebody wants to hear. */
export interface Topics {
  readonly viewChanges: boolean;
  /** Whether an event of a block is among it. */
  matches(event: BlockEvent): boolean;
}

const DEFAULT = 'block,transaction';
const KINDS = ['block', 'transaction', 'event', 'checkpoint', 'epoch', 'view-change'] as const;
const FORMS = `${KINDS.join(', ')}, account:<0x key>, event:<module>, event:<module>.<name>`;
const ACCOUNT = /^account:(0x[0-9a-f]{64})$/;
const EVENT = /^event:([^.]+)(?:\.(.+))?$/;

/** Topics separated by commas, `undefined` for the usual ones. Throws the problem `malformed`, which says what there is. */
export function parseTopics(text: string | undefined, application: Application): Topics {
  const topics = new Set((text ?? DEFAULT).split(','));
  if (topics.size > TOPICS_MAX || (text ?? '').length > TOPICS_CHARS_MAX)
    throw new Problem('malformed', `topics: at most ${TOPICS_MAX} of them, ${TOPICS_CHARS_MAX} characters`);
  const kinds = new Set<string>();
  const senders = new Set<string>();
  const names = new Set<string>();
  for (const topic of topics) {
    const account = ACCOUNT.exec(topic)?.[1];
    if (KINDS.some((kind) => kind === topic)) kinds.add(topic);
    else if (account !== undefined) senders.add(account);
    else names.add(eventTopic(topic, application));
  }
  return {
    viewChanges: kinds.has('view-change'),
    matches(event) {
      if (kinds.has(event.kind)) return true;
      if (event.kind === 'transaction') return senders.has(event.sender);
      return event.kind === 'event' && (names.has(event.module) || names.has(`${event.module}.${event.name}`));
    },
  };
}

/** What follows `event:`, if the application has it. */
function eventTopic(topic: string, { modules }: Application): string {
  const [, module = '', name] = EVENT.exec(topic) ?? [];
  if (module === '') throw new Problem('malformed', `no topic ${shown(topic)}; there are ${FORMS}`);
  const found = modules.find((one) => one.name === module);
  if (found === undefined)
    throw new Problem(
      'malformed',
      `no module ${shown(module)}; there are ${modules.map((one) => one.name).join(', ')}`,
    );
  if (name === undefined) return module;
  const events = Object.keys(found.events);
  if (!events.includes(name))
    throw new Problem('malformed', `no event ${shown(name)} of ${module}; there are ${events.join(', ') || 'none'}`);
  return `${module}.${name}`;
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}
