import type { Genesis } from '../../genesis/genesis.ts';
import { checkProof } from './check.ts';
import { type Description, describe } from './describe.ts';
import { byId } from './dom.ts';
import { dropZone, refuseOtherDrops } from './drop-zone.ts';
import { type Read, readGenesisFile, readProofFile } from './files.ts';
import { announcement, descriptionNodes, dropProblem, genesisNodes, type Headline, Result } from './render.ts';
import { readExpectedId, readMaxAge, type Setting } from './settings.ts';

/** Results that stay on the page; the oldest go first. */
const RESULTS_MAX = 20;

interface Entry {
  readonly name: string;
  readonly proof: Read<string | Uint8Array>;
  readonly result: Result;
}

const entries: Entry[] = [];
let genesis: Genesis | undefined;

/** One thing after the other: what is shown always fits the genesis file and the settings beside it. */
let work: Promise<void> = Promise.resolve();
function enqueue(task: () => Promise<void>): void {
  work = work.then(task).catch((error: unknown) => {
    byId('proof-problem', HTMLElement).textContent = `This page failed, and what it shows may be old: ${error}`;
  });
}

/** After a change of the settings. Who types fast is answered once. */
let changes = 0;
function checkAgain(): void {
  changes += 1;
  const change = changes;
  enqueue(async () => {
    if (change === changes) await showAll();
  });
}

function start(): void {
  byId('unsupported', HTMLElement).hidden = true;
  for (const id of ['inputs', 'output']) byId(id, HTMLElement).hidden = false;
  byId('served', HTMLElement).hidden = location.protocol === 'file:';
  byId('inputs', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault());
  refuseOtherDrops();
  dropZone('genesis', ([file]) => {
    if (file !== undefined) enqueue(() => chooseGenesis(file));
  });
  dropZone('proof', (files, came) => {
    byId('proof-problem', HTMLElement).textContent = dropProblem(files.length, came);
    for (const file of files) enqueue(() => addProof(file));
  });
  for (const id of ['expected', 'max-age', 'max-age-unit']) {
    byId(id, HTMLElement).addEventListener('input', () => {
      showSettingProblems();
      checkAgain();
    });
  }
}

async function chooseGenesis(file: File): Promise<void> {
  // Until the new one is found sound nothing is trusted, and nothing afterwards if it is not.
  genesis = undefined;
  const read = await readGenesisFile(file);
  if (read.ok) genesis = read.value;
  byId('genesis-found', HTMLElement).replaceChildren(...genesisNodes(file.name, read));
  byId('genesis-zone', HTMLElement).classList.toggle('done', read.ok);
  byId('genesis-action', HTMLElement).textContent = read.ok ? 'Choose another genesis file' : 'Choose the genesis file';
  await showAll();
}

async function addProof(file: File): Promise<void> {
  const entry: Entry = { name: file.name, proof: await readProofFile(file), result: new Result(file.name) };
  for (const { result } of entries) result.node.open = false;
  entries.unshift(entry);
  for (const { result } of entries.splice(RESULTS_MAX)) result.node.remove();
  entry.result.show({ tone: 'waiting', verdict: 'Checking' });
  byId('empty', HTMLElement).hidden = true;
  byId('results', HTMLElement).prepend(entry.result.node);
  await show(entry);
  entry.result.reveal();
}

async function showAll(): Promise<void> {
  // Oldest first: the newest is announced last.
  for (const entry of entries.toReversed()) await show(entry);
}

async function show(entry: Entry): Promise<void> {
  const outcome = await judge(entry);
  if ('steps' in outcome) entry.result.show(outcome, ...descriptionNodes(outcome));
  else entry.result.show(outcome);
  byId('status', HTMLElement).textContent = announcement(entry.name, outcome);
}

/** A verdict is given only if everything that was asked for could be judged. */
async function judge({ proof }: Entry): Promise<Headline | Description> {
  if (!proof.ok) return { tone: 'bad', verdict: `Not checked: ${proof.problem}` };
  if (genesis === undefined) return { tone: 'waiting', verdict: 'Not checked yet: choose the genesis file' };
  const { expected, maxAge } = settings();
  if (maxAge.kind === 'problem') return { tone: 'waiting', verdict: 'Not checked: the maximum age can not be read' };
  const nowMs = Date.now();
  const report = await checkProof(proof.value, genesis, nowMs, maxAge.kind === 'given' ? maxAge.value : undefined);
  return describe(report, { genesis, expected, nowMs });
}

function settings(): { readonly expected: Setting<Uint8Array>; readonly maxAge: Setting<number> } {
  const unit = byId('max-age-unit', HTMLSelectElement).value;
  return {
    expected: readExpectedId(byId('expected', HTMLInputElement).value),
    maxAge: readMaxAge(byId('max-age', HTMLInputElement).value, unit),
  };
}

function showSettingProblems(): void {
  const { expected, maxAge } = settings();
  for (const [id, setting] of [
    ['expected', expected],
    ['max-age', maxAge],
  ] as const) {
    const isWrong = setting.kind === 'problem';
    byId(`${id}-problem`, HTMLElement).textContent = isWrong ? setting.problem : '';
    byId(id, HTMLElement).setAttribute('aria-invalid', String(isWrong));
  }
}

start();
