import { Problem } from '../problems.ts';
import { none, route } from '../route.ts';

/** For people: everything happens in their browser, and nothing they check is sent to this node. */
export const verifyPageRoute = route({
  method: 'GET',
  path: '/verify',
  name: 'getVerifyPage',
  summary: 'A page that verifies proofs in the browser, also when it is kept and opened without a network',
  consistency: 'constant',
  params: none,
  query: none,
  answers: { 200: { description: 'The page', html: 'One HTML file with its style and script inside' } },
  problems: ['not-found'],
  cacheable: true,
  async handle({ verifyPage }) {
    if (verifyPage === undefined) {
      throw new Problem('not-found', 'the page is not built here: run `npm run build:page`, then start the node again');
    }
    const { html, policy } = verifyPage;
    return {
      status: 200,
      body: html,
      headers: {
        'content-type': 'text/html; charset=utf-8',
        // A header can also say what the page itself can't: that no other page may lie over or under it.
        'content-security-policy': `${policy}; frame-ancestors 'none'`,
        'referrer-policy': 'no-referrer',
      },
      revalidated: true,
    };
  },
});
