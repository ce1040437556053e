import type { Disk } from "@samsa/base";
import { DiskError } from "@samsa/base";
import { CorruptFileError } from "./errors.ts";

/** A small file of ours that is larger than this is none of ours. */
const MAX_SMALL_FILE_BYTES = 64 * 1024 ** 2;

/**
 * Puts `bytes` in the place of the file's content so that a crash leaves the old or the new, never a mixture: written to
 * `PATH.tmp`, synced, renamed, and the folder synced, as Kafka does.
 */
export async function writeFileAtomically(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  await replaceFile(disk, path, bytes, true);
  await disk.syncDirectory(parentOf(path));
}

/** The same without any sync: a crash of the system may leave anything, so that the content has to tell whether it is whole. */
export async function writeFileUnsynced(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  await replaceFile(disk, path, bytes, false);
}

async function replaceFile(disk: Disk, path: string, bytes: Uint8Array, sync: boolean): Promise<void> {
  const temporaryPath = `${path}.tmp`;
  const file = await disk.open(temporaryPath, { create: true });
  try {
    await file.truncate(0);
    await file.write(0, [bytes]);
    if (sync) await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporaryPath, path);
}

/** The whole content, or undefined when there is no such file. */
export async function readWholeFile(
  disk: Disk,
  path: string,
  maxBytes = MAX_SMALL_FILE_BYTES,
): Promise<Uint8Array | undefined> {
  const size = await disk.fileSize(path);
  if (size === undefined) return undefined;
  if (size > maxBytes) throw new CorruptFileError(path, `${size} bytes, more than ${maxBytes}`);
  try {
    const file = await disk.open(path);
    try {
      const bytes = new Uint8Array(size);
      return bytes.subarray(0, await file.read(0, bytes));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof DiskError && error.code === "ENOENT") return undefined;
    throw error;
  }
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash === 0) return "/";
  return slash < 0 ? "." : path.slice(0, slash);
}
