#!/usr/bin/env node
// Plain JavaScript, so that any Node can at least say that it is too old.
import { existsSync, lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED = [22, 18];
/**
 * What only the start of a process can say: each half of a heap's young objects takes at most 8 MiB, where V8 would take 64, and
 * malloc gives back what is larger than 256 KiB, where glibc would keep more and more of it. docs/performance.md has the figures.
 */
const OPTIONS = ['--max-semi-space-size=8'];
const ENVIRONMENT = { MALLOC_MMAP_THRESHOLD_: '262144', MALLOC_TRIM_THRESHOLD_: '262144', MALLOC_TOP_PAD_: '65536' };

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const isNewEnough = major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1]);
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

if (isNewEnough) {
  if (process.argv[2] === 'start') beginAnew();
  await keepCompiled();
  // A checkout runs from source, unless what was built is of these very files; the package has only what was built.
  const isBuilt = !existsSync(path('../node/cli/main.ts')) || isCurrent();
  const { main } = await import(isBuilt ? '../dist/node/cli/main.js' : '../node/cli/main.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  // The repository brings a newer Node as an optional dependency.
  const bundled = path('../node_modules/node/bin/node');
  if (existsSync(bundled)) {
    const { spawn } = await import('node:child_process');
    const args = [...OPTIONS, path('quorate.js'), ...process.argv.slice(2)];
    const child = spawn(bundled, args, { stdio: 'inherit', env: { ...ENVIRONMENT, ...process.env } });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.on('exit', (code) => {
      process.exitCode = code ?? 1;
    });
  } else {
    console.error(
      `quorate needs Node ${NEEDED.join('.')} or newer, and this is Node ${process.versions.node}: install a newer one.`,
    );
    process.exitCode = 2;
  }
}

/** A node goes on with these, as the same process, unless it was started with them. What the operator says otherwise stays. */
function beginAnew() {
  const said = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ').replaceAll('_', '-');
  const options = said.includes('--max-semi-space-size') ? [] : OPTIONS;
  const isComplete = options.length === 0 && Object.keys(ENVIRONMENT).every((name) => name in process.env);
  if (isComplete || process.execve === undefined || process.platform === 'win32') return;
  const args = [...process.execArgv, ...options, path('quorate.js'), ...process.argv.slice(2)];
  process.execve(process.execPath, [process.execPath, ...args], { ...ENVIRONMENT, ...process.env });
}

/** Whether no file has changed since it went into `dist/node/`, by times and sizes. */
function isCurrent() {
  try {
    const sources = JSON.parse(readFileSync(path('../dist/node/sources.json'), 'utf8'));
    return sources.every(([source, mtimeMs, size]) => {
      const found = statSync(path(`../${source}`));
      return found.mtimeMs === mtimeMs && found.size === size;
    });
  } catch {
    return false;
  }
}

/**
 * Code is compiled once for this user. Threads and child processes find it by the environment; `NODE_COMPILE_CACHE` names
 * another place, and none if it is empty.
 */
async function keepCompiled() {
  const { enableCompileCache } = await import('node:module');
  const named = process.env.NODE_COMPILE_CACHE;
  if (named === '' || enableCompileCache === undefined) return;
  try {
    const directory = named === undefined ? ownCache() : named;
    process.env.NODE_COMPILE_CACHE = directory;
    // By name: an older Node takes a place under /tmp otherwise, whatever the environment says.
    enableCompileCache(directory);
  } catch {
    // No place of its own: everything is compiled again.
  }
}

/** A directory that is this user's alone: what lies there is run. Throws if there is none. */
function ownCache() {
  const caches = process.env.XDG_CACHE_HOME;
  const directory = join(caches !== undefined && isAbsolute(caches) ? caches : join(homedir(), '.cache'), 'quorate');
  if (!isAbsolute(directory)) throw new Error('no home');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const found = lstatSync(directory);
  const isOwn = process.getuid === undefined || (found.uid === process.getuid() && (found.mode & 0o022) === 0);
  if (!found.isDirectory() || !isOwn) throw new Error(`${directory} is not this user's alone`);
  return directory;
}
