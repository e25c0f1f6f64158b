/** What a form asks for. */
export interface Asked {
  readonly method: string;
  /** With parameters filled in. */
  readonly path: string;
  /** Besides those of the body. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: { readonly type: string; readonly text: string } | undefined;
}

/** An answer as it is shown. */
export interface Shown {
  readonly status: string;
  readonly isGood: boolean;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** What goes on coming, where the answer does not end. */
  readonly more?: ReadableStream<string>;
}

/** The path with its parameters; what is empty is left out of the query. */
export function filledPath(path: string, values: ReadonlyMap<string, string>): string {
  const query = new URLSearchParams();
  let filled = path;
  for (const [name, value] of values) {
    if (filled.includes(`{${name}}`)) filled = filled.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== '') query.set(name, value);
  }
  return query.size === 0 ? filled : `${filled}?${query}`;
}

/** The same request on a command line; bytes by way of xxd. */
export function curlOf(origin: string, { method, path, headers, body }: Asked): string {
  const words = ['curl -i', ...(method === 'GET' ? [] : [`-X ${method}`])];
  for (const [name, value] of headers) words.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) words.push(`-H ${quoted(`Content-Type: ${body.type}`)}`);
  const isBytes = body !== undefined && body.type !== 'application/json';
  if (body !== undefined) words.push(isBytes ? '--data-binary @-' : `--data ${quoted(body.text)}`);
  words.push(quoted(`${origin}${path}`));
  const input = isBytes ? `printf %s ${quoted(hexDigits(body.text))} | xxd -r -p | ` : '';
  return `${input}${words.join(' ')}`;
}

/** Sends it to the node that served the page. Rejects if there is no answer, or the bytes are no hex; `signal` ends it. */
export async function send({ method, path, headers, body }: Asked, signal: AbortSignal): Promise<Shown> {
  const response = await fetch(path, {
    method,
    signal,
    headers: [
      ...headers.map(([name, value]): [string, string] => [name, value]),
      ...(body ? [['content-type', body.type] as [string, string]] : []),
    ],
    ...(body && { body: body.type === 'application/json' ? body.text : bytesOf(body.text) }),
  });
  const type = response.headers.get('content-type') ?? '';
  const head = {
    status: `${response.status} ${response.statusText}`,
    isGood: response.ok,
    headers: [...response.headers],
  };
  if (type.startsWith('text/event-stream') && response.body !== null)
    return { ...head, body: '', more: response.body.pipeThrough(new TextDecoderStream()) };
  return { ...head, body: bodyText(new Uint8Array(await response.arrayBuffer()), type) };
}

function bodyText(bytes: Uint8Array, type: string): string {
  if (type.startsWith('application/octet-stream'))
    return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  const text = new TextDecoder().decode(bytes);
  if (!/json/.test(type)) return text;
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

function hexDigits(text: string): string {
  return text.trim().replace(/^0x/, '');
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const digits = hexDigits(text);
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) throw new Error('expected the bytes as 0x and hex digits');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
