// What was written before a measurement is not to be paid for in it.
import { execFileSync } from "node:child_process";
import process from "node:process";

/** Waits until the system has written what it keeps back: else the one who is measured second waits for the pages of the first. */
export function quietDisk() {
  if (process.platform !== "win32") execFileSync("sync");
}
