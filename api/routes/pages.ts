import type { BuiltPage } from '../ports.ts';
import { Problem } from '../problems.ts';
import { type ApiContext, none, type Route, type RouteAnswer, route } from '../route.ts';

type Row = Pick<Route, 'path' | 'name' | 'summary'>;

/** A page for people: one HTML file with its style and script inside. */
function pageRoute(row: Row, pageOf: (context: ApiContext) => BuiltPage | undefined): Route {
  return route({
    method: 'GET',
    ...row,
    consistency: 'constant',
    params: none,
    query: none,
    answers: { 200: { description: 'The page', html: 'One HTML file with its style and script inside' } },
    problems: ['not-found'],
    cacheable: true,
    handle: async (context) => answer(pageOf(context)),
  });
}

/** Everything happens in the browser, and nothing that is checked is sent to this node. */
export const verifyPageRoute = pageRoute(
  {
    path: '/verify',
    name: 'getVerifyPage',
    summary: 'A page that verifies proofs in the browser, also when it is kept and opened without a network',
  },
  ({ verifyPage }) => verifyPage,
);

export const docsPageRoute = pageRoute(
  { path: '/docs', name: 'getDocsPage', summary: 'A page to read this API and to try it' },
  ({ docsPage }) => docsPage,
);

function answer(page: BuiltPage | undefined): RouteAnswer {
  if (page === undefined) {
    throw new Problem('not-found', 'the page is not built here: run `npm run build:page`, then start the node again');
  }
  return {
    status: 200,
    body: page.html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      // A header can also say what the page itself can't: that no other page may lie over or under it.
      'content-security-policy': `${page.policy}; frame-ancestors 'none'`,
      'referrer-policy': 'no-referrer',
    },
    revalidated: true,
  };
}
