import { type OnReadOpts } from "node:net";

/** Four reads make a megabyte, and what is copied from it is still in the processor's cache. */
const BUFFER_BYTES = 256 * 1024;

let shared: Uint8Array | undefined;

/**
 * How a socket reads into memory that is used again. Node gives each read 64 KiB of their own otherwise, and to find, clear and free
 * those takes several times as long as the read itself.
 */
export class SharedRead {
  /** Told of the bytes of each read, which hold until it returns. */
  onBytes: (bytes: Uint8Array) => void = () => {};

  /** For `net.connect`. */
  readonly onread: OnReadOpts = {
    buffer: bufferOf(process.platform),
    callback: (length, buffer) => {
      this.onBytes(buffer.subarray(0, length));
      return true;
    },
  };
}

/** A read fills the buffer and is told of at one go, so all sockets may have the same; on Windows the system may fill it any time. */
function bufferOf(platform: NodeJS.Platform): Uint8Array {
  if (platform === "win32") return new Uint8Array(BUFFER_BYTES);
  shared ??= new Uint8Array(BUFFER_BYTES);
  return shared;
}
