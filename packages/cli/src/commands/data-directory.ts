import { existsSync, readdirSync, statSync } from "node:fs";
import { CommandError, ExitCode } from "../exit-code.ts";
import { invocation } from "../invocation.ts";

/** Where `samsa start` keeps records unless told otherwise. */
const DEFAULT_DATA_DIR = "samsa-data";

/**
 * The data directory that is meant: the one named, else the default if it is there.
 * @throws CommandError saying what is there instead
 */
export function existingDataDirectory(named: string | undefined): string {
  const directory = named ?? DEFAULT_DATA_DIR;
  const stats = statSync(directory, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new CommandError(ExitCode.KAFKA_ERROR, `${directory}: no such folder`, [
      named === undefined ? "name the data directory:  --data-dir DIR" : "is the name right? Relative names begin here",
      `one comes into being with:  ${invocation()} start --data-dir ${directory}`,
    ]);
  }
  if (!stats.isDirectory()) {
    throw new CommandError(ExitCode.KAFKA_ERROR, `${directory} is a file, and a folder is wanted`, [
      `what is in the file:  ${invocation()} log dump ${directory}`,
    ]);
  }
  return directory;
}

/** @throws CommandError for a folder that holds no partition, saying what it is */
export function noPartitions(directory: string): CommandError {
  const names = readdirSync(directory);
  const what =
    names.length === 0
      ? "is empty"
      : existsSync(`${directory}/meta.properties`)
        ? "is a data directory without partitions: no topic has been made"
        : `holds no partitions, but ${names.slice(0, 3).join(", ")}${names.length > 3 ? " …" : ""}`;
  return new CommandError(ExitCode.KAFKA_ERROR, `${directory} ${what}`, [
    "a data directory holds a folder for each partition, such as orders-0",
  ]);
}
