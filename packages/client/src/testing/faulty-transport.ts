import type { Address, Connection, ConnectionHandler, Listener, Transport } from "@samsa/base";

/** What happens to one connection; nothing where left out. */
export interface Faults {
  /** Towards the broker: the bytes before it arrive, then the connection breaks. */
  readonly cutAfterBytesUp?: number;
  /** From the broker: as many arrive, then the connection breaks. */
  readonly cutAfterBytesDown?: number;
  /** From the broker: from there on nothing arrives any more, and nobody says so. */
  readonly stallAfterBytesDown?: number;
}

/** A network that cuts connections at a byte and stalls them, over another that does not. */
export class FaultyTransport implements Transport {
  readonly #inner: Transport;
  readonly #plan: (connection: number) => Faults;
  connections = 0;
  faults = 0; // that came about

  /** @param plan told how many connections there were before this one */
  constructor(inner: Transport, plan: (connection: number) => Faults) {
    this.#inner = inner;
    this.#plan = plan;
  }

  listen(address: Address, accept: (connection: Connection) => ConnectionHandler): Promise<Listener> {
    return this.#inner.listen(address, accept);
  }

  async connect(
    address: Address,
    handler: ConnectionHandler,
    options?: { readonly timeoutMs?: number },
  ): Promise<Connection> {
    const faults = this.#plan(this.connections++);
    const count = (): void => void this.faults++;
    const down = Math.min(faults.cutAfterBytesDown ?? Infinity, faults.stallAfterBytesDown ?? Infinity);
    let received = 0;
    let connection: Connection | undefined;
    const faulty: ConnectionHandler = {
      onData(bytes) {
        const left = down - received;
        received += bytes.length;
        if (left > 0) handler.onData(bytes.length <= left ? bytes : bytes.subarray(0, left));
        if (left <= 0 || bytes.length < left) return;
        count();
        if (faults.stallAfterBytesDown !== down) connection?.destroy();
      },
      onDrain: () => handler.onDrain(),
      onClose: (error) => handler.onClose(error),
    };
    connection = await this.#inner.connect(address, faulty, options);
    const { cutAfterBytesUp } = faults;
    return cutAfterBytesUp === undefined ? connection : new CutConnection(connection, cutAfterBytesUp, count);
  }
}

/** Lets so many bytes through, and breaks. */
class CutConnection implements Connection {
  readonly #inner: Connection;
  readonly #onCut: () => void;
  #left: number;

  constructor(inner: Connection, cutAfterBytes: number, onCut: () => void) {
    this.#inner = inner;
    this.#left = cutAfterBytes;
    this.#onCut = onCut;
  }

  get remoteAddress(): Address {
    return this.#inner.remoteAddress;
  }

  get localAddress(): Address {
    return this.#inner.localAddress;
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  write(chunks: readonly Uint8Array[], onTaken?: () => void): boolean {
    const through: Uint8Array[] = [];
    for (const chunk of chunks) {
      if (this.#left <= 0) break;
      through.push(chunk.length <= this.#left ? chunk : chunk.subarray(0, this.#left));
      this.#left -= chunk.length;
    }
    const isWritable = this.#inner.write(through, onTaken);
    if (this.#left > 0) return isWritable;
    this.#onCut();
    this.#inner.end(); // after what was written has left
    return isWritable;
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  end(): void {
    this.#inner.end();
  }

  destroy(error?: Error): void {
    this.#inner.destroy(error);
  }
}
