import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
    mkdirSync(directory, { recursive: true });
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === "EEXIST" ? "it is a file" : String(cause);
    throw new StartError(`${directory} is no data directory: ${why}; give another --data-dir`, { cause });
  }
  const owner = readOwner(file);
  const isTaken = lockedHere.has(file) || (owner !== undefined && owner.pid !== process.pid && isAlive(owner));
  if (isTaken) {
    const who = lockedHere.has(file) ? "this process" : `process ${owner?.pid}`;
    throw new StartError(`${directory} is in use by another broker (${who}); stop it, or give another --data-dir`);
  }
  writeFileSync(file, `${process.pid} ${startTimeOf(process.pid) ?? ""}\n`, { mode: 0o600 });
  lockedHere.add(file);
  return () => {
    lockedHere.delete(file);
    rmSync(file, { force: true });
  };
}

interface Owner {
  readonly pid: number;
  readonly startTime: string | undefined;
}

function readOwner(file: string): Owner | undefined {
  try {
    const [pid = "", startTime] = readFileSync(file, "utf8").trim().split(" ");
    return /^\d+$/.test(pid) ? { pid: Number(pid), startTime } : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new StartError(`${file} cannot be read`, { cause: error });
  }
}

function isAlive({ pid, startTime }: Owner): boolean {
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
