import { readdirSync, readFileSync } from "node:fs";
import { MemoryDisk } from "@samsa/io";
import { writeFile } from "./disks.ts";

const FIXTURES = new URL("../../fixtures/data/", import.meta.url);

/** The data directory that Apache Kafka wrote (fixtures/capture.sh), on a disk of its own under `/data`. */
export async function kafkaDataDirectory(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  for (const entry of readdirSync(FIXTURES, { withFileTypes: true })) {
    if (!entry.isDirectory()) {
      await writeFile(disk, `/data/${entry.name}`, readFileSync(new URL(entry.name, FIXTURES)));
      continue;
    }
    for (const name of readdirSync(new URL(`${entry.name}/`, FIXTURES))) {
      const bytes = readFileSync(new URL(`${entry.name}/${name}`, FIXTURES));
      await writeFile(disk, `/data/${entry.name}/${name}`, bytes);
    }
  }
  return disk;
}
