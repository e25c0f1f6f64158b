import { z } from 'zod';
import { utf8Encode } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { PROBLEM_PAGE_POLICY, problemPage, problemsPage } from '../problem-page.ts';
import { PROBLEMS, Problem, type ProblemCode, problemBody } from '../problems.ts';
import { none, type RouteAnswer, type RouteRequest, route } from '../route.ts';
import { problemKind, problemKinds } from '../schemas.ts';

export const problemsRoute = route({
  method: 'GET',
  path: '/problems',
  name: 'listProblems',
  summary: 'Every problem that this API answers, with what to do',
  consistency: 'constant',
  params: none,
  query: none,
  answers: { 200: { description: 'All of them', json: problemKinds, html: 'The same for people' } },
  problems: [],
  cacheable: true,
  handle: async (_, request) =>
    either(request, problemsPage, () => ({ items: (Object.keys(PROBLEMS) as ProblemCode[]).map(kindJson) })),
});

export const problemRoute = route({
  method: 'GET',
  path: '/problems/:code',
  name: 'getProblem',
  summary: 'What the `type` of a problem refers to: what happened and what to do',
  consistency: 'constant',
  params: z.strictObject({ code: z.string().max(40).meta({ description: '`code` of the problem' }) }),
  query: none,
  answers: { 200: { description: 'That problem', json: problemKind, html: 'The same for people' } },
  problems: ['not-found'],
  cacheable: true,
  async handle(_, request) {
    const { code } = request.params;
    if (!isCode(code)) throw new Problem('not-found', 'no such problem; /problems lists them');
    return either(
      request,
      () => problemPage(code),
      () => kindJson(code),
    );
  },
});

function either({ wantsPage }: RouteRequest, html: () => string, json: () => Json): RouteAnswer {
  if (!wantsPage) return { status: 200, body: json(), revalidated: true };
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': PROBLEM_PAGE_POLICY };
  return { status: 200, body: utf8Encode(html()), headers, revalidated: true };
}

function isCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code);
}

function kindJson(code: ProblemCode): Json {
  const { example, ...rest } = PROBLEMS[code];
  return { code, ...rest, example: { ...problemBody(code, example) } };
}
