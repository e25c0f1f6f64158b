/** Numbers from a seed: mulberry32. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const EDGES = [0, 1, 0x7f, 0x80, 0xff];

/** One to four small changes of the kinds that break decoders: bits, edge bytes, lengths, cuts, doubles, splices. */
export function mutate(bytes: Uint8Array, other: Uint8Array, random: (below: number) => number): Uint8Array {
  let mutant = bytes;
  for (let round = 1 + random(4); round > 0; round--) mutant = change(mutant, other, random);
  return mutant;
}

function change(bytes: Uint8Array, other: Uint8Array, random: (below: number) => number): Uint8Array {
  const at = random(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random(40));
  const copy = bytes.slice();
  switch (random(9)) {
    case 0:
      if (at < copy.length) copy[at]! ^= 1 << random(8);
      return copy;
    case 1:
      if (at < copy.length) copy[at] = EDGES[random(EDGES.length)]!;
      return copy;
    case 2:
      return Uint8Array.of(...bytes.subarray(0, at), random(256), ...bytes.subarray(at));
    case 3:
      return Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(end));
    case 4:
      return bytes.slice(0, at);
    case 5:
      return Uint8Array.of(...bytes.subarray(0, end), ...bytes.subarray(at));
    case 6: {
      const from = random(other.length + 1);
      return Uint8Array.of(...bytes.subarray(0, at), ...other.subarray(from, from + 40), ...bytes.subarray(end));
    }
    case 7:
      // A length or count as large as can be.
      return copy.fill(0xff, at, at + [1, 2, 4, 8][random(4)]!);
    default:
      return copy.fill(0, at, at + [1, 2, 4, 8][random(4)]!);
  }
}
