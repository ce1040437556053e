import fs from "node:fs";

import { type DiskFile } from "@samsa/base";

import { assertFilePosition, diskError, toDiskError } from "./disk-errors.ts";
import { PromptWrites } from "./prompt-writes.ts";

// A bare descriptor and callbacks, not node:fs/promises: with sixteen operations in flight FileHandle costs twice the CPU
// time per operation. What FileHandle gives besides, that nobody touches a descriptor once closed, `#operation` gives here.

/** POSIX lets a system refuse longer lists, and those of today take this many. */
const IOV_MAX = 1024;
/** macOS refuses INT_MAX bytes and more in one call, Linux takes just under 2 GiB. */
const MAX_TRANSFER_BYTES = 1 << 30;

/** One for the process, because there is one loop that all wait for. */
const promptWrites = new PromptWrites(() => performance.now());

type Done<T> = (error: Error | null, value: T) => void;

export class NodeFile implements DiskFile {
  readonly #fd: number;
  readonly #path: string;
  #inFlight = 0;
  #syncsInFlight = 0;
  #whenIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #syncFailed = false;

  /** Takes over the descriptor: `close` closes it. */
  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  size(): Promise<number> {
    return this.#operation<number>("stat", (done) => fs.fstat(this.#fd, (error, stats) => done(error, stats?.size)));
  }

  read(position: number, into: Uint8Array): Promise<number> {
    return this.#operation<number>("read", (done) => {
      assertFilePosition(position);
      let filled = 0;
      const next = (): void => {
        const wanted = Math.min(into.length - filled, MAX_TRANSFER_BYTES);
        if (wanted === 0) return done(null, filled);
        fs.read(this.#fd, into, filled, wanted, position + filled, (error, bytesRead) => {
          if (error !== null) return done(error, 0);
          filled += bytesRead;
          if (bytesRead === 0) return done(null, filled);
          next();
        });
      };
      next();
    });
  }

  write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#operation<void>("write", (done) => {
      assertFilePosition(position);
      const unwritten = new UnwrittenChunks(chunks);
      let at = position;
      const next = (): void => {
        const slice = unwritten.slice();
        if (slice.length === 0) return done(null);
        fs.writev(this.#fd, slice, at, (error, bytesWritten) => {
          if (error !== null) return done(error);
          // No error and no progress would have us ask forever.
          if (bytesWritten === 0) return done(diskError("EIO", "write", this.#path));
          at += bytesWritten;
          unwritten.advance(bytesWritten);
          next();
        });
      };
      next();
    });
  }

  writeNow(position: number, chunks: readonly Uint8Array[]): boolean {
    assertFilePosition(position);
    // While it is being synced, the system may hold a write up; and `write` says best that the file is closed.
    if (this.#closing !== undefined || this.#syncsInFlight > 0) return false;
    if (!promptWrites.areGood(chunks)) return false;
    const begunMs = performance.now();
    try {
      const [first] = chunks;
      // What a small request comes to, which the system takes whole: there is a shorter way through Node for it.
      const isOne = first !== undefined && chunks.length === 1;
      const written = isOne ? fs.writeSync(this.#fd, first, 0, first.length, position) : 0;
      if (!isOne || written < first.length) this.#writeRestNow(position, chunks, written);
    } catch (error) {
      throw toDiskError(error, "write", this.#path);
    } finally {
      promptWrites.took(performance.now() - begunMs);
    }
    return true;
  }

  #writeRestNow(position: number, chunks: readonly Uint8Array[], written: number): void {
    const unwritten = new UnwrittenChunks(chunks);
    unwritten.advance(written);
    let at = position + written;
    for (let slice = unwritten.slice(); slice.length > 0; slice = unwritten.slice()) {
      const bytesWritten = fs.writevSync(this.#fd, slice, at);
      if (bytesWritten === 0) throw diskError("EIO", "write", this.#path);
      at += bytesWritten;
      unwritten.advance(bytesWritten);
    }
  }

  truncate(size: number): Promise<void> {
    return this.#operation<void>("truncate", (done) => {
      assertFilePosition(size);
      fs.ftruncate(this.#fd, size, done);
    });
  }

  sync(): Promise<void> {
    return this.#operation<void>("sync", (done) => {
      // Linux reports a lost page once and then calls it clean: a second fdatasync would succeed on data that is gone.
      if (this.#syncFailed) return done(diskError("EIO", "sync again after it failed", this.#path));
      this.#syncsInFlight++;
      fs.fdatasync(this.#fd, (error) => {
        this.#syncsInFlight--;
        if (error !== null) this.#syncFailed = true;
        done(error);
      });
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeWhenIdle();
    return this.#closing;
  }

  async #closeWhenIdle(): Promise<void> {
    if (this.#inFlight > 0) {
      const { promise, resolve } = withResolvers();
      this.#whenIdle = resolve;
      await promise;
    }
    await new Promise<void>((resolve, reject) => {
      fs.close(this.#fd, (error) => {
        if (error) reject(toDiskError(error, "close", this.#path));
        else resolve();
      });
    });
  }

  /** Counts the operation as in flight until `done`; refuses it once closing, as the number may soon be another file's. */
  #operation<T>(name: string, start: (done: Done<T>) => void): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(diskError("EBADF", name, this.#path));
    this.#inFlight++;
    return new Promise<T>((resolve, reject) => {
      const done: Done<T> = (error, value) => {
        this.#inFlight--;
        if (error) reject(toDiskError(error, name, this.#path));
        else resolve(value);
        if (this.#inFlight === 0) this.#whenIdle?.();
      };
      try {
        start(done);
      } catch (error) {
        done(error as Error, undefined as T);
      }
    });
  }
}

/** What is left of a list of chunks, handed out in lists that one writev takes. */
class UnwrittenChunks {
  readonly #chunks: readonly Uint8Array[];
  /** The first chunk not written to its end, and how much of it is. */
  #index = 0;
  #offset = 0;

  constructor(chunks: readonly Uint8Array[]) {
    this.#chunks = chunks;
  }

  slice(): readonly Uint8Array[] {
    const slice: Uint8Array[] = [];
    let bytes = 0;
    for (let i = this.#index; i < this.#chunks.length && slice.length < IOV_MAX && bytes < MAX_TRANSFER_BYTES; i++) {
      const chunk = this.#chunks[i] as Uint8Array;
      const start = i === this.#index ? this.#offset : 0;
      const end = Math.min(chunk.length, start + MAX_TRANSFER_BYTES - bytes);
      if (start === end) continue;
      slice.push(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end));
      bytes += end - start;
    }
    return slice;
  }

  advance(bytesWritten: number): void {
    let left = bytesWritten;
    for (;;) {
      const chunk = this.#chunks[this.#index];
      if (chunk === undefined) return;
      const rest = chunk.length - this.#offset;
      if (left < rest) {
        this.#offset += left;
        return;
      }
      left -= rest;
      this.#index++;
      this.#offset = 0;
    }
  }
}

function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
