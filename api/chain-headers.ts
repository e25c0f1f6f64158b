import type { NodePort } from './ports.ts';

/** Where the chain stands at this node, for every answer. */
export function chainHeaders(node: NodePort): Record<string, string> {
  const { height, finalHeight, time } = node.chain();
  return {
    'quorate-height': String(height),
    'quorate-final-height': String(finalHeight),
    'quorate-time': String(time),
  };
}

/** None of a node that has failed itself. */
export function safeChainHeaders(node: NodePort): Record<string, string> {
  try {
    return chainHeaders(node);
  } catch {
    return {};
  }
}
