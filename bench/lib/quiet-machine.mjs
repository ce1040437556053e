// What came before a measurement is not to be paid for in it, nor what the machine does only once.
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";

const PIECE_BYTES = 1024 ** 2;
const MOST_BYTES = 4 * 1024 ** 3;

/** Waits until the system has written what it keeps back: else the one who is measured second waits for the pages of the first. */
export function quietDisk() {
  if (process.platform !== "win32") execFileSync("sync");
}

/** Before what writes much. `scale`: how much of the usual work there will be. */
export function quietMachine({ scale }) {
  takeMemory(scale * Math.min(MOST_BYTES, totalmem() / 4));
  quietDisk();
}

/**
 * Fills pages of the system's cache and lets them go. A virtual machine is given its memory page by page when it first looks at it, at a
 * tenth of the rate at which files are written to memory that is there: else the one who is measured first pays for the pages of the
 * second, who finds those of the first.
 */
function takeMemory(bytes) {
  const dir = mkdtempSync(join(tmpdir(), "samsa-bench-memory-"));
  try {
    const file = openSync(join(dir, "pages"), "w");
    const piece = Buffer.alloc(PIECE_BYTES, 1);
    for (let written = 0; written < bytes; written += piece.length) writeSync(file, piece);
    closeSync(file);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
