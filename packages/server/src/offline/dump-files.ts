import { DiskError } from "@samsa/base";
import { ReadOnlyDisk } from "@samsa/io";
import type { DumpItem, DumpOptions, DumpSink } from "@samsa/log";
import { dumpFile } from "@samsa/log";

/**
 * Tells what files of a data directory hold, one after the other, and at the end what is wrong with them.
 * @returns whether nothing was wrong
 * @throws DiskError for a file that cannot be opened
 */
export async function dumpFiles(files: readonly string[], options: DumpOptions, sink: DumpSink): Promise<boolean> {
  const problems: DumpItem[] = [];
  const disk = new ReadOnlyDisk(".");
  for (const file of files) {
    try {
      problems.push(...(await dumpFile(disk, file, options, sink)));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      problems.push({ kind: "problem", file, problem: error.message, particulars: [] });
    }
    await sink.drain();
  }
  for (const problem of problems) sink.put(problem);
  await sink.drain();
  return problems.length === 0;
}
