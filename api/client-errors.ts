import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { safeChainHeaders } from './chain-headers.ts';
import type { OpenRequests } from './open-requests.ts';
import type { NodePort } from './ports.ts';
import { PROBLEMS, Problem, problemBody } from './problems.ts';

/** Answers bytes that are no HTTP request, or none in time, and closes their connection. */
export function answerUnreadable(error: Error, socket: Duplex, open: OpenRequests, node: NodePort): void {
  const [first, ...more] = open.of(socket);
  // Behind an answer in work, ours would be taken for that answer. The first may be the one that can't be read.
  const ours = more.length === 0 && (first === undefined || !(first.req.complete || first.headersSent));
  const problem = problemOf((error as NodeJS.ErrnoException).code);
  if (problem === undefined || !ours || !socket.writable) {
    socket.destroy();
    return;
  }
  const { code, message } = problem;
  const { status } = PROBLEMS[code];
  const body = JSON.stringify(problemBody(code, message));
  const headers = {
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
    ...(code === 'method-not-allowed' && { allow: 'GET, HEAD, POST' }),
    ...safeChainHeaders(node),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n'), () => socket.destroy());
}

function problemOf(code: string | undefined): Problem | undefined {
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined;
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers-too-large', 'the path and headers together are too long');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('too-large', 'chunk extensions are too long');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request-timeout', 'the request was not complete in time');
    case 'HPE_INVALID_METHOD':
      return new Problem('method-not-allowed', 'no such method');
    default:
      return new Problem('malformed', 'not an HTTP/1.1 request');
  }
}
