import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

/**
 * Machines of their own for validators: one network namespace each, with two links. By `peers`, at a bridge, they reach each
 * other, by `client` this process reaches them. So one that is cut off from the others can still be asked, and one that no
 * client reaches can still vote. Linux only, as root. All names begin with one that no other running process uses.
 */

export interface Namespaces {
  /** Where validators listen for each other, one for each member. */
  readonly peerAddresses: readonly string[];
  /** Where clients find the members. */
  readonly clientAddresses: readonly string[];
  /** A command that runs inside; the process is the command's own, not one around it. */
  inside(member: number, command: string, ...args: readonly string[]): readonly [string, readonly string[]];
  /** The link to the other members is down; sockets stay open and nobody is told. */
  isolate(member: number): void;
  /** These reach each other, and the others each other, but nobody of one group anybody of the other. */
  split(group: readonly number[]): void;
  /** Clients reach this member no more. */
  hide(member: number): void;
  /** Everybody reaches everybody. */
  heal(): void;
  /** Removes everything that was made. What still runs inside must have ended. */
  remove(): void;
}

const SIDES = ['a', 'b'] as const;
/** Not in everybody's PATH. */
export const IP = existsSync('/usr/sbin/ip') ? '/usr/sbin/ip' : 'ip';

/** Why there can be none here, or undefined. */
export function namespacesProblem(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid?.() !== 0) return 'network namespaces are made by root';
  const name = prefix();
  try {
    ip(`netns add ${name}try`);
    ip(`link add ${name}b type bridge`);
    return undefined;
  } catch (error) {
    return `this system makes no network namespaces and bridges: ${(error as Error).message.split('\n')[0]}`;
  } finally {
    quietly(() => ip(`link delete ${name}b`));
    quietly(() => ip(`netns delete ${name}try`));
  }
}

export function createNamespaces(count: number): Namespaces {
  const name = prefix();
  const network = freeNetwork();
  const members = Array.from({ length: count }, (_, i) => i);
  const heal = (): void => {
    for (const i of members) {
      ip(`link set ${name}p${i} master ${name}a up`);
      ip(`link set ${name}c${i} up`);
      // The address of this end stays when the link goes down, the route goes.
      ip(`address replace ${network}.${4 * i + 1}/30 dev ${name}c${i}`);
    }
  };
  const remove = (): void => {
    process.off('exit', remove);
    for (const side of SIDES) quietly(() => ip(`link delete ${name}${side}`));
    for (const i of members) {
      // At once, where a namespace only goes when the last process in it has.
      for (const kind of ['p', 'c']) quietly(() => ip(`link delete ${name}${kind}${i}`));
      quietly(() => ip(`netns delete ${name}n${i}`));
    }
  };
  // Also when a test fails before it comes to its end.
  process.once('exit', remove);
  try {
    for (const side of SIDES) ip(`link add ${name}${side} type bridge`, `link set ${name}${side} up`);
    for (const i of members) {
      const own = `${name}n${i}`;
      ip(`netns add ${own}`);
      ip(`link add ${name}p${i} type veth peer name peers netns ${own}`);
      ip(`link add ${name}c${i} type veth peer name client netns ${own}`);
      ip(`-n ${own} link set lo up`);
      ip(`-n ${own} address add ${peerAddress(i)}/24 dev peers`, `-n ${own} link set peers up`);
      ip(`-n ${own} address add ${network}.${4 * i + 2}/30 dev client`, `-n ${own} link set client up`);
    }
    heal();
  } catch (error) {
    remove();
    throw error;
  }
  return {
    peerAddresses: members.map(peerAddress),
    clientAddresses: members.map((i) => `${network}.${4 * i + 2}`),
    inside: (member, command, ...args) => [IP, ['netns', 'exec', `${name}n${member}`, command, ...args]],
    isolate: (member) => ip(`link set ${name}p${member} down`),
    split(group) {
      for (const i of group) ip(`link set ${name}p${i} master ${name}b`);
    },
    hide: (member) => ip(`link set ${name}c${member} down`),
    heal,
    remove,
  };
}

/** Interfaces have at most 15 characters; this leaves seven. */
function prefix(): string {
  return `q${process.pid.toString(36)}`;
}

/** Nothing outside the namespaces has an address in this network. */
function peerAddress(member: number): string {
  return `10.77.0.${member + 1}`;
}

/** Three numbers that no address of this machine begins with; another process of this kind begins elsewhere. */
function freeNetwork(): string {
  const taken = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  for (let i = 0; i < 256; i++) {
    const network = `10.${100 + ((process.pid >> 8) % 100)}.${(process.pid + i) % 256}`;
    if (!taken.some(({ address }) => address.startsWith(`${network}.`))) return network;
  }
  throw new Error('no network is free for the namespaces');
}

/** Lines of `ip`, one after the other. */
function ip(...lines: readonly string[]): void {
  for (const line of lines) execFileSync(IP, line.split(' '), { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** What was never made can't be removed. */
function quietly(remove: () => void): void {
  try {
    remove();
  } catch {
    // It is gone, which is what was wanted.
  }
}
