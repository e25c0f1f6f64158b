/**
 * What people call organisations, accounts and roles: visible characters, with single spaces between words and none at the
 * ends, so that two names that look the same seldom differ.
 */
export function isReadableName(name: string): boolean {
  return name.split(' ').every((word) => word !== '' && [...word].every(isVisible));
}

/** Controls, spaces of every kind, and marks that hide or reorder text: [first, last] code points. */
const INVISIBLE: readonly (readonly [number, number])[] = [
  [0x00, 0x20],
  [0x7f, 0xa0],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x1680, 0x1680],
  [0x180e, 0x180e],
  [0x2000, 0x200f],
  [0x2028, 0x202f],
  [0x205f, 0x206f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe007f],
];

/** Fixed ranges and no Unicode property: engines know different versions of Unicode, a name has one verdict. */
function isVisible(character: string): boolean {
  const point = character.codePointAt(0)!;
  return !INVISIBLE.some(([first, last]) => point >= first && point <= last);
}
