import type { Connection, Listener, Transport } from "@samsa/base";
import type { Broker } from "@samsa/broker";
import type { CloseStack } from "./closing.ts";
import type { ListenerConfig } from "./listeners.ts";

/** Binds every listener. Clients that come before the broker serves wait at the gate. */
export async function listenAll(
  transport: Transport,
  wanted: readonly ListenerConfig[],
  gate: Gate,
  stack: CloseStack,
): Promise<readonly ListenerConfig[]> {
  const bound: ListenerConfig[] = [];
  for (const { name, address } of wanted) {
    const host = address.host.replace(/^\[|\]$/g, "");
    const listener: Listener = await transport.listen({ host, port: address.port }, (connection) =>
      gate.accept(connection, name),
    );
    stack.defer(() => listener.close());
    bound.push({ name, address: { host: address.host, port: listener.address.port } });
  }
  return bound;
}

/** Holds connections until there is a broker for them: not a byte is read before. */
export class Gate {
  #broker: Broker | undefined;
  readonly #waiting = new Set<() => void>();
  readonly #mostWaiting: number;

  constructor(mostWaiting: number) {
    this.#mostWaiting = mostWaiting;
  }

  accept(connection: Connection, listenerName: string) {
    if (this.#broker !== undefined) return this.#broker.accept(connection, listenerName);
    connection.pause();
    if (this.#waiting.size >= this.#mostWaiting) connection.destroy();
    let handler: ReturnType<Broker["accept"]> | undefined;
    const early: Uint8Array[] = [];
    const begin = (): void => {
      connection.resume(); // before the broker, which may pause it again
      handler = this.#broker?.accept(connection, listenerName);
      for (const bytes of early.splice(0)) handler?.onData(bytes);
    };
    this.#waiting.add(begin);
    return {
      onData: (bytes: Uint8Array) => (handler === undefined ? void early.push(bytes) : handler.onData(bytes)),
      onDrain: () => handler?.onDrain(),
      onClose: (error?: Error) => {
        this.#waiting.delete(begin);
        handler?.onClose(error);
      },
    };
  }

  /** Who comes from now on waits for the next broker. */
  close(): void {
    this.#broker = undefined;
  }

  open(broker: Broker): void {
    this.#broker = broker;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const begin of waiting) begin();
  }
}
