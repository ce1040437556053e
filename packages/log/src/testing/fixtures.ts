import { readdirSync, readFileSync } from "node:fs";
import { MemoryDisk } from "@samsa/io";
import { writeFile } from "./disks.ts";

/** A data directory that Apache Kafka wrote (fixtures/capture*.sh), on a disk of its own under `/data`. */
export async function kafkaDataDirectory(name: "data" | "producers" = "data"): Promise<MemoryDisk> {
  const fixtures = new URL(`../../fixtures/${name}/`, import.meta.url);
  const disk = new MemoryDisk();
  for (const entry of readdirSync(fixtures, { withFileTypes: true })) {
    if (!entry.isDirectory()) {
      await writeFile(disk, `/data/${entry.name}`, readFileSync(new URL(entry.name, fixtures)));
      continue;
    }
    for (const file of readdirSync(new URL(`${entry.name}/`, fixtures))) {
      const bytes = readFileSync(new URL(`${entry.name}/${file}`, fixtures));
      await writeFile(disk, `/data/${entry.name}/${file}`, bytes);
    }
  }
  return disk;
}
