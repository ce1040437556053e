/**
 * The ports: all that Samsa asks of the world outside. `io` implements them with Node, `simulation` under a seed. What lies
 * above is handed one and never reaches for the real thing.
 */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since 1970, for what people and records see. It may jump. */
  wallMs(): number;
  /** Milliseconds from an arbitrary start, for every timeout. It never goes back. */
  monotonicMs(): number;
  /**
   * Calls once, when `monotonicMs` has grown by `delayMs` or more; without a delay in the next turn of the event loop. A timer that has a delay
   * does not keep the process alive.
   */
  setTimer(delayMs: number, callback: () => void): Timer;
}

export interface Random {
  /** Uniform in [0, 2^32). */
  uint32(): number;
  /** Overwrites every byte. */
  fill(bytes: Uint8Array): void;
}

/** What the disk said, with the operating system's code (`ENOSPC`, `EIO`, …). */
export class DiskError extends Error {
  override readonly name = "DiskError";
  readonly code: string;
  readonly path: string;

  constructor(code: string, path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.path = path;
  }
}

export interface DirectoryEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

/**
 * Files, by absolute or data-directory-relative path with `/` between names. Every method rejects with DiskError.
 * Names and renames are durable only after `syncDirectory` of the folder that holds them.
 */
export interface Disk {
  /** Opens for reading and writing; `create` makes the file when missing, otherwise a missing file is ENOENT. */
  open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile>;
  /** Size in bytes, or undefined when there is no such file. */
  fileSize(path: string): Promise<number | undefined>;
  /** Wall-clock time in milliseconds of the last change of a file's content, or undefined when there is no such file. */
  modifiedMs(path: string): Promise<number | undefined>;
  /** Makes a file look as old as this; ENOENT when there is none. */
  setModifiedMs(path: string, wallMs: number): Promise<void>;
  /** Entries in no order; ENOENT when there is no such folder. */
  list(path: string): Promise<readonly DirectoryEntry[]>;
  /** Makes the folder and its parents; content when it is there already. */
  makeDirectory(path: string): Promise<void>;
  /** Replaces what is at `to`, where a folder must be empty. Files that are open stay open under the new name. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; content when it is gone already. One that is open stays readable through its handle. */
  remove(path: string): Promise<void>;
  /** Removes a folder and all in it; content when it is gone already. */
  removeDirectory(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** How much room the file system of this folder has. */
  space(path: string): Promise<DiskSpace>;
}

export interface DiskSpace {
  /** Infinity when there is no limit. */
  readonly totalBytes: number;
  /** What this process may still write. */
  readonly usableBytes: number;
}

/** An open file. Positions and sizes are whole numbers from 0; anything else is an assertion of the caller's that fails. */
export interface DiskFile {
  size(): Promise<number>;
  /** Fills `into` from `position`; returns the bytes read, fewer only at the end of the file. */
  read(position: number, into: Uint8Array): Promise<number>;
  /**
   * Writes all chunks one after the other from `position`, or rejects. After a rejection the range holds anything. The chunks
   * must not change until then.
   */
  write(position: number, chunks: readonly Uint8Array[]): Promise<void>;
  /**
   * `write` that is over when it returns, for what the system takes in no time: a little, into its own memory, while it is quick
   * about it. Otherwise false, and nothing is written: `write` is to be called then. A file that never can leaves it out.
   * @throws DiskError as `write` rejects
   */
  writeNow?(position: number, chunks: readonly Uint8Array[]): boolean;
  truncate(size: number): Promise<void>;
  /** fdatasync. After a rejection nothing may be assumed, and it is never called again (fsync errors are not repeatable). */
  sync(): Promise<void>;
  /** Lets operations in flight end first. Those that come later reject with EBADF; a second close is content. */
  close(): Promise<void>;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * What a connection tells its owner. Calls never overlap, never come from within a call to the connection, and none comes
 * after `onClose`. One that throws destroys its connection, and no other.
 */
export interface ConnectionHandler {
  /**
   * The bytes of `onData` are copied before it returns, so a connection may read the next ones into the same memory. Of one that
   * was made, not accepted; asked once, when it is.
   */
  readonly copiesData?: boolean;
  /** The next bytes of the stream; they belong to the receiver, save to one that `copiesData`. */
  onData(bytes: Uint8Array): void;
  /** What was buffered has left, after a `write` that returned false. */
  onDrain(): void;
  /** The connection is gone, with the error that ended it if any. */
  onClose(error?: Error): void;
}

export interface Connection {
  readonly remoteAddress: Address;
  readonly localAddress: Address;
  /**
   * Queues all chunks in order; false asks the writer to wait for `onDrain`. The chunks must not change until they have left,
   * of which `onTaken` tells; it does not when the connection goes first.
   * After `end`, a close, or the peer's end it does nothing and returns false, and no `onDrain` follows.
   */
  write(chunks: readonly Uint8Array[], onTaken?: () => void): boolean;
  /** Bytes written and not yet taken by the system. */
  readonly bufferedBytes: number;
  /** Stops `onData` (a few chunks on their way may still arrive) until `resume`. */
  pause(): void;
  resume(): void;
  /** Closes after what was written has left, or a while later when the peer does not take it. No `onData` follows. */
  end(): void;
  /** Closes at once; what was not sent is lost. `onClose` gets the error, in a later turn. */
  destroy(error?: Error): void;
}

export interface Listener {
  /** The bound address, with the real port when 0 was asked for. */
  readonly address: Address;
  /** Accepts no more; connections that are open stay open. */
  close(): Promise<void>;
}

/** Byte streams between processes. Rejects with TransportError. */
export interface Transport {
  listen(address: Address, accept: (connection: Connection) => ConnectionHandler): Promise<Listener>;
  connect(address: Address, handler: ConnectionHandler, options?: { readonly timeoutMs?: number }): Promise<Connection>;
}

/** A connection or listener could not be had, with the operating system's code (`EADDRINUSE`, `ECONNREFUSED`, …). */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What a thread tells its owner. */
export interface ThreadHandler {
  /** A copy of what the thread posted. */
  onMessage(message: unknown): void;
  /** The thread is gone, with what it threw if that ended it. No `onMessage` follows. */
  onEnd(error?: Error): void;
}

/** Code that runs beside this thread and shares nothing with it. */
export interface Thread {
  /** Copies, or moves what is to be transferred. After the end it does nothing. */
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Ends it at once, whatever it is at. */
  terminate(): Promise<void>;
}

export interface Threads {
  /** As many as run at the same time here. */
  readonly parallelism: number;
  /** Starts a module in a thread of its own. It keeps the process alive. */
  start(script: URL, handler: ThreadHandler): Thread;
}
