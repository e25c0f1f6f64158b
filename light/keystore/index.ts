/** `quorate/client/node`: where an account's key is kept on a machine with files. */
export { createKeystore, openKeystore } from './keystore.ts';
export { KeyFileError } from './secret-file.ts';
