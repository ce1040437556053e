import type { Address, Clock, Connection, ConnectionHandler, Listener, Timer, Transport } from "@samsa/base";
import { TransportError } from "@samsa/base";

/** Network and clock of a process that may be killed: from then on nothing of it reaches anybody, and it wakes no more. */
export class KillableProcess implements Transport, Clock {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #open = new Set<Connection>();
  isDead = false;

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  kill(): void {
    this.isDead = true;
    for (const connection of this.#open) connection.destroy();
  }

  listen(address: Address, accept: (connection: Connection) => ConnectionHandler): Promise<Listener> {
    return this.#transport.listen(address, accept);
  }

  async connect(
    address: Address,
    handler: ConnectionHandler,
    options?: { readonly timeoutMs?: number },
  ): Promise<Connection> {
    if (this.isDead) throw new TransportError("ECONNREFUSED", "killed");
    const connection = await this.#transport.connect(address, handler, options);
    if (this.isDead) connection.destroy();
    this.#open.add(connection);
    return connection;
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (this.isDead) return { cancel: () => {} };
    return this.#clock.setTimer(delayMs, () => {
      if (!this.isDead) callback();
    });
  }
}
