import { fromHex } from './bytes.ts';
import type { VerifySignature } from './signature.ts';

/** One case of rule S5 in hex (`0x…`); lengths may be wrong on purpose. */
export interface EdgeVector {
  readonly name: string;
  readonly publicKey: string;
  readonly message: string;
  readonly signature: string;
  /** The verdict of S5. */
  readonly valid: boolean;
}

/** Names of the edge vectors on which `verify` differs from S5; none for a correct one. A node runs it at start. */
export function checkEngine(verify: VerifySignature): string[] {
  return EDGE_VECTORS.filter((vector) => {
    const [signature, message, publicKey] = [vector.signature, vector.message, vector.publicKey].map(
      (hex) => fromHex(hex)!,
    );
    return verify(signature!, message!, publicKey!) !== vector.valid;
  }).map(({ name }) => name);
}

/**
 * Where Ed25519 verifiers differ, after "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, SSR 2020), and the
 * first two vectors of RFC 8032. Made by test/ledger/make-edge-vectors.ts: in each refused case some verifier's
 * equation holds, so that only the named reason decides. T is a point of order 8.
 */
export const EDGE_VECTORS: readonly EdgeVector[] = [
  {
    name: 'RFC 8032 test 1, empty message',
    publicKey: '0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '0x',
    signature:
      '0xe5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    valid: true,
  },
  {
    name: 'RFC 8032 test 2',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '0x72',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    valid: true,
  },
  {
    name: 'one bit of the message flipped',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '0x73',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    valid: false,
  },
  {
    name: 'one bit of R flipped',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '0x72',
    signature:
      '0x93a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    valid: false,
  },
  {
    name: 'sign bit of R flipped',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '0x72',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb695a085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    valid: false,
  },
  {
    name: 'one bit of S flipped',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '0x72',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da095ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    valid: false,
  },
  {
    name: 'sign bit of the key flipped',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4668c',
    message: '0x72',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    valid: false,
  },
  {
    name: 'S + L',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '0x72',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69daf52db7415978abc61b2c2eb6aeebfca0387b2eaeb4302aeeb00d291612bb0c10',
    valid: false,
  },
  {
    name: 'S + 8L',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '0x72',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da70f96fcc112e2c2ff875f32ac5c01533397b2eaeb4302aeeb00d291612bb0c80',
    valid: false,
  },
  {
    name: 'S with its top bit set',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '0x72',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c80',
    valid: false,
  },
  {
    name: 'signature of 63 bytes',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '0x72',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c',
    valid: false,
  },
  {
    name: 'signature of 65 bytes',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '0x72',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c0000',
    valid: false,
  },
  {
    name: 'no signature',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '0x72',
    signature: '0x',
    valid: false,
  },
  {
    name: 'key of 31 bytes',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af466',
    message: '0x72',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    valid: false,
  },
  {
    name: 'key of 33 bytes',
    publicKey: '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c00',
    message: '0x72',
    signature:
      '0x92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    valid: false,
  },
  {
    name: 'zeros for key and signature',
    publicKey: '0x0000000000000000000000000000000000000000000000000000000000000000',
    message: '0x72',
    signature:
      '0x00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000',
    valid: false,
  },
  {
    name: 'mixed-order key, [k]A without torsion',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0001',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb56d753d36313a508c4104bbcfd489339f2ff282d94464261851e921cb81264610b',
    valid: true,
  },
  {
    name: 'mixed-order key, valid only with the cofactor',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0007',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb5693684e67d06caacf2ea4c4074c974536444ecdf12e25233b2c36752af6ae830e',
    valid: false,
  },
  {
    name: 'mixed-order key, valid only with the unreduced challenge',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x000d',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb561216a4f32e425fab2a076c602c91883ad58f97d83edb926809e17232a49dd60c',
    valid: false,
  },
  {
    name: 'mixed-order key and R, the torsion cancels',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0001',
    signature:
      '0x938045fb0ca81173203ca2208ef617dad803f1b07975b653ac8dddae7b115271b4de2f9696a9569b32a71eb5272eb16ca98b9e1207d34235fd199a803b3dfc09',
    valid: true,
  },
  {
    name: 'mixed-order key and R, valid only with the cofactor',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0005',
    signature:
      '0x938045fb0ca81173203ca2208ef617dad803f1b07975b653ac8dddae7b115271724b7c25926a677e6c15153cf99939f9262548248cff1261e23902163829360b',
    valid: false,
  },
  {
    name: 'mixed-order R, valid only with the cofactor',
    publicKey: '0xbf512469e7f9b766bf5c75e47e84fda3ec887bd24d79b9165c19e01a88fe5f72',
    message: '0x0000',
    signature:
      '0x938045fb0ca81173203ca2208ef617dad803f1b07975b653ac8dddae7b1152716d6293477a79b4786cb79c2ad14854ad8d2e4c6602c91e797804b444e105a50a',
    valid: false,
  },
  {
    name: 'key of order 1: [0]T',
    publicKey: '0x0100000000000000000000000000000000000000000000000000000000000000',
    message: '0x0000',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'key of order 2: [4]T',
    publicKey: '0xecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    message: '0x0000',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'key of order 4: [2]T',
    publicKey: '0x0000000000000000000000000000000000000000000000000000000000000080',
    message: '0x0004',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'key of order 4: [6]T',
    publicKey: '0x0000000000000000000000000000000000000000000000000000000000000000',
    message: '0x0001',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'key of order 8: [1]T',
    publicKey: '0xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    message: '0x000d',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'key of order 8: [3]T',
    publicKey: '0x26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    message: '0x0002',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'key of order 8: [5]T',
    publicKey: '0x26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    message: '0x0001',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'key of order 8: [7]T',
    publicKey: '0xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    message: '0x000a',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'R of order 1: [0]T',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0007',
    signature:
      '0x01000000000000000000000000000000000000000000000000000000000000009cf9276377f22012b086f7f79a40b0d99ba896d81266d1a785d54526b31cb40b',
    valid: false,
  },
  {
    name: 'R of order 2: [4]T',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x000a',
    signature:
      '0xecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f6d16ce96040dc5fbaffe55839a41444cf6a1afececfd7637789dc459e47ec002',
    valid: false,
  },
  {
    name: 'R of order 4: [2]T',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0005',
    signature:
      '0x000000000000000000000000000000000000000000000000000000000000008039769516444a5c47fda871faf40f5628d298dee71f9fb5ade0d0228103f05d00',
    valid: false,
  },
  {
    name: 'R of order 4: [6]T',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0002',
    signature:
      '0x00000000000000000000000000000000000000000000000000000000000000000e7210d0798939e7e2bee113d4270c1ef98f79238024479f45b2d2bb7171cc04',
    valid: false,
  },
  {
    name: 'R of order 8: [1]T',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0001',
    signature:
      '0xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037adfb4ce564b731e1807e3f0eb6244df9adb366feda434cf7f6f37da15c3cd1607',
    valid: false,
  },
  {
    name: 'R of order 8: [3]T',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0003',
    signature:
      '0x26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05bd38ebefaa93125bb679207d7f8ef053058774201d6c3b71dcf6f04a25baf804',
    valid: false,
  },
  {
    name: 'R of order 8: [5]T',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0009',
    signature:
      '0x26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc852853687468f12542c3bbdc2c90f679868410b6a1e27f48501b8016b4db9c8b08',
    valid: false,
  },
  {
    name: 'R of order 8: [7]T',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0002',
    signature:
      '0xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03faa8d22ec60f859797af10e4634db50c02202e2c7cdffb2fe4f2000b516b5d7203',
    valid: false,
  },
  {
    name: 'key and R of order 8, S = 0',
    publicKey: '0xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    message: '0x0009',
    signature:
      '0xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa0000000000000000000000000000000000000000000000000000000000000000',
    valid: false,
  },
  {
    name: 'non-canonical key, y = p',
    publicKey: '0xedffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    message: '0x0000',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical key, y = p, challenge over the canonical one',
    publicKey: '0xedffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    message: '0x0001',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical R, y = p',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x000c',
    signature:
      '0xedffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7ff827444ff14313933cbf9402bb803538dbf700bd9ed1028f42f2585a730ed80d',
    valid: false,
  },
  {
    name: 'non-canonical key, y = p with sign bit',
    publicKey: '0xedffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    message: '0x0002',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical key, y = p with sign bit, challenge over the canonical one',
    publicKey: '0xedffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    message: '0x0004',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical R, y = p with sign bit',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0002',
    signature:
      '0xedffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff2233b18aed71c6d327a5110307ce09d04950ce120526b396e6bf451f34946d03',
    valid: false,
  },
  {
    name: 'non-canonical key, y = p + 1',
    publicKey: '0xeeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    message: '0x0000',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical key, y = p + 1, challenge over the canonical one',
    publicKey: '0xeeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    message: '0x0000',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical R, y = p + 1',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0001',
    signature:
      '0xeeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7fa85306e2a28a4e10c6e56f2db345dd07c0772ea5716098e5f04e56ef6d753402',
    valid: false,
  },
  {
    name: 'non-canonical key, y = p + 1 with sign bit',
    publicKey: '0xeeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    message: '0x0000',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical key, y = p + 1 with sign bit, challenge over the canonical one',
    publicKey: '0xeeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    message: '0x0000',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical R, y = p + 1 with sign bit',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0026',
    signature:
      '0xeeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff734bb29bbc0b51a39978b0815c8135a47ee76bf35e9451ea83efe3cd422ca903',
    valid: false,
  },
  {
    name: 'non-canonical key, y = 1 with sign bit',
    publicKey: '0x0100000000000000000000000000000000000000000000000000000000000080',
    message: '0x0000',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical key, y = 1 with sign bit, challenge over the canonical one',
    publicKey: '0x0100000000000000000000000000000000000000000000000000000000000080',
    message: '0x0000',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical R, y = 1 with sign bit',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0002',
    signature:
      '0x01000000000000000000000000000000000000000000000000000000000000801ef78a453c398b324acfa2868be3d1bcbdd20cca7affc6abd7ae89e09bf34a00',
    valid: false,
  },
  {
    name: 'non-canonical key, y = -1 with sign bit',
    publicKey: '0xecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    message: '0x0000',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical key, y = -1 with sign bit, challenge over the canonical one',
    publicKey: '0xecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    message: '0x0000',
    signature:
      '0xa9a4b61b52db164253147e0c5bd20852d7ab4763e996d0117febccbc7a1abb563ed3f4d0fadb42cb77d42a7ea57def2bad464bd1ae0c896dd077c04358415c04',
    valid: false,
  },
  {
    name: 'non-canonical R, y = -1 with sign bit',
    publicKey: '0xa00d1ab7f3fbc5f8a6a6197bcc37dfa6cb008e8c86fba5303a4d0391d43aa32b',
    message: '0x0006',
    signature:
      '0xecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffd72b262d885259960e427d0fd836005d5c42c99469b2e81fac9a6b04500daa05',
    valid: false,
  },
  {
    name: 'non-canonical key of large order, y = p + 3',
    publicKey: '0xf0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    message: '0x00',
    signature:
      '0x58666666666666666666666666666666666666666666666666666666666666660100000000000000000000000000000000000000000000000000000000000000',
    valid: false,
  },
  {
    name: 'key not on the curve, y = 2',
    publicKey: '0x0200000000000000000000000000000000000000000000000000000000000000',
    message: '0x00',
    signature:
      '0x58666666666666666666666666666666666666666666666666666666666666660100000000000000000000000000000000000000000000000000000000000000',
    valid: false,
  },
  {
    name: 'R not on the curve, y = 2',
    publicKey: '0xbf512469e7f9b766bf5c75e47e84fda3ec887bd24d79b9165c19e01a88fe5f72',
    message: '0x0000',
    signature:
      '0x0200000000000000000000000000000000000000000000000000000000000000be7c9d5c67fb18e4223aa6206e6ae9818e3a1d1bb32e99c36d7d5e325dc44e00',
    valid: false,
  },
];
