/** Drawings as text, with no script and no font of their own. Everything is in user units, from the top left corner. */

/** Also says in which class a shape or text is drawn: see STYLE. */
export type Class = 'ink' | 'muted' | 'grid' | 'first' | 'second' | 'third' | 'fourth' | 'limit' | 'failed';

const FONT = 'font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const LIGHT = {
  paper: '#ffffff',
  ink: '#1f2328',
  muted: '#57606a',
  grid: '#d8dee4',
  first: '#0550ae',
  second: '#bc4c00',
  third: '#1a7f37',
  fourth: '#8250df',
  limit: '#6e7781',
  failed: '#cf222e',
};
const DARK = {
  paper: '#0d1117',
  ink: '#e6edf3',
  muted: '#9198a1',
  grid: '#30363d',
  first: '#58a6ff',
  second: '#f0883e',
  third: '#3fb950',
  fourth: '#bc8cff',
  limit: '#8b949e',
  failed: '#ff7b72',
};

const STYLE = `
svg { ${colours(LIGHT)} }
@media (prefers-color-scheme: dark) { svg { ${colours(DARK)} } }
text { ${FONT}; font-size: 13px; fill: var(--ink) }
.title { font-size: 16px; font-weight: 600 }
.note { font-size: 12px; fill: var(--muted) }
.paper { fill: var(--paper) }
${Object.keys(LIGHT)
  .filter((name) => name !== 'paper')
  .map((name) => `.${name} { fill: var(--${name}) }\n.${name}-line { stroke: var(--${name}); fill: none }`)
  .join('\n')}
`.trim();

function colours(theme: Readonly<Record<string, string>>): string {
  return Object.entries(theme)
    .map(([name, value]) => `--${name}: ${value}`)
    .join('; ');
}

export interface Drawing {
  readonly title: string;
  /** For those who don't see it: what it shows, with its figures. */
  readonly description: string;
  readonly width: number;
  readonly height: number;
}

/** The whole file. */
export function svg({ title, description, width, height }: Drawing, parts: readonly string[]): string {
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="description">${escaped(description)}</desc>`,
    `<style>\n${STYLE}\n</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    text(20, 28, title, { as: 'title' }),
    ...parts,
    '</svg>',
  ].join('\n')}\n`;
}

export interface TextOptions {
  readonly as?: Class | 'title' | 'note';
  readonly anchor?: 'start' | 'middle' | 'end';
  /** Reads upwards. */
  readonly upright?: boolean;
}

export function text(x: number, y: number, content: string, { as, anchor, upright }: TextOptions = {}): string {
  const attributes = [
    as && ` class="${as}"`,
    anchor && anchor !== 'start' && ` text-anchor="${anchor}"`,
    upright && ` transform="rotate(-90 ${places(x)} ${places(y)})"`,
  ];
  return `<text x="${places(x)}" y="${places(y)}"${attributes.filter(Boolean).join('')}>${escaped(content)}</text>`;
}

export function rect(x: number, y: number, width: number, height: number, as: Class, outlined = false): string {
  const cls = outlined ? `${as}-line` : as;
  return `<rect class="${cls}" x="${places(x)}" y="${places(y)}" width="${places(width)}" height="${places(height)}"/>`;
}

export type Point = readonly [x: number, y: number];

/** `dashes` as in SVG: lengths of line and gap. */
export function path(points: readonly Point[], as: Class, { width = 1, dashes = '' } = {}): string {
  const steps = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${places(x)} ${places(y)}`).join('');
  return `<path class="${as}-line" stroke-width="${width}"${dashes && ` stroke-dasharray="${dashes}"`} d="${steps}"/>`;
}

export function dot([x, y]: Point, as: Class, hollow = false): string {
  const cls = hollow ? `${as}-line` : as;
  return `<circle class="${cls}"${hollow ? ' stroke-width="2"' : ''} cx="${places(x)}" cy="${places(y)}" r="${hollow ? 4 : 5}"/>`;
}

export function diamond([x, y]: Point, as: Class): string {
  const r = 5.5;
  return `<path class="${as}-line" stroke-width="1.5" d="M${places(x - r)} ${places(y)}L${places(x)} ${places(y - r)}L${places(x + r)} ${places(y)}L${places(x)} ${places(y + r)}Z"/>`;
}

/** Two places: the same on every machine, whatever its last bits. */
function places(value: number): string {
  return String(Number(value.toFixed(2)));
}

function escaped(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
