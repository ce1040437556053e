import { lstatSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { StartError } from "./server-error.ts";

const LOCK_FILE = ".lock";
const ENDED = "ended";
const lockedHere = new Set<string>(); // by this process

/**
 * Keeps a second broker out of the data directory. Node has no advisory locks, so the file holds who owns it; an owner that is
 * gone (SIGKILL leaves the file) is told from a living one by its pid and, where the system tells, its start time.
 * @returns how to let go
 * @throws StartError when another broker lives here
 */
export function lockDataDirectory(directory: string): () => void {
  const file = path.join(directory, LOCK_FILE);
  try {
    makeDirectory(path.resolve(directory));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "EEXIST" || code === "ENOTDIR" ? "there is a file in its place" : messageOf(cause);
    throw new StartError(`${directory} is no data directory: ${why}; give another --data-dir`, { cause });
  }
  const holder = holderOf(file);
  if (holder !== undefined) {
    throw new StartError(`${directory} is in use by another broker (${holder}); stop it, or give another --data-dir`);
  }
  writeFileSync(file, `${process.pid} ${startTimeOf(process.pid) ?? ""}\n`, { mode: 0o600 });
  lockedHere.add(file);
  return () => {
    lockedHere.delete(file);
    rmSync(file, { force: true });
  };
}

/** Step by step: where a folder that is there takes no other, as /proc does, mkdir of Node tries for ever when it is recursive. */
function makeDirectory(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = path.dirname(directory);
  if (parent !== directory) makeDirectory(parent);
  mkdirSync(directory);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Who runs a broker on the data directory, as far as this machine can tell; undefined for nobody. */
export function dataDirectoryHolder(directory: string): string | undefined {
  return holderOf(path.join(directory, LOCK_FILE));
}

function holderOf(file: string): string | undefined {
  if (lockedHere.has(file)) return "this process";
  const owner = readOwner(file);
  if (owner === undefined) return undefined;
  const kafka = advisoryLockHolder(readText("/proc/locks") ?? "", lstatSync(file).ino);
  if (kafka !== undefined) return `process ${kafka}, which locks it as Apache Kafka does`;
  const { pid } = owner;
  return pid !== undefined && pid !== process.pid && isAlive(pid, owner.startTime) ? `process ${pid}` : undefined;
}

/**
 * Who holds an advisory lock on a file, from the text of Linux's /proc/locks. Java's FileLock shows there, and it is how
 * Apache Kafka guards the same file.
 */
export function advisoryLockHolder(locks: string, inode: number): number | undefined {
  for (const line of locks.split("\n")) {
    const [, , , , pid, device] = line.trim().split(/\s+/);
    if (device?.split(":").at(-1) === String(inode)) return Number(pid);
  }
  return undefined;
}

/** What the file says; nothing where it is empty, as Kafka leaves it. */
interface Owner {
  readonly pid: number | undefined;
  readonly startTime: string | undefined;
}

function readOwner(file: string): Owner | undefined {
  const text = readText(file);
  if (text === undefined) return undefined;
  const [pid = "", startTime] = text.trim().split(" ");
  return { pid: /^\d+$/.test(pid) ? Number(pid) : undefined, startTime };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || (code === "EACCES" && file.startsWith("/proc/"))) return undefined;
    throw new StartError(`${file} cannot be read`, { cause: error });
  }
}

function isAlive(pid: number, startTime: string | undefined): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // alive, and someone else's
  }
  const startedNow = startTimeOf(pid);
  if (startedNow === ENDED) return false; // a zombie: killed, and not yet collected by its parent
  // The pid may have been given to another process since.
  return startTime === undefined || startedNow === undefined || startTime === startedNow;
}

/** What Linux tells of a process: clock ticks from boot to its start, or that it has ended and nobody has looked yet. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const hasEnded = fields[0] === "Z" || fields[0] === "X";
    return hasEnded ? ENDED : fields[19];
  } catch {
    return undefined; // no /proc on this system, or no such process
  }
}
