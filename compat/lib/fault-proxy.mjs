// A TCP proxy that does to connections what networks do: cuts them at a byte, stalls them, delays what they carry.
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * @typedef {object} Faults what happens to one connection; nothing where left out
 * @property {number} [cutAfterBytesUp] towards the broker; the bytes before it arrive
 * @property {number} [cutAfterBytesDown] from the broker
 * @property {number} [stallAfterBytesDown] from there on nothing comes any more, and nobody says so
 * @property {number} [delayMs] of every chunk, either way
 */

export class FaultProxy {
  /** Told of each connection, says what is to happen to it. */
  plan = () => ({});
  connections = 0;
  cuts = 0;
  #targetPort;
  #server;
  #sockets = new Set();

  constructor(targetPort) {
    this.#targetPort = targetPort;
  }

  get port() {
    return this.#server.address().port;
  }

  async start() {
    this.#server = createServer((client) => this.#accept(client));
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  dropAll() {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client) {
    const faults = this.plan(this.connections++);
    const broker = connect({ host: "127.0.0.1", port: this.#targetPort, noDelay: true });
    client.setNoDelay(true);
    for (const socket of [client, broker]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        broker.destroy();
      });
    }
    const cut = () => {
      this.cuts++;
      client.resetAndDestroy();
      broker.resetAndDestroy();
    };
    void this.#carry(client, broker, { cutAfter: faults.cutAfterBytesUp, delayMs: faults.delayMs, cut });
    void this.#carry(broker, client, {
      cutAfter: faults.cutAfterBytesDown,
      stallAfter: faults.stallAfterBytesDown,
      delayMs: faults.delayMs,
      cut,
    });
  }

  async #carry(from, to, { cutAfter = Infinity, stallAfter = Infinity, delayMs = 0, cut }) {
    let carried = 0;
    try {
      for await (const chunk of from) {
        if (delayMs > 0) await sleep(delayMs);
        const left = Math.min(cutAfter, stallAfter) - carried;
        const whole = chunk.length <= left;
        carried += Math.min(chunk.length, left);
        if (left > 0 && !to.write(whole ? chunk : chunk.subarray(0, left)) && !to.destroyed) {
          await new Promise((resolve) => {
            to.once("drain", resolve);
            to.once("close", resolve);
          });
        }
        if (carried >= cutAfter) return cut();
      }
      to.end();
    } catch {
      // The other end has gone, which is what "close" is for.
    }
  }
}
