import { byId, element } from '../verify/dom.ts';
import type { Document, Operation } from './document.ts';
import { formNode } from './form.ts';
import { inline, prose } from './prose.ts';
import { schemaNode } from './schema.ts';

/** The page at /docs: this node's API by the OpenAPI document that it serves, to read and to try. */

interface Entry {
  readonly card: HTMLDetailsElement;
  readonly link: HTMLElement;
  readonly words: string;
}

void show();

async function show(): Promise<void> {
  const status = byId('status', HTMLElement);
  try {
    const response = await fetch('/openapi.json');
    if (!response.ok) throw new Error(`the node answered ${response.status}`);
    const document = (await response.json()) as Document;
    status.hidden = true;
    byId('about', HTMLElement).textContent = `${document.info.description} Version ${document.info.version}.`;
    fill(document);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    status.textContent = `/openapi.json can not be read: ${reason}`;
  }
}

function fill(api: Document): void {
  const groups = new Map<string, Entry[]>();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const group = operation.tags[0] ?? 'other';
      groups.set(group, [...(groups.get(group) ?? []), entryOf(api, method, path, operation)]);
    }
  }
  const routes = byId('routes', HTMLElement);
  const list = byId('list', HTMLElement);
  const sections = [...groups].map(([name, entries]) => {
    const section = element('section', '', element('h2', '', name), ...entries.map(({ card }) => card));
    const part = element('div', '', element('h2', '', name), element('ul', '', ...entries.map(({ link }) => link)));
    routes.append(section);
    list.append(part);
    return { entries, section, part };
  });
  const filter = byId('filter', HTMLInputElement);
  filter.addEventListener('input', () => {
    const wanted = filter.value.trim().toLowerCase();
    for (const { entries, section, part } of sections) {
      let some = false;
      for (const { card, link, words } of entries) {
        const fits = words.includes(wanted);
        card.hidden = link.hidden = !fits;
        some ||= fits;
      }
      section.hidden = part.hidden = !some;
    }
  });
  window.addEventListener('hashchange', openNamed);
  openNamed();
}

/** The route that the address names is open and in sight. */
function openNamed(): void {
  const named = document.getElementById(location.hash.slice(1));
  if (!(named instanceof HTMLDetailsElement)) return;
  named.open = true;
  named.scrollIntoView({ block: 'start' });
}

function entryOf(api: Document, method: string, path: string, operation: Operation): Entry {
  const { operationId, summary } = operation;
  const name = () => [element('span', `method ${method}`, method.toUpperCase()), ' ', element('code', 'path', path)];
  const head = element('summary', '', element('span', 'head', ...name()), element('span', 'says', ...inline(summary)));
  const card = element('details', 'card', head);
  card.id = operationId;
  card.addEventListener('toggle', () => card.append(...contentOf(api, method, path, operation)), { once: true });
  const anchor = element('a', '', ...name());
  anchor.href = `#${operationId}`;
  return { card, link: element('li', '', anchor), words: `${method} ${path} ${summary}`.toLowerCase() };
}

function contentOf(api: Document, method: string, path: string, operation: Operation): Node[] {
  const { description, requestBody, responses } = operation;
  const nodes: Node[] = [prose(description), element('h3', '', 'Try it'), formNode(api, method, path, operation)];
  for (const [type, { schema }] of Object.entries(requestBody?.content ?? {})) {
    nodes.push(element('h3', '', 'Body ', element('code', '', type)), schemaNode(api, schema));
  }
  nodes.push(element('h3', '', 'Answers'));
  for (const [status, { description: says, content = {} }] of Object.entries(responses)) {
    const good = status < '400' ? 'good' : 'bad';
    const node = element(
      'details',
      'response',
      element('summary', '', element('span', good, status), ' ', firstLine(says)),
    );
    const forms = Object.entries(content).flatMap(([type, { schema }]) => [
      element('h4', '', element('code', '', type)),
      schemaNode(api, schema),
    ]);
    node.append(...(firstLine(says) === says ? [] : [prose(says)]), ...forms);
    nodes.push(node);
  }
  return nodes;
}

/** Of a problem its codes, else the first sentence. */
function firstLine(text: string): string {
  const codes = [...text.matchAll(/^`([a-z-]+)` \(retry/gm)].map(([, code]) => code);
  return codes.length > 0 ? codes.join(', ') : text.split('. ')[0]!;
}
