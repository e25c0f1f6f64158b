import assert from 'node:assert/strict';
import type { Report } from '../../light/report.ts';

/** The name of the step at which a verification ended, or `verified`; checks that the report is of one piece. */
export function outcome({ ok, steps, facts }: Report): string {
  const failed = steps.findIndex(({ status }) => status === 'failed');
  if (ok) {
    assert.equal(failed, -1);
    assert(steps.every(({ status }) => status === 'passed'));
    assert(facts !== undefined);
    return 'verified';
  }
  assert.equal(facts, undefined);
  assert(failed >= 0, 'a refusal names a step');
  assert(steps.slice(0, failed).every(({ status }) => status === 'passed'));
  assert(steps.slice(failed + 1).every(({ status }) => status === 'not-reached'));
  assert.notEqual(steps[failed]!.detail, '');
  return steps[failed]!.name;
}
