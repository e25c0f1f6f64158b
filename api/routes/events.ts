import { z } from 'zod';
import { POSITION, parsePosition } from '../events/position.ts';
import { eventStream, type Start } from '../events/stream.ts';
import { parseTopics } from '../events/topics.ts';
import { TOPICS_CHARS_MAX } from '../limits.ts';
import type { NodePort } from '../ports.ts';
import { Problem } from '../problems.ts';
import { integer, none, route } from '../route.ts';
import { streamEvents } from '../schemas.ts';

const position = z
  .string()
  .regex(POSITION, 'expected the id of an event: <height>.<index>')
  .meta({ description: 'Id of the last event that was seen: the stream goes on behind it' });

const query = z.strictObject({
  topics: z.string().max(TOPICS_CHARS_MAX).optional().meta({
    description:
      'Separated by commas, `block,transaction` if not given: `block`, `transaction`, `event`, `checkpoint`, `epoch`, `view-change`, `account:<0x key>`, `event:<module>`, `event:<module>.<name>`',
  }),
  after: position.optional(),
  from: integer(0, 999_999_999_999_999)
    .optional()
    .meta({ description: 'Height of the first block, where there is no event to go on from' }),
});

const headers = z.object({ 'last-event-id': position.optional() });

export const eventsRoute = route({
  method: 'GET',
  path: '/v1/events',
  name: 'getEvents',
  summary: 'What is and becomes final, as server-sent events; the same with the same ids at every node',
  consistency: 'stated',
  consistencyNote:
    'What has an id is final, heartbeats and view changes are of this node; a height above waits by itself',
  params: none,
  query,
  headers,
  answers: {
    200: {
      description:
        'Events in the order of the chain, for as long as they are read; a heartbeat at the beginning and from time to time',
      events: streamEvents,
    },
  },
  problems: ['pruned'],
  async handle(context, request) {
    const topics = parseTopics(request.query.topics, context.application);
    const start = startOf(request.query, request.headers['last-event-id']);
    await refusePruned(context.node, start);
    return { status: 200, stream: (drop) => eventStream(context, start, topics, request.signal, drop) };
  },
});

/** Browsers send the header by themselves when they come back, with the parameters that they came with first. */
function startOf({ after, from }: z.output<typeof query>, lastEventId: string | undefined): Start {
  if (after !== undefined && from !== undefined)
    throw new Problem('malformed', 'query: after and from can not both be given');
  const seen = lastEventId ?? after;
  if (seen !== undefined) return { kind: 'after', position: parsePosition(seen) };
  return from === undefined ? { kind: 'now' } : { kind: 'from', height: from };
}

async function refusePruned(node: NodePort, start: Start): Promise<void> {
  if (start.kind === 'now') return;
  const height = start.kind === 'after' ? start.position.height : start.height;
  if (height > node.chain().finalHeight) return;
  const [first] = await node.blocks(height, 1, false);
  if (first?.header.height === height) return;
  throw new Problem('pruned', `block ${height} is not kept here; another node or an archive may have it`);
}
