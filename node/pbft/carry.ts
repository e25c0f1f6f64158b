import { batchDigest, nullBatch } from '../../ledger/block.ts';
import type { Certificate } from '../../ledger/checkpoint.ts';
import type { PreparedCertificate, ViewChange, ViewChangeBody, Vote } from './messages.ts';

/** What a new view takes over from the views below it. */
export interface Carry {
  /** s: the highest certified checkpoint among the VIEW-CHANGEs. */
  readonly base: number;
  /** Its certificate; undefined at the epoch's beginning. */
  readonly stable: Certificate | undefined;
  /** One vote for each height from s+1 to M, ascending. Heights above take fresh proposals. */
  readonly votes: readonly Vote[];
}

/**
 * V7: the one function that says what a new view must propose, run by its leader and by everyone who checks it. All
 * VIEW-CHANGEs, with every certificate in them, are verified before (verify.ts): a maximum over unverified ones would
 * let one member choose. `beginning` is the height below the epoch's first block.
 */
export function carryOf(epoch: number, view: number, viewChanges: readonly ViewChange[], beginning: number): Carry {
  const stable = highestStable(viewChanges);
  const base = stable?.checkpoint.height ?? beginning;
  const highest = new Map<number, PreparedCertificate>();
  let top = base;
  for (const { body } of viewChanges) {
    for (const certificate of body.prepared) {
      const { height, view: prepared } = certificate.vote;
      if (height <= base) continue;
      top = Math.max(top, height);
      const known = highest.get(height);
      if (known === undefined || prepared > known.vote.view) highest.set(height, certificate);
    }
  }
  const votes: Vote[] = [];
  for (let height = base + 1; height <= top; height++) {
    // No certificate among q members: nobody can have committed here, so the hole is filled.
    const digest = highest.get(height)?.vote.digest ?? batchDigest(nullBatch(height));
    votes.push({ epoch, view, height, digest });
  }
  return { base, stable, votes };
}

function highestStable(viewChanges: readonly ViewChange[]): Certificate | undefined {
  let highest: Certificate | undefined;
  for (const { body } of viewChanges) {
    const certificate = stableOf(body);
    if (certificate === undefined) continue;
    if (highest === undefined || certificate.checkpoint.height > highest.checkpoint.height) highest = certificate;
  }
  return highest;
}

/** The stable certificate of a VIEW-CHANGE; undefined while no checkpoint of the epoch is stable. */
export function stableOf({ stable }: ViewChangeBody): Certificate | undefined {
  return stable.kind === 'certificate' ? stable.value : undefined;
}
