import type { Parameters } from '../../ledger/parameters.ts';
import { faultsTolerated } from '../../ledger/validators.ts';
import { STRATEGIES, type Strategy } from './adversary.ts';
import type { Random } from './random.ts';

/** What a run may contain; `all` draws from everything. */
export const PROFILES = [
  'all',
  'crash',
  'network',
  'byzantine',
  'twins',
  'disk',
  'clock',
  'censor',
  'stale',
  'calm',
  'epochs',
] as const;
export type Profile = (typeof PROFILES)[number];

/** Everything about a run that is drawn before it begins. */
export interface Plan {
  /** Validators of genesis: machines 0 to n-1. */
  readonly n: number;
  /** At least n, n if undefined. Those beyond are candidates for later epochs, and nobody starts them but a script. */
  readonly machines?: number;
  readonly parameters: Partial<Parameters>;
  readonly realSignatures: boolean;
  /** Machines that are two copies of the correct code under one key. */
  readonly twins: readonly number[];
  readonly scripted: ReadonlyMap<number, readonly Strategy[]>;
  /** Machines whose disk may lose what it promised. */
  readonly fragile: readonly number[];
  readonly kinds: readonly FaultKind[];
  /** Length of the safety phase in virtual ms. */
  readonly stormMs: number;
  /** Faulty members go on after the network has healed. */
  readonly relentless: boolean;
  /** At most this long between two submissions of the random clients; 0 for none. */
  readonly loadMs?: number;
  /** Set and parameters change while the run goes on. */
  readonly operators?: boolean;
  /** Most members that the set grows to. */
  readonly most?: number;
}

/** Faults that the schedule draws from. A campaign that never saw one of them has not been one. */
export const FAULT_KINDS = [
  'storm',
  'partition',
  'oneWay',
  'flap',
  'hideCommits',
  'hidePrepares',
  'hideViews',
  'crash',
  'powerCut',
  'crashAtPoint',
  'crashAll',
  'ioError',
  'bitRot',
  'rollback',
  'wallJump',
  'drift',
  'pause',
  'slowDisk',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

const OF_PROFILE: Readonly<Record<Profile, readonly FaultKind[]>> = {
  all: FAULT_KINDS,
  crash: ['crash', 'powerCut', 'crashAtPoint', 'crashAll', 'storm'],
  network: ['storm', 'partition', 'oneWay', 'flap', 'hideCommits', 'hidePrepares'],
  byzantine: ['storm', 'partition', 'crash', 'hideCommits'],
  twins: ['storm', 'partition', 'oneWay', 'flap'],
  disk: ['crashAtPoint', 'powerCut', 'ioError', 'bitRot', 'rollback', 'slowDisk', 'crashAll'],
  clock: ['wallJump', 'drift', 'pause', 'storm'],
  censor: [],
  stale: ['hideViews', 'crash', 'hideCommits'],
  calm: [],
  epochs: [
    'storm',
    'partition',
    'oneWay',
    'crash',
    'powerCut',
    'crashAtPoint',
    'crashAll',
    'hideCommits',
    'pause',
    'rollback',
  ],
};

/** Few sets of parameters, so that their genesis files are made once. */
const PARAMETERS: readonly Partial<Parameters>[] = [
  { window: 8, viewTimeoutMs: 500, heartbeatMs: 1_500, leaderTerm: 10_000, inclusionTimeoutMs: 1_000 },
  { window: 8, viewTimeoutMs: 400, heartbeatMs: 2_000, leaderTerm: 12, inclusionTimeoutMs: 1_200 },
  { window: 1, viewTimeoutMs: 500, heartbeatMs: 1_000, leaderTerm: 10_000, inclusionTimeoutMs: 1_000 },
  { window: 2, viewTimeoutMs: 700, heartbeatMs: 2_500, leaderTerm: 7, inclusionTimeoutMs: 1_400 },
  {
    window: 4,
    viewTimeoutMs: 500,
    heartbeatMs: 1_500,
    leaderTerm: 30,
    inclusionTimeoutMs: 900,
    batchTransactionsMax: 2,
  },
];

export function drawPlan(random: Random, profile: Profile, nodes: number | undefined): Plan {
  const n = nodes ?? random.pick(profile === 'epochs' ? [4, 4, 4, 5, 7] : [4, 4, 4, 4, 4, 4, 4, 5, 6, 7, 7, 10]);
  const f = faultsTolerated(n);
  const members = random.shuffle(Array.from({ length: n }, (_, i) => i));
  const twins: number[] = [];
  const fragile: number[] = [];
  const scripted = new Map<number, Strategy[]>();
  for (const member of members.slice(0, f)) {
    const kind = drawFaulty(random, profile);
    if (kind === 'twin') twins.push(member);
    if (kind === 'fragile') fragile.push(member);
    if (kind === 'scripted') scripted.set(member, random.shuffle(STRATEGIES).slice(0, 1 + random.int(3)));
  }
  // One that goes on leading and leaving transactions out, and nothing else.
  if (profile === 'censor') scripted.set(0, ['censor']);
  if (profile === 'stale') scripted.set(0, ['staleLeader', 'gaps']);
  const kinds = random.shuffle(OF_PROFILE[profile]).slice(0, drawsSome(profile) ? 3 + random.int(5) : 20);
  return {
    n,
    parameters: random.pick(PARAMETERS),
    realSignatures: random.chance(0.02),
    twins,
    scripted,
    fragile,
    kinds,
    stormMs: 3_000 + random.int(7_000),
    relentless: profile === 'censor' || random.chance(0.5),
    // So dense that only T7 sees what is left out.
    ...(profile === 'censor' ? { loadMs: 60 } : {}),
    ...(profile === 'epochs' ? { operators: true, machines: n + 4, most: 7, stormMs: 8_000 + random.int(8_000) } : {}),
  };
}

function drawsSome(profile: Profile): boolean {
  return profile === 'all' || profile === 'epochs';
}

function drawFaulty(random: Random, profile: Profile): 'twin' | 'fragile' | 'scripted' | 'none' {
  switch (profile) {
    case 'twins':
      return 'twin';
    case 'byzantine':
      return 'scripted';
    case 'disk':
      return 'fragile';
    case 'all':
    case 'epochs':
      return random.pick(['twin', 'fragile', 'scripted', 'scripted', 'none']);
    default:
      return 'none';
  }
}
