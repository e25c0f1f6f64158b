/** Where an event stands: its block, and its place among all events of the block, whatever topics are asked for. */
export interface Position {
  readonly height: number;
  readonly index: number;
}

const NUMBER = '0|[1-9][0-9]{0,14}';
/** `<height>.<index>`: the id of an event. */
export const POSITION = new RegExp(`^(${NUMBER})\\.(${NUMBER})$`);

/** Of a text that POSITION has matched. */
export function parsePosition(text: string): Position {
  const [height = '', index = ''] = text.split('.');
  return { height: Number(height), index: Number(index) };
}

export function positionText({ height, index }: Position): string {
  return `${height}.${index}`;
}
