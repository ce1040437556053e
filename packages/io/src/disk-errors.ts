import { assert, DiskError, InvariantError } from "@samsa/base";

/** Wraps what Node threw. A broken promise of our own stays what it is. */
export function toDiskError(error: unknown, operation: string, path: string): Error {
  if (error instanceof DiskError || error instanceof InvariantError) return error;
  const code = codeOf(error);
  return new DiskError(code, path, `${operation} ${path}: ${describe(error, code)}`, { cause: error });
}

/** The error a POSIX system would have given. */
export function diskError(code: string, operation: string, path: string): DiskError {
  return new DiskError(code, path, `${operation} ${path}: ${DESCRIPTIONS[code] ?? code} (${code})`);
}

/** Node takes a negative position to mean "wherever the descriptor stands", so one must never get through. */
export function assertFilePosition(position: number): void {
  assert(Number.isSafeInteger(position) && position >= 0, `a file position is a whole number from 0: ${position}`);
}

const DESCRIPTIONS: Record<string, string> = {
  EBADF: "file is closed",
  EBUSY: "the root stays where it is",
  EEXIST: "a file has this name",
  EINVAL: "path is not valid",
  EIO: "input/output error",
  EISDIR: "is a folder",
  ENOENT: "no such file or folder",
  ENOSPC: "no space left",
  ENOTDIR: "is not a folder",
  ENOTEMPTY: "folder is not empty",
};

function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return "EIO";
  // Node looks at the path before the system does, and has its own word for a NUL byte in it.
  return error.code === "ERR_INVALID_ARG_VALUE" ? "EINVAL" : error.code;
}

/** Node says `ENOENT: no such file or directory, open '/x'`; the middle is what we need, the rest we have said. */
function describe(error: unknown, code: string): string {
  const message = error instanceof Error ? error.message : String(error);
  const words = /^[A-Z0-9]+: (.*?), \w+/.exec(message)?.[1] ?? message;
  return `${words} (${code})`;
}
