import { registerHooks } from 'node:module';
import type { Profile } from './profile.ts';

/** A known mistake: source text of the product, changed while it is loaded into a simulator's thread. */
export interface Mutant {
  readonly name: string;
  readonly patches: readonly Patch[];
  /** Where it shows soonest. */
  readonly profile?: Profile;
  /** A test file that must fail: it needs one schedule that seeds hit too rarely. */
  readonly test?: string;
}

interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const REPOSITORY = new URL('../../', import.meta.url).href;

const patch = (file: string, find: string, replace: string): Patch => ({ file, find, replace });
const of = (name: string, file: string, find: string, replace: string, profile?: Profile): Mutant => ({
  name,
  patches: [patch(file, find, replace)],
  ...(profile === undefined ? {} : { profile }),
});

/** The first is the canary: it breaks agreement always, so whoever does not see it sees nothing. */
export const MUTANTS: readonly Mutant[] = [
  of(
    'canary: every validator has its own chain',
    'node/ledger/ledger.ts',
    'headerOf(batch.height, this.#head.blockHash, content)',
    'headerOf(batch.height, this.#options.peerKey, content)',
  ),
  // Quorums
  of(
    'quorum is a simple majority',
    'ledger/validators.ts',
    'Math.ceil((n + faultsTolerated(n) + 1) / 2)',
    'Math.floor(n / 2) + 1 - (n > 3 ? 1 : 0)',
  ),
  of('quorum is f+1', 'ledger/validators.ts', 'Math.ceil((n + faultsTolerated(n) + 1) / 2)', 'faultsTolerated(n) + 1'),
  {
    name: 'prepared with one PREPARE too few',
    patches: [
      patch('node/pbft/voting.ts', 'if (slot.prepares.size < state.quorum - 1 || slot', 'if (slot'),
      patch(
        'node/pbft/voting.ts',
        'if (prepares.size < state.quorum - 1) return;',
        'if (prepares.size < state.quorum - 2) return;',
      ),
    ],
  },
  of(
    'committed with one COMMIT too few',
    'node/pbft/voting.ts',
    'if (commits.size < state.quorum || contradicts',
    'if (commits.size < state.quorum - 1 || contradicts',
  ),
  of(
    'stable with one CHECKPOINT too few',
    'node/pbft/checkpoints.ts',
    'if (equal.size < state.quorum) return checkSplit',
    'if (equal.size < state.quorum - 1) return checkSplit',
  ),
  of(
    'NEW-VIEW with one VIEW-CHANGE too few',
    'node/pbft/view-change.ts',
    'if (viewChanges.length < state.quorum) return;',
    'if (viewChanges.length < state.quorum - 1) return;',
  ),
  of(
    'COMMITs counted as messages, not as members',
    'node/pbft/voting.ts',
    "if (first !== undefined) return compareVotes(state, 'commit', sender, first, message, effects);\n  const kept = [...known, message].sort((a, b) => b.vote.view - a.vote.view).slice(0, COMMIT_VIEWS);\n  slot.commits.set(sender, kept);",
    'slot.commits.set(sender + state.peers.length * slot.commits.size, [message]);',
  ),
  // Counting
  of(
    'PREPAREs pooled over digests',
    'node/pbft/voting.ts',
    'if (prepares.size < state.quorum - 1 && equalBytes(prepare.vote.digest, vote.digest))',
    'if (prepares.size < state.quorum - 1)',
  ),
  of(
    'COMMITs pooled over digests',
    'node/pbft/voting.ts',
    'one.vote.view === vote.view && equalBytes(one.vote.digest, vote.digest)',
    'one.vote.view === vote.view',
  ),
  of(
    'COMMITs pooled over views',
    'node/pbft/voting.ts',
    'one.vote.view === vote.view && equalBytes(one.vote.digest, vote.digest)',
    'equalBytes(one.vote.digest, vote.digest)',
  ),
  of(
    'CHECKPOINTs pooled over contents',
    'node/pbft/checkpoints.ts',
    'if (equal.size < state.quorum && sameEncoding(checkpointCodec, vote.checkpoint, checkpoint))',
    'if (equal.size < state.quorum)',
  ),
  of(
    "the leader's PREPARE counts beside its PRE-PREPARE",
    'node/pbft/voting.ts',
    'sender === leaderOf(state) ||',
    '',
    'byzantine',
  ),
  // Durability
  of(
    'sent before it is persisted',
    'node/runner.ts',
    'const stored = records.map((record) => this.entryOf(record));',
    'const stored = records.map((record) => this.entryOf(record)); this.#signAndSend(then);',
  ),
  of(
    'the journal is not synced',
    'node/journal/journal.ts',
    'await this.#file!.sync();\n    active.size',
    'active.size',
  ),
  of(
    'blocks are not synced',
    'node/ledger/ledger.ts',
    'await stored.write({ sync: true });\n    this.#state.commit',
    'await stored.write({ sync: false });\n    this.#state.commit',
  ),
  of(
    'what a killed process wrote is believed to be durable',
    'node/journal/journal.ts',
    'await this.#file.sync();\n    await this.#files.sync();\n    await removeFormer',
    'await removeFormer',
  ),
  of(
    'the batch is not in the journal',
    'node/pbft/accepting.ts',
    "persist(state, records, isLeader(state) ? [] : [{ kind: 'prepare', vote }], effects);",
    "persist(state, [], isLeader(state) || records.length === 0 ? [] : [{ kind: 'prepare', vote }], effects);",
  ),
  of(
    'the prepared certificate is not in the journal',
    'node/pbft/voting.ts',
    "persist(state, [{ kind: 'prepared', certificate: slot.prepared, batch }], [{ kind: 'commit', vote }], effects);",
    "persist(state, [], batch === undefined ? [] : [{ kind: 'commit', vote }], effects);",
  ),
  of(
    'the low mark is not in the journal',
    'node/pbft/records.ts',
    'return stable === undefined ? [] :',
    'return stable === undefined || executed.height >= 0 ? [] :',
    'crash',
  ),
  of(
    'the VIEW-CHANGE is not in the journal',
    'node/pbft/view-change.ts',
    "persist(state, [{ kind: 'viewChange', body: state.asking }], [{",
    'persist(state, [], [{',
  ),
  of(
    'amnesia: the journal is not read',
    'node/pbft/restore.ts',
    'for (const record of restored.records) restoreRecord(state, record);',
    '',
  ),
  of(
    'the view is not restored',
    'node/pbft/restore.ts',
    "case 'newView':\n      return restoreNewView(state, record.value);",
    "case 'newView':\n      return;",
  ),
  of(
    'the VIEW-CHANGE is not restored',
    'node/pbft/restore.ts',
    'state.asked = record.value.view;\n      state.asking = record.value;',
    '',
  ),
  of(
    'the prepared certificate is not restored',
    'node/pbft/restore.ts',
    'if (slot.prepared === undefined || slot.prepared.vote.view < vote.view) slot.prepared = certificate;',
    '',
  ),
  of(
    'the leader forgets what it proposed',
    'node/pbft/restore.ts',
    'if (own) state.proposed = Math.max(state.proposed, vote.height);',
    'if (own) { slot.proposal = undefined; state.proposed = state.executed.height; }',
    'crash',
  ),
  of(
    'the journal is pruned above the stable height',
    'node/execution.ts',
    'this.#context.journal.prune(Math.min(this.#durable, this.finalHeight));',
    'this.#context.journal.prune(this.finalHeight + 1_000 * Math.min(1, this.#durable));',
    'crash',
  ),
  // View change
  of(
    'the certificate of the lowest view is carried',
    'node/pbft/carry.ts',
    'prepared > known.vote.view',
    'prepared < known.vote.view',
    'network',
  ),
  of(
    'the carry ends at the first hole',
    'node/pbft/carry.ts',
    'for (let height = base + 1; height <= top; height++) {',
    'for (let height = base + 1; height <= top && highest.has(height); height++) {',
  ),
  of('nothing is carried', 'node/pbft/carry.ts', 'top = Math.max(top, height);', ''),
  of(
    'certificates in VIEW-CHANGEs are not verified',
    'node/pbft/verify-view-change.ts',
    'const problem = preparedProblem(certificate, context);',
    'const problem = certificate.vote.view < 0 ? preparedProblem(certificate, context) : undefined;',
    'byzantine',
  ),
  {
    name: "the leader's carry is believed",
    patches: [
      patch(
        'node/pbft/verify-view-change.ts',
        'if (votes.length !== prePrepares.length) return',
        'if (votes.length < 0) return',
      ),
      patch(
        'node/pbft/verify-view-change.ts',
        'if (!same || !equalBytes(vote.digest, expected.digest)) {',
        'if (false as boolean && expected !== undefined && same && equalBytes(vote.digest, vote.digest)) {',
      ),
      patch(
        'node/pbft/view-change.ts',
        'const carry = carryOf(epoch, view, viewChanges, beginningOf(state));\n  enterView(state, view, carry, effects);\n  if (isHalted(state)) return;\n  state.newView = message;',
        'const carry = { ...carryOf(epoch, view, viewChanges, beginningOf(state)), votes: prePrepares.map(({ vote }) => vote) };\n  enterView(state, view, carry, effects);\n  if (isHalted(state)) return;\n  state.newView = message;',
      ),
      patch(
        'node/pbft/verify-view-change.ts',
        'const expected = votes[i]!;\n    const same = vote.epoch === epoch && vote.view === view && vote.height === expected.height;',
        'const expected = votes[i] ?? vote;\n    const same = vote.epoch === epoch && vote.view === view && vote.height === expected.height;',
      ),
    ],
    profile: 'byzantine',
  },
  of(
    'prepared certificates are dropped when a view is entered',
    'node/pbft/view-change.ts',
    'slot.proposal = undefined;\n    slot.prepares.clear();',
    'slot.proposal = undefined;\n    slot.prepared = undefined;\n    slot.prepares.clear();',
    'network',
  ),
  of(
    'VIEW-CHANGE without prepared certificates',
    'node/pbft/view-change.ts',
    'if (certificate !== undefined) prepared.push(certificate);',
    '',
    'network',
  ),
  of(
    'votes go on after a VIEW-CHANGE',
    'node/pbft/state.ts',
    "return state.mode === 'active' && state.asked <= state.view;",
    "return state.mode === 'active';",
  ),
  {
    name: 'a NEW-VIEW below the own VIEW-CHANGE is entered',
    patches: [
      patch(
        'node/pbft/view-change.ts',
        'view < state.asked) return;\n  const carry = carryOf(epoch, view, viewChanges, beginningOf(state));\n  enterView(state, view, carry, effects);\n  if (isHalted(state)) return;\n  state.newView = message;',
        'view < 0) return;\n  const carry = carryOf(epoch, view, viewChanges, beginningOf(state));\n  enterView(state, view, carry, effects);\n  if (isHalted(state)) return;\n  state.newView = message;',
      ),
      patch('node/pbft/view-change.ts', 'state.asked = Math.max(state.asked, view);', 'state.asked = view;'),
      patch(
        'node/pbft/useful.ts',
        'if (view < state.view || view < state.asked || view === 0) return false;',
        'if (view < state.view || view === 0) return false;',
      ),
    ],
    profile: 'network',
  },
  of(
    'the highest view is followed, whoever asks for it',
    'node/pbft/view-change.ts',
    'views.sort((a, b) => b - a)[faults] ?? 0',
    'views.sort((a, b) => b - a)[0] ?? 0',
    'byzantine',
  ),
  of(
    'carried batches are judged by the clock',
    'node/pbft/accepting.ts',
    'const judged = proposal.carried || slot.height <= state.executed.height;',
    'const judged = slot.height <= state.executed.height;',
  ),
  of(
    'at an executed height any digest is voted for',
    'node/pbft/state.ts',
    'return height > executed.height || sameDigest(ordered.get(height)?.digest, digest);',
    'return height > executed.height || ordered.size >= 0 || sameDigest(digest, digest);',
    'stale',
  ),
  of(
    'at an executed height nothing is voted for',
    'node/pbft/state.ts',
    'return height > executed.height || sameDigest(ordered.get(height)?.digest, digest);',
    'return height > executed.height;',
  ),
  of(
    'how a height was ordered is lost in a restart',
    'node/ledger/blocks.ts',
    "ordered: ordered.kind === 'here' ? { epoch, ...ordered.value } : undefined,",
    'ordered: undefined,',
    'crash',
  ),
  {
    name: 'the content of carried digests is not asked for',
    patches: [
      patch(
        'node/pbft/accepting.ts',
        "effects.push({ type: 'requestBatch', height: slot.height, digest: vote.digest, from: leaderOf(state) });",
        '',
      ),
      patch(
        'node/pbft/status.ts',
        'if (sameView && proposal?.signature !== undefined && proposal.batch !== undefined && held?.prePrepare !== true) {',
        'if (proposal?.batch !== undefined && proposal.signature !== undefined && !proposal.carried && held?.prePrepare !== true) {',
      ),
    ],
    profile: 'network',
  },
  of(
    'bodies are dropped when a view is entered',
    'node/ordering.ts',
    'this.#context.pool.enterView();',
    'this.#context.pool.enterView(); this.#context.bodies.stable(1_000_000);',
  ),
  of(
    'far views are buffered',
    'node/pbft/future.ts',
    'if (future === undefined || view < future.view || !inBuffer(state, height)) return;\n  if (view > future.view) {\n    future.view = view;\n    future.messages.clear();\n  }\n',
    'if (future === undefined || inBuffer(state, -height)) return;\n  future.messages.set(message.kind + view + height, message);\n',
    'byzantine',
  ),
  // Timers
  of(
    'the view timer never reaches its end',
    'node/pbft/view-timer.ts',
    'if (runs && !paused) timer.waited += elapsed;',
    'if (runs && !paused) timer.waited = elapsed;',
  ),
  of(
    'suspicion is not told',
    'node/pbft/status.ts',
    'suspects: state.timer.suspicion !== undefined,',
    'suspects: false,',
  ),
  of(
    'a leader that leaves transactions out is not suspected',
    'node/pbft/view-timer.ts',
    "if (waiting.overdue) return 'a transaction is left out';",
    '',
    'censor',
  ),
  of(
    'while waiting for a NEW-VIEW there is no timer',
    'node/pbft/view-timer.ts',
    'const runs = state.asked > state.view ? askersOf(state, state.asked) >= state.quorum : hasReason(state, now);',
    'const runs = state.asked === state.view && hasReason(state, now);',
  ),
  // Messages
  of(
    'signatures of votes are not verified',
    'node/pbft/checks.ts',
    'if (verify(signature, message, member.key)) return undefined;',
    'if (verify(signature, message, member.key) || message.length > 0) return undefined;',
    'byzantine',
  ),
  of(
    'certificates are not verified',
    'node/pbft/verify.ts',
    'const checked = verifyCertificate(message.value, context, context.verify);\n      return checked.ok ?',
    "const checked = verifyCertificate(message.value, context, context.verify);\n      return checked.ok || checked.problem !== '' ?",
    'byzantine',
  ),
  of(
    'commit certificates are not verified',
    'node/pbft/verify.ts',
    "badQuorum(commits, voteBytes(context.genesisId, 'commit', vote), quorum(context.validators.length), context)",
    "(badQuorum(commits, voteBytes(context.genesisId, 'commit', vote), 0, context) === undefined ? undefined : undefined)",
    'byzantine',
  ),
  of('equal votes are evidence', 'node/pbft/evidence.ts', 'if (equalBytes(vote.digest, otherVote.digest)) return;', ''),
  of('nothing is sent again', 'node/pbft/status.ts', 'let room = RESEND_MAX;', 'let room = 0;'),
  of(
    'the low mark goes back',
    'node/pbft/checkpoints.ts',
    'if (checkpoint.height <= state.low) return;',
    'if (checkpoint.height === state.low) return;',
  ),
  // Execution
  of(
    'transactions are executed again',
    'node/ledger/next-block.ts',
    'executedBefore: (id) => ids.has(id),',
    'executedBefore: (id) => id.length === 0,',
  ),
  of(
    'executed ids are forgotten in a restart',
    'node/ledger/ledger.ts',
    'for (const { header, ids } of blocks.recent) this.#ids.add(header, ids);',
    '',
  ),
  // Snapshots
  of(
    'the ids that a snapshot carries are forgotten',
    'node/ledger/opening.ts',
    'if (base.height === 0) return [];',
    'if (base.height >= 0) return [];',
  ),
  of(
    'executed transactions stay pending',
    'node/execution.ts',
    'pool.executed(height, keys);',
    'pool.leaveBatch(height);',
  ),
  of(
    'the certificate of a caught-up block is not compared',
    'node/sync.ts',
    "const problem = typeof judged === 'string' ? judged : chainProblem(context.executed(), answer);",
    "const problem = typeof judged === 'string' ? judged : undefined;",
    'byzantine',
  ),
  of(
    'whoever is behind never asks for blocks',
    'node/pbft/checkpoints.ts',
    "effects.push({ type: 'startSync', certificate: state.stable });",
    '',
  ),
  // Epochs
  of(
    'the quorum of the old set counts in the new epoch',
    'node/validator.ts',
    'this.#follow.entered();',
    'this.#follow.entered(); Object.assign(this.state, { quorum: before.quorum });',
    'epochs',
  ),
  of(
    'batches of an ended epoch are executed',
    'node/ledger/ledger.ts',
    'if (ordered.epoch < this.#epochs.current.number) return undefined;',
    '',
    'epochs',
  ),
  of(
    'an epoch is entered before the last block of the one before is stable',
    'node/pbft/checkpoints.ts',
    'lastHeight === undefined || certified !== lastHeight || stable === undefined',
    'lastHeight === undefined || certified > lastHeight || stable === undefined',
    'epochs',
  ),
  {
    name: 'the carry of an epoch without a stable checkpoint begins at genesis',
    patches: [
      patch('node/pbft/state.ts', 'return config.firstHeight - 1;', 'return 0 * config.firstHeight;'),
      patch('node/epochs.ts', 'beginning: firstHeight - 1,', 'beginning: 0 * firstHeight,'),
    ],
    profile: 'epochs',
  },
  of(
    'the guard goes on with the views of the epoch before',
    'node/guard.ts',
    'this.#self = self;\n    this.#asked = 0;\n    this.#slots.clear();',
    'this.#self = self;',
    'epochs',
  ),
  {
    name: 'nobody is asked in a later epoch what it holds of the own signatures',
    patches: [
      patch(
        'node/pbft/restore.ts',
        'state.answered.size < state.quorum - 1) return;',
        '(state.config.epoch === 0 && state.answered.size < state.quorum - 1)) return;',
      ),
    ],
    test: 'test/sim/epochs.test.ts',
  },
  {
    name: 'nothing is dropped above the last height of an epoch',
    patches: [
      patch('node/pbft/checkpoints.ts', 'state.handedOver = Math.min(state.handedOver, height);', ''),
      patch(
        'node/pbft/checkpoints.ts',
        'for (const of of perHeight) for (const known of of.keys()) if (known > height) of.delete(known);',
        'void perHeight;',
      ),
    ],
    test: 'test/node/pbft/epochs.test.ts',
  },
  {
    name: 'what waited for the disk is signed in the next epoch',
    patches: [
      patch('node/runner.ts', 'if (epochOf(unsigned) !== config.epoch) return true;', ''),
      patch('node/guard.ts', 'assert(epoch === this.#epoch, `asked', 'assert(epoch >= 0, `asked'),
    ],
    test: 'test/node/runner.test.ts',
  },
  {
    name: 'a candidate is added although nobody hears it',
    patches: [
      patch(
        'node/ordering.ts',
        'candidates.length === 0 || this.#context.areHeard(candidates)',
        'candidates.length >= 0',
      ),
    ],
    test: 'test/sim/epochs.test.ts',
  },
  {
    name: 'who leaves keeps to itself what it has accepted',
    patches: [patch('node/validator.ts', 'this.#forwarding.enteredEpoch();', '')],
    test: 'test/sim/epochs.test.ts',
  },
  of(
    'a failed fsync is not fatal',
    'node/journal/journal.ts',
    'this.#failed = error;\n    for (const { reject } of [...taken, ...this.#waiting]) reject(error);\n    this.#waiting = [];\n    onFatal(error);',
    'this.#working = undefined;\n    for (const { resolve } of taken) resolve(this.#mark);\n    if (onFatal === undefined) throw error;',
    'disk',
  ),
  of('what was acknowledged is forgotten at a start', 'node/intake.ts', 'pool.add(entry, now(), isFit);', 'continue;'),
  of(
    'what is acknowledged is not synced',
    'node/pending-log.ts',
    'await this.#file.write(packed, segment.size);\n    await this.#file.sync();',
    'await this.#file.write(packed, segment.size);',
  ),
  of(
    'the log of what is pending forgets what still is',
    'node/pending-log.ts',
    'if (live.length > 0) await this.#write(live);',
    'if (live.length > 1e9) await this.#write(live);',
  ),
];

/** Changes the product's source while it is loaded; to be called before anything of it is imported. */
export function installMutant(name: string): void {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (mutant === undefined) throw new Error(`no mutant ${name}`);
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const patches = mutant.patches.filter(({ file }) => url === REPOSITORY + file);
      if (patches.length === 0) return loaded;
      let source = String(loaded.source);
      for (const { file, find, replace } of patches) source = patched(source, file, find, replace);
      return { ...loaded, source };
    },
  });
}

/** A patch fits its place exactly once, or it is out of date. */
export function patched(source: string, file: string, find: string, replace: string): string {
  const parts = source.split(find);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} places that read ${JSON.stringify(find)}`);
  return parts.join(replace);
}
