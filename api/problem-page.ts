import { sha256 } from '../ledger/hash.ts';
import { PROBLEMS, type ProblemCode, problemBody, problemPath, RETRIES } from './problems.ts';

/** Pages about problems, for people: HTML without a script, a link to anywhere else, or anything to load. */

const STYLE = `:root{color-scheme:light dark;--text:#1b1f24;--soft:#59636e;--line:#d5dae0;--back:#fff;--tint:#f3f5f7;--link:#0a58c2}
@media(prefers-color-scheme:dark){:root{--text:#e4e8ec;--soft:#9aa5b1;--line:#39424c;--back:#14181d;--tint:#1d232a;--link:#79b0ff}}
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--text);font:16px/1.55 system-ui,sans-serif}
main{max-width:46rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}nav{font-size:.9rem}a{color:var(--link)}
h1{font-size:1.7rem;line-height:1.25;margin:.8rem 0 .3rem}h2{font-size:1.05rem;margin:2rem 0 .3rem}p{margin:.3rem 0}
code,pre{font:.9em/1.5 ui-monospace,monospace}code{background:var(--tint);border-radius:.25rem;padding:.1em .3em;overflow-wrap:anywhere}
pre{background:var(--tint);border:1px solid var(--line);border-radius:.4rem;padding:.9rem 1rem;white-space:pre-wrap;overflow-wrap:anywhere}
.facts{color:var(--soft)}table{border-collapse:collapse;width:100%;margin-top:1.2rem}
th{text-align:left;font-weight:600;color:var(--soft)}th,td{padding:.4rem .9rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td:first-child{white-space:nowrap}td code{overflow-wrap:normal}@media(max-width:34rem){th:nth-child(3),td:nth-child(3){display:none}td:first-child{white-space:normal}}`;

export const PROBLEM_PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${Buffer.from(sha256(Buffer.from(STYLE))).toString('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function problemPage(code: ProblemCode): string {
  const { status, title, retry, description, remedy, ...rest } = PROBLEMS[code];
  const retryAfter = 'retryAfter' in rest ? rest.retryAfter : undefined;
  const example = JSON.stringify(problemBody(code, rest.example), undefined, 2);
  const answer = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/problem+json; charset=utf-8',
    ...(retryAfter === undefined ? [] : [`Retry-After: ${retryAfter}`]),
    '',
    example,
  ].join('\n');
  return page(
    title,
    `<nav><a href="/problems">All problems</a> · <a href="/docs">API</a></nav>
<h1>${escaped(title)}</h1>
<p class="facts"><code>${code}</code> · HTTP ${status} · retry <code>${retry}</code></p>
<h2>What happened</h2><p>${prose(description)}</p>
<h2>What to do</h2><p>${prose(remedy)}</p>
<h2>Trying again</h2><p>${escaped(RETRIES[retry])}</p>
<h2>Such an answer</h2><pre>${escaped(answer)}</pre>`,
  );
}

export function problemsPage(): string {
  const rows = (Object.keys(PROBLEMS) as ProblemCode[]).map((code) => {
    const { status, title, retry } = PROBLEMS[code];
    const link = `<a href="${problemPath(code)}"><code>${code}</code></a>`;
    return `<tr><td>${link}</td><td>${status}</td><td>${retry}</td><td>${escaped(title)}</td></tr>`;
  });
  const retries = Object.entries(RETRIES).map(([retry, says]) => `<p><code>${retry}</code> ${escaped(says)}</p>`);
  return page(
    'Problems that this API answers',
    `<nav><a href="/docs">API</a></nav>
<h1>Problems that this API answers</h1>
<p>Each error is <code>application/problem+json</code> (RFC 9457) with a stable <code>code</code>.</p>
<table><thead><tr><th>code</th><th>HTTP</th><th>retry</th><th>title</th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table>
<h2>retry</h2>${retries.join('')}`,
  );
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escaped(title)} – Quorate</title><style>${STYLE}</style></head><body><main>
${body}
</main></body></html>
`;
}

/** Names in backticks become code. */
function prose(text: string): string {
  return escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
