import { DiskError } from "@samsa/base";

export type DiskOperationKind =
  | "open"
  | "create"
  | "stat"
  | "utimes"
  | "list"
  | "mkdir"
  | "rename"
  | "remove"
  | "rmdir"
  | "sync-folder"
  | "size"
  | "read"
  | "write"
  | "truncate"
  | "sync"
  | "close";

/** One call to a disk, in the order in which they came. */
export interface DiskOperation {
  readonly number: number; // from 1
  readonly kind: DiskOperationKind;
  readonly path: string;
  /** Where and how much, or the new name. */
  readonly detail: string;
  /** The code of the error it ended with. */
  failure?: string;
}

/** What goes wrong with a disk, and when. */
export interface DiskFault {
  readonly code: "EIO" | "ENOSPC" | "EMFILE" | "EROFS";
  /** The n-th operation of those that match, from 1 and from when the fault is set up on. */
  readonly nth: number;
  /** Any of these; all when left out. */
  readonly kinds?: readonly DiskOperationKind[];
  readonly path?: RegExp;
  /** A write takes the first bytes before it fails, as when the disk fills up. */
  readonly isShort?: boolean;
  /** All that match afterwards fail as well. */
  readonly isLasting?: boolean;
}

/** Counts down to a fault. */
export class PendingFault {
  readonly fault: DiskFault;
  #matched = 0;

  constructor(fault: DiskFault) {
    this.fault = fault;
  }

  /** Whether it has come to pass. */
  get hasStruck(): boolean {
    return this.#matched >= this.fault.nth;
  }

  strikes(operation: DiskOperation): boolean {
    const { kinds, path, nth, isLasting = false } = this.fault;
    if (kinds?.includes(operation.kind) === false || path?.test(operation.path) === false) return false;
    this.#matched++;
    return isLasting ? this.#matched >= nth : this.#matched === nth;
  }
}

/** The error a POSIX system would have given. */
export function diskError(code: string, operation: string, path: string): DiskError {
  return new DiskError(code, path, `${operation} ${path}: ${DESCRIPTIONS[code] ?? code} (${code})`);
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  EBADF: "file is closed",
  EBUSY: "the root stays where it is",
  EEXIST: "a file has this name",
  EFBIG: "file too large",
  EINVAL: "path is not valid",
  EIO: "input/output error",
  EISDIR: "is a folder",
  EMFILE: "too many open files",
  ENOENT: "no such file or folder",
  ENOSPC: "no space left",
  ENOTDIR: "is not a folder",
  ENOTEMPTY: "folder is not empty",
  EROFS: "read-only file system",
};
