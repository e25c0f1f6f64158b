import type { Json } from '../../ledger/codec.ts';
import type { ChainEvent, EventsOptions } from '../../light/ledger-client/index.ts';
import { CliError, EXIT } from './errors.ts';
import { ask, type Urls } from './http.ts';
import { type LedgerOptions, withLedger } from './ledger.ts';
import { moment, print } from './output.ts';

/** `quorate events` and `quorate watch`: what becomes final, as nodes tell it, a line at a time until Ctrl-C. */

export interface EventOptions extends LedgerOptions {
  readonly topic?: readonly string[];
  /** Id of the last event that was seen. */
  readonly after?: string;
  /** Height. */
  readonly from?: number;
  /** Ends after so many; else never. */
  readonly count?: number;
  readonly json: boolean;
}

type Data = ChainEvent['data'];

/** One line for each event of the topics. */
export async function printEvents(options: EventOptions): Promise<number> {
  const { topic, after, from, json } = options;
  if (after !== undefined && from !== undefined)
    throw new CliError(EXIT.usage, 'USAGE', '--after and --from: expected one of them');
  const begin = { ...(after !== undefined && { after }), ...(from !== undefined && { from }) };
  return follow(options, { ...begin, ...(topic && { topics: topic }) }, async ({ id, topic, data }) => {
    const place = (id ?? '').padEnd(ID_COLUMNS);
    print(json, { ...(id !== undefined && { id }), topic, data }, [
      `${place}  ${topic.padEnd(11)}  ${inWords(topic, data)}`,
    ]);
    return true;
  });
}

/** One line for each block that becomes final. */
export async function watchBlocks(options: EventOptions): Promise<number> {
  const { url, json } = options;
  if (!json) print(false, {}, [BLOCK_HEADING]);
  let block: Data = {};
  return follow(options, { topics: ['block', 'checkpoint'] }, async ({ topic, data }) => {
    if (topic === 'block') block = data;
    // Last of its block, and not there for block 0.
    if (topic !== 'checkpoint' || block.height !== data.height) return false;
    const { timestamp, count } = block.header as { readonly timestamp: number; readonly count: number };
    const height = data.height as number;
    const [leader, ageMs] = [await leaderNow(url), Date.now() - timestamp];
    const hash = String(block.hash);
    print(json, { height, time: timestamp, transactions: count, epoch: data.epoch!, leader, ageMs, hash }, [
      [
        String(height).padStart(8),
        moment(timestamp),
        String(count).padStart(12),
        `${(ageMs / 1_000).toFixed(1)} s`.padStart(8),
        (leader ?? '?').padEnd(12),
        hash,
      ].join('  '),
    ]);
    return true;
  });
}

/** As wide as `height.index` mostly is. */
const ID_COLUMNS = 10;
const BLOCK_HEADING = '   block  time                      transactions       age  leader now    hash';

/** Hands on events until `count` of them counted. A reader that is gone, as in `| head`, ends it too. */
async function follow(
  { count, ...options }: EventOptions,
  events: EventsOptions,
  onEvent: (event: ChainEvent) => Promise<boolean>,
): Promise<number> {
  const over = new AbortController();
  let isGone = false;
  const onGone = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error;
    isGone = true;
    over.abort();
  };
  process.stdout.on('error', onGone);
  try {
    return await withLedger(options, undefined, async ({ ledger }) => {
      let counted = 0;
      if (count === 0) return EXIT.ok;
      for await (const event of ledger.events({ ...events, signal: over.signal })) {
        if ((await onEvent(event)) && ++counted === count) break;
      }
      return EXIT.ok;
    });
  } catch (error) {
    if (isGone) return EXIT.ok;
    throw error;
  } finally {
    process.stdout.off('error', onGone);
  }
}

/** Whoever leads when the block is known to be final: mostly who proposed it. */
async function leaderNow(urls: Urls): Promise<string | undefined> {
  try {
    const { items } = await ask<{ items: readonly { name: string; leader: boolean }[] }>(urls, '/v1/validators');
    return items.find(({ leader }) => leader)?.name;
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}

function inWords(topic: string, data: Data): string {
  const text = (name: string): string =>
    typeof data[name] === 'string' ? data[name] : JSON.stringify(data[name] ?? null);
  switch (topic) {
    case 'block': {
      const { timestamp, count } = (data.header ?? {}) as { timestamp?: number; count?: number };
      return `${moment(timestamp ?? 0)}  ${count} transactions  ${text('hash')}`;
    }
    case 'transaction':
      return `${text('id')}  ${text('status')}${data.code === '' ? '' : ` (${text('code')})`}`;
    case 'event':
      return `${text('module')}.${text('name')}  ${text('data')}`;
    case 'checkpoint':
      return `block ${text('height')} is certified in epoch ${text('epoch')}`;
    case 'view-change':
      return `view ${text('view')} of epoch ${text('epoch')}, led by validator ${text('leader')}`;
    case 'epoch':
      return `epoch ${text('epoch')} begins at block ${text('firstHeight')}: ${namesOf(data.validators)}`;
    default:
      return JSON.stringify(data);
  }
}

function namesOf(validators: Json | undefined): string {
  if (!Array.isArray(validators)) return '';
  return validators.map((one) => (one as { readonly name?: string }).name ?? '?').join(', ');
}
