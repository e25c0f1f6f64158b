import type { NodePort } from './ports.ts';
import type { ProblemCode } from './problems.ts';

/** Of a set of many validators a sentence may name nearly all. */
const SENTENCE_CHARS_MAX = 400;

/** Why a node that waits for others refuses, and in the words of /v1/consensus/why what it waits for. */
export function withWhatItWaitsFor(code: ProblemCode, detail: string, node: NodePort): string {
  if (code !== 'no-quorum' && code !== 'syncing') return detail;
  const { sentence } = node.why();
  const short = sentence.length > SENTENCE_CHARS_MAX ? `${sentence.slice(0, SENTENCE_CHARS_MAX)}…` : sentence;
  return `${detail}. ${short} (/v1/consensus/why)`;
}
