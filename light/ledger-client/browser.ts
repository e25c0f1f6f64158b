/** The client library as a file for pages: with the modules that applications use, and without those of administrators. */
export { fromHex, toHex } from '../../ledger/bytes.ts';
export { accounts } from '../../ledger/modules/accounts.ts';
export { assets, balances, definitions } from '../../ledger/modules/assets.ts';
export { entries, records } from '../../ledger/modules/records.ts';
export { callsOf } from './calls.ts';
export { calls, connect } from './connect.ts';
export { QuorateError } from './errors.ts';
export { webCryptoSigner } from './signer.ts';
