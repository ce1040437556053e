import { type Clock, type Connection } from "@samsa/base";

import { SystemClock } from "./system-clock.ts";

export interface ConnectionOptions {
  /** From so many buffered bytes on `write` answers false. Default 1 MiB. */
  readonly highWaterMarkBytes?: number;
  /** How long after `end` the peer may take to accept what was written and close its side. Default 5 s. */
  readonly lingerMs?: number;
  /**
   * Told what a handler (or `accept`) threw, just before its connection is destroyed; what `onClose` throws comes here too.
   * Default: a process warning.
   */
  readonly onHandlerError?: (error: unknown, connection: Connection) => void;
  readonly clock?: Clock;
}

export interface ConnectionSettings {
  readonly highWaterMarkBytes: number;
  readonly lingerMs: number;
  readonly onHandlerError: (error: unknown, connection: Connection) => void;
  readonly clock: Clock;
}

export function connectionSettings(options: ConnectionOptions): ConnectionSettings {
  return {
    highWaterMarkBytes: options.highWaterMarkBytes ?? 1024 * 1024,
    lingerMs: options.lingerMs ?? 5000,
    onHandlerError: options.onHandlerError ?? warn,
    clock: options.clock ?? new SystemClock(),
  };
}

/** Runs code that is not ours. What it throws is the end of its connection and of nothing else. */
export function runHandler(settings: ConnectionSettings, connection: Connection, call: () => void): void {
  try {
    call();
  } catch (error) {
    try {
      settings.onHandlerError(error, connection);
    } catch (second) {
      warn(second);
    }
    connection.destroy(error instanceof Error ? error : new Error(String(error), { cause: error }));
  }
}

export function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}
