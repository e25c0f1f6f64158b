import { installMutant } from './mutants.ts';

/** To be imported before a test file: the mutant of the environment, installed in this process. */
installMutant(process.env.QUORATE_MUTANT!);
