import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

/** One connection through the proxy. */
export interface ProxiedConnection {
  /** Port of whoever dialed, on this machine. */
  readonly port: number;
  /** Bytes that came from whoever dialed, and from the target. */
  readonly bytes: { dialer: number; target: number };
  /** Both ends get an RST, wherever they are in what they send. */
  reset(): void;
}

/** What waits to go on: bytes, or the end of the stream. */
type Piece = Uint8Array | 'end';

/** As when nobody acknowledges what is sent. */
const HELD_BYTES_MAX = 1024 * 1024;

/**
 * A TCP proxy in front of one port. What it holds back is as lost packets are: both ends keep their sockets and hear
 * nothing, not even of an end; what goes on later comes complete and in order, as after retransmission.
 */
export class TcpProxy {
  readonly connections = new Set<ProxiedConnection>();
  accepted = 0;
  /** True for connections through which nothing passes now. Call `update` after a change. */
  holds: (connection: ProxiedConnection) => boolean = () => false;
  /** How long a piece of a connection is under way, in ms. */
  delayMs: (connection: ProxiedConnection, toTarget: boolean) => number = () => 0;
  /** New connections get an RST at once. */
  refusing = false;
  /** Called before bytes go on; what it returns goes on instead. */
  tamper: (connection: ProxiedConnection, bytes: Uint8Array, toTarget: boolean) => Uint8Array = (_, bytes) => bytes;
  readonly #server: Server;
  readonly #heldBytesMax: number;
  readonly #lanes = new Set<Lane>();
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, heldBytesMax: number) {
    this.#server = server;
    this.#heldBytesMax = heldBytesMax;
  }

  /** `heldBytesMax`: where more is under way in one direction of a connection, its sender is not read any more. */
  static async start(targetPort: number, heldBytesMax = HELD_BYTES_MAX): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server, heldBytesMax);
    server.on('connection', (socket) => proxy.#accept(socket, targetPort));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  update(): void {
    for (const lane of this.#lanes) lane.pump();
  }

  resetAll(): void {
    for (const connection of [...this.connections]) connection.reset();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(dialer: Socket, targetPort: number): void {
    this.accepted++;
    if (this.refusing) {
      dialer.on('error', () => {});
      dialer.resetAndDestroy();
      return;
    }
    const target = createConnection(targetPort, '127.0.0.1');
    const connection: ProxiedConnection = {
      port: dialer.remotePort ?? 0,
      bytes: { dialer: 0, target: 0 },
      reset() {
        for (const socket of [dialer, target]) socket.resetAndDestroy();
      },
    };
    this.connections.add(connection);
    const isHeld = (): boolean => this.holds(connection);
    for (const [from, to, side] of [
      [dialer, target, 'dialer'],
      [target, dialer, 'target'],
    ] as const) {
      const lane = new Lane(from, to, {
        isHeld,
        delayMs: () => this.delayMs(connection, side === 'dialer'),
        heldBytesMax: this.#heldBytesMax,
      });
      this.#lanes.add(lane);
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (bytes) => {
        connection.bytes[side] += bytes.length;
        lane.add(this.tamper(connection, bytes, side === 'dialer'));
      });
      from.on('end', () => lane.add('end'));
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        lane.add('end');
        if (!dialer.destroyed || !target.destroyed) return;
        this.connections.delete(connection);
        this.#lanes.delete(lane);
      });
    }
  }
}

interface LaneOptions {
  readonly heldBytesMax: number;
  isHeld(): boolean;
  delayMs(): number;
}

/** One direction of a connection. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #options: LaneOptions;
  readonly #queue: { readonly due: number; readonly piece: Piece }[] = [];
  #held = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, options: LaneOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
  }

  add(piece: Piece): void {
    // Never before what was sent earlier.
    const due = Math.max(performance.now() + this.#options.delayMs(), this.#queue.at(-1)?.due ?? 0);
    this.#queue.push({ due, piece });
    if (piece !== 'end') this.#held += piece.length;
    if (this.#held > this.#options.heldBytesMax) this.#from.pause();
    this.pump();
  }

  pump(): void {
    clearTimeout(this.#timer);
    while (this.#queue.length > 0 && !this.#options.isHeld()) {
      const { due, piece } = this.#queue[0]!;
      const wait = due - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.pump(), wait);
        return;
      }
      this.#queue.shift();
      if (piece === 'end') this.#to.end();
      else {
        this.#held -= piece.length;
        if (piece.length > 0 && this.#to.writable) this.#to.write(piece);
      }
    }
    if (this.#held <= this.#options.heldBytesMax && this.#from.isPaused()) this.#from.resume();
  }
}
