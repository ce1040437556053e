import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

export interface TemporaryDirectory {
  readonly path: string;
  /** Removes it and all in it; content when it is gone already. */
  remove(): Promise<void>;
}

/** Makes a folder of its own under the system's temporary folder, with a name that begins with `prefix`. */
export async function temporaryDirectory(prefix: string): Promise<TemporaryDirectory> {
  // The real path, as macOS reaches its temporary folder over a link.
  const folder = await realpath(await mkdtemp(path.join(tmpdir(), prefix)));
  return { path: folder, remove: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }) };
}
