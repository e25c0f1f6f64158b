import { createApplication } from '../application.ts';
import { assets } from './assets.ts';
import { governance } from './governance.ts';
import { members } from './members.ts';
import { records } from './records.ts';

/** The application that this release carries. */
export const quorateApplication = createApplication({
  name: 'quorate',
  version: 1,
  modules: [members, governance, assets, records],
});
