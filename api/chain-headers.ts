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
