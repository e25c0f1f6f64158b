import { element } from '../verify/dom.ts';
import type { Content, Document, Operation, Parameter } from './document.ts';
import { prose } from './prose.ts';
import { type Asked, curlOf, filledPath, type Shown, send } from './request.ts';
import { exampleOf, typeText } from './schema.ts';

/** Of a stream, so much is shown. */
const STREAM_CHARS_MAX = 64 * 1024;

type Input = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

/** Parameters, body, and a button that sends them; below it the answer. */
export function formNode(document: Document, method: string, path: string, operation: Operation): Node {
  const { operationId, parameters, requestBody, responses } = operation;
  const inputs = new Map<string, Input>();
  const rows = parameters.map((parameter) => {
    const input = parameterInput(parameter);
    inputs.set(parameter.name, input);
    return field(`${operationId}-${parameter.name}`, parameter.name, hintOf(parameter), input);
  });
  const accept = choice(Object.keys(responses['200']?.content ?? {}));
  if (accept !== undefined) rows.push(field(`${operationId}-accept`, 'Accept', 'form of the answer', accept));
  const body = requestBody && bodyInput(document, requestBody.content);
  if (body !== undefined) {
    if (body.type !== undefined) rows.push(field(`${operationId}-type`, 'Content-Type', 'form of the body', body.type));
    rows.push(field(`${operationId}-body`, 'body', 'JSON; bytes as 0x and hex digits', body.text));
  }
  const valuesOf = (some: readonly Parameter[]) =>
    some.map(({ name }) => [name, inputs.get(name)!.value.trim()] as const);
  const asked = (): Asked => ({
    method: method.toUpperCase(),
    path: filledPath(path, new Map(valuesOf(parameters.filter((one) => one.in !== 'header')))),
    headers: [
      ...(accept === undefined ? [] : [['accept', accept.value] as const]),
      ...valuesOf(parameters.filter((one) => one.in === 'header')).filter(([, value]) => value !== ''),
    ],
    body: body && { type: body.type?.value ?? 'application/json', text: body.text.value },
  });
  const button = element('button', '', 'Send');
  const answer = element('div', 'answer');
  answer.setAttribute('aria-live', 'polite');
  const form = element('form', '', ...rows, button);
  let running: AbortController | undefined;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (running !== undefined) return running.abort();
    const stop = new AbortController();
    running = stop;
    button.textContent = 'Stop';
    const request = asked();
    const curl = element('pre', 'curl', curlOf(location.origin, request));
    const begun = performance.now();
    try {
      const shown = await send(request, stop.signal);
      answer.replaceChildren(...answerNodes(shown, performance.now() - begun), curl);
      if (shown.more !== undefined) await append(answer.querySelector('.body')!, shown.more);
    } catch (error) {
      const isStopped = stop.signal.aborted && answer.querySelector('.body') !== null;
      const reason = error instanceof Error ? error.message : String(error);
      if (!isStopped) answer.replaceChildren(element('p', 'status bad', reason), curl);
    } finally {
      running = undefined;
      button.textContent = 'Send';
    }
  });
  return element('div', 'try', form, answer);
}

/** Shows the end of what comes, until it ends or is stopped. */
async function append(node: Element, more: ReadableStream<string>): Promise<void> {
  const reader = more.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    node.textContent = `${node.textContent}${value}`.slice(-STREAM_CHARS_MAX);
    node.scrollTop = node.scrollHeight;
  }
}

function answerNodes({ status, isGood, headers, body }: Shown, tookMs: number): Node[] {
  const list = headers.map(([name, value]) => `${name}: ${value}`).join('\n');
  return [
    element('p', `status ${isGood ? 'good' : 'bad'}`, `${status} in ${Math.round(tookMs)} ms`),
    element('details', '', element('summary', 'type', 'headers'), element('pre', 'headers', list)),
    element('pre', 'body', body),
  ];
}

function parameterInput({ schema, required }: Parameter): Input {
  if (schema.enum !== undefined) {
    const options = schema.enum.map((one) => new Option(String(one), String(one)));
    const standard = schema.default === undefined ? '' : ` (${schema.default})`;
    return element('select', '', ...(required ? [] : [new Option(`default${standard}`, '')]), ...options);
  }
  const input = element('input', '');
  input.required = required;
  input.autocomplete = 'off';
  input.spellcheck = false;
  if (schema.type === 'integer') input.inputMode = 'numeric';
  if (schema.default !== undefined) input.placeholder = String(schema.default);
  return input;
}

function hintOf({ schema, description, required }: Parameter): string {
  const type = schema.enum === undefined ? typeText(schema) : '';
  return [required ? 'required' : '', type, description ?? ''].filter((text) => text !== '').join(' · ');
}

/** A choice among media types; none where there is no choice. */
function choice(types: readonly string[]): HTMLSelectElement | undefined {
  return types.length < 2 ? undefined : element('select', '', ...types.map((type) => new Option(type, type)));
}

function bodyInput(document: Document, content: Content) {
  const text = element('textarea', '');
  text.rows = 8;
  text.spellcheck = false;
  const { schema } = content['application/json']!;
  const example = JSON.stringify(exampleOf(document, schema), undefined, 2);
  text.value = example;
  const type = choice(Object.keys(content));
  type?.addEventListener('change', () => {
    // What somebody has written stays.
    if (text.value === example || text.value === '0x') text.value = type.value === 'application/json' ? example : '0x';
  });
  return { text, type };
}

function field(id: string, name: string, hint: string, input: Input): Node {
  input.id = id;
  const label = element('label', '', element('code', '', name));
  label.htmlFor = id;
  const small = element('div', 'hint', prose(hint));
  small.id = `${id}-hint`;
  input.setAttribute('aria-describedby', small.id);
  return element('div', 'field', label, input, small);
}
