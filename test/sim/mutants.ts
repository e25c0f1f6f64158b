export function installMutant(name: string): void {
  throw new Error(`no mutant ${name}`);
}
