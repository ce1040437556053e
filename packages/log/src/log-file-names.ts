/** Names of the files in a partition's folder: the base offset in 20 digits, then what the file holds. */

export const LOG_SUFFIX = ".log";
export const OFFSET_INDEX_SUFFIX = ".index";
export const TIME_INDEX_SUFFIX = ".timeindex";
/** Only where a transaction was aborted. */
export const TXN_INDEX_SUFFIX = ".txnindex";
export const PRODUCER_SNAPSHOT_SUFFIX = ".snapshot";
/** Out of use, to be removed. */
export const DELETED_SUFFIX = ".deleted";
/** A cleaner's work in progress: worthless after a crash. */
export const CLEANED_SUFFIX = ".cleaned";
/** A cleaner's finished work that has not yet taken its place: kept after a crash. */
export const SWAP_SUFFIX = ".swap";

const DIGITS = 20;
const NAME = /^(\d{20})(\.[a-z]+)(\.(?:deleted|cleaned|swap))?$/;

export interface LogFileName {
  readonly offset: number;
  readonly suffix: string; // ".log", ".index", ".timeindex", ".txnindex", ".snapshot"
  readonly state: "" | ".deleted" | ".cleaned" | ".swap";
}

export function logFileName(offset: number, suffix: string): string {
  return String(offset).padStart(DIGITS, "0") + suffix;
}

/** Undefined for a name that is not of this form, or an offset beyond 2^53. */
export function parseLogFileName(name: string): LogFileName | undefined {
  const match = NAME.exec(name);
  const offset = Number(match?.[1]);
  const suffix = match?.[2];
  if (suffix === undefined || !Number.isSafeInteger(offset)) return undefined;
  if (match?.[3] === undefined && isState(suffix)) return undefined;
  return { offset, suffix, state: (match?.[3] ?? "") as LogFileName["state"] };
}

/** Whether a name is of this form, with an offset that we cannot hold: a log with such a file is longer than what we can read. */
export function hasUnsafeOffset(name: string): boolean {
  const digits = NAME.exec(name)?.[1];
  return digits !== undefined && !Number.isSafeInteger(Number(digits));
}

function isState(suffix: string): boolean {
  return suffix === DELETED_SUFFIX || suffix === CLEANED_SUFFIX || suffix === SWAP_SUFFIX;
}
