import type { Fetch } from './rest.ts';

/** Nodes that lie about state or lose what they have confirmed, by what stands between clients and them. */

/** Every `every`th answer about all balances has those of the first one, under the height of now. */
export function staleReads(every: number): Fetch {
  let first: unknown;
  let count = 0;
  return async (url, init) => {
    const response = await fetch(url, init);
    if (!url.includes('/v1/state/assets.balances?') || !response.ok) return response;
    const body = (await response.json()) as { readonly items: unknown };
    first ??= body.items;
    const items = ++count % every === 0 ? first : body.items;
    return Response.json({ ...body, items }, { headers: response.headers });
  };
}

/** Every `every`th transaction reaches nobody and is said to be final in the next block. */
export function lostWrites(every: number): Fetch {
  let height = 0;
  let count = 0;
  return async (url, init) => {
    if (init.method === 'POST' && height > 0 && ++count % every === 0) {
      const block = { height: height + 1, index: 0 };
      return Response.json({ status: 'final', block, receipt: { status: 'ok', code: '' } });
    }
    const response = await fetch(url, init);
    height = Math.max(height, Number(response.headers.get('quorate-final-height')));
    return response;
  };
}
