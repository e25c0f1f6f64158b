import { Agent, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Connections that stay open. Leaner than `fetch`: whoever makes the load shares the machine with the validators. */
export class Connections {
  readonly #agent: Agent;

  constructor(perNode: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: perNode });
  }

  post(url: string, body: Uint8Array): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/octet-stream', 'content-length': body.length };
      const sent = request(url, { method: 'POST', headers, agent: this.#agent }, (response) => {
        const chunks: Uint8Array[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          resolve({ status: response.statusCode!, body: Buffer.concat(chunks).toString() });
        });
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
