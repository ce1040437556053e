import net, { type Socket } from "node:net";

import { type Clock, type Timer, TransportError } from "@samsa/base";

import { SharedRead } from "./shared-read.ts";
import { formatAddress, toTransportError } from "./transport-errors.ts";

/** How long one address may be silent before the next is tried beside it (RFC 8305). */
const ATTEMPT_DELAY_MS = 250;

/** TCP's own probes of an idle peer. The default of most systems, two hours, outlives the patience of most firewalls. */
const KEEP_ALIVE_INITIAL_DELAY_MS = 60_000;

/**
 * For every socket, made or accepted. No Nagle: a frame leaves whole, and waiting for its like only adds a round trip's delay.
 * Not half open: a peer that says FIN is gone, as Kafka sees it, and Node then ends our side as soon as the queue is empty.
 */
export const SOCKET_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_INITIAL_DELAY_MS,
  allowHalfOpen: false,
} as const;

export interface DialOutcome {
  /** @param read where the socket reads to, when that is shared memory */
  readonly connected: (socket: Socket, read: SharedRead | undefined) => void;
  readonly failed: (error: TransportError) => void;
}

/**
 * Tries the addresses of one host in turn and keeps the first socket that connects; `failed` when none did.
 *
 * Node's own `autoSelectFamily` gives an attempt up after its 250 ms, and so never reaches a far host over any address but the
 * last. Here the earlier attempts go on.
 *
 * @param options.sharesReads whether the socket reads into memory that others read into as well
 * @returns gives up; neither callback comes after it
 */
export function dial(
  addresses: readonly string[],
  port: number,
  options: { readonly clock: Clock; readonly sharesReads: boolean },
  outcome: DialOutcome,
): () => void {
  const { clock, sharesReads } = options;
  const attempts = new Set<Socket>();
  const errors: TransportError[] = [];
  let next = 0;
  let timer: Timer | undefined;

  const cancel = (): void => {
    timer?.cancel();
    next = addresses.length;
    for (const socket of attempts) socket.destroy();
    attempts.clear();
  };

  const tryNext = (): void => {
    timer?.cancel();
    const host = addresses[next++];
    if (host === undefined) return;
    const read = sharesReads ? new SharedRead() : undefined;
    const reading = read === undefined ? {} : { onread: read.onread };
    const socket = net.connect({ ...SOCKET_OPTIONS, ...reading, host, port, autoSelectFamily: false });
    attempts.add(socket);
    const onError = (error: Error): void => {
      if (!attempts.delete(socket)) return;
      errors.push(toTransportError(error, `cannot connect to ${formatAddress({ host, port })}`));
      if (next < addresses.length) tryNext();
      else if (attempts.size === 0) outcome.failed(allFailed(errors));
    };
    socket.once("error", onError);
    socket.once("connect", () => {
      if (!attempts.delete(socket)) return;
      socket.off("error", onError);
      cancel();
      outcome.connected(socket, read);
    });
    if (next < addresses.length) timer = clock.setTimer(ATTEMPT_DELAY_MS, tryNext);
  };

  tryNext();
  return cancel;
}

function allFailed(errors: readonly TransportError[]): TransportError {
  const [first] = errors as [TransportError, ...TransportError[]];
  if (errors.length === 1) return first;
  const message = errors.map((error) => error.message).join("; ");
  return new TransportError(first.code, message, { cause: new AggregateError(errors) });
}
