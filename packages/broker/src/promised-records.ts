import { assert } from "@samsa/base";
import type { PromisedRecords } from "@samsa/log";
import { readBuffers } from "@samsa/log";

/** As many are read at a time: one while the one before it is checked. More would be out of the cache by the time they leave. */
const READ_AT_ONCE = 2;

/** What stands for records in a response, and has their length: nobody looks at the bytes. */
let zeros = new Uint8Array(1024 * 1024);
const promises = new WeakMap<Uint8Array, PromisedRecords>();

/** To be encoded in place of records that are read when their turn to leave has come. */
export function placeholderFor(promised: PromisedRecords): Uint8Array {
  if (promised.sizeInBytes > zeros.length) zeros = new Uint8Array(promised.sizeInBytes);
  const placeholder = zeros.subarray(0, promised.sizeInBytes);
  promises.set(placeholder, promised);
  return placeholder;
}

export function hasPromises(chunks: readonly Uint8Array[]): boolean {
  return chunks.length > 1 && chunks.some((chunk) => promises.has(chunk));
}

/**
 * Writes a frame in which records are promised up to its last records, and returns what is to be written after that. So what was
 * read and checked last is in the cache when it leaves, the disk has something to do while the socket has, and the client
 * gets the first records before the last ones are read.
 *
 * Records have left by the time those that follow turn out to be damaged, and the length of the frame has. So then there is no
 * answer, and the connection has to end.
 *
 * @param write returns false when the connection is gone: then nothing more is read
 * @returns the last chunks of the frame, and what to call when they have left
 * @throws what reading throws
 */
export async function keepPromises(
  chunks: readonly Uint8Array[],
  write: (chunks: readonly Uint8Array[], onTaken?: () => void) => boolean,
): Promise<LastChunks> {
  const left = chunks.flatMap((chunk) => promises.get(chunk) ?? []);
  const reads: Promise<Uint8Array>[] = [];
  const readMore = (): void => {
    const next = left.shift();
    if (next === undefined) return;
    const read = next.read();
    read.catch(() => undefined); // it is waited for later
    reads.push(read);
  };
  for (let i = 0; i < READ_AT_ONCE; i++) readMore();
  let ready: Uint8Array[] = [];
  let borrowed: Uint8Array | undefined; // the records among these
  const onTaken = (): (() => void) | undefined => {
    const records = borrowed;
    borrowed = undefined;
    return records && (() => readBuffers.giveBack(records));
  };
  try {
    for (const chunk of chunks) {
      if (!promises.has(chunk)) {
        ready.push(chunk);
        continue;
      }
      if (!write(ready, onTaken())) break;
      ready = [];
      const records = await reads.shift();
      assert(records !== undefined, "whatever was promised is being read when its turn comes");
      readMore();
      ready.push((borrowed = records));
    }
    return { chunks: ready, onTaken: onTaken() };
  } finally {
    for (const read of reads) void read.then((records) => readBuffers.giveBack(records)).catch(() => undefined);
  }
}

interface LastChunks {
  readonly chunks: readonly Uint8Array[];
  readonly onTaken: (() => void) | undefined;
}
