import { readdirSync, readFileSync, statSync } from "node:fs";
import { MemoryDisk } from "@samsa/io";
import { writeFile } from "./disks.ts";

/** Files of `fixtures/` under the same names, such as `data/plain-0/…log` as `/data/plain-0/…log`. */
export async function fixtureDisk(folder: string): Promise<MemoryDisk> {
  const fixtures = new URL("../../fixtures/", import.meta.url);
  const disk = new MemoryDisk();
  for (const name of readdirSync(new URL(`${folder}/`, fixtures), { recursive: true, encoding: "utf8" })) {
    const file = new URL(`${folder}/${name}`, fixtures);
    if (statSync(file).isFile()) await writeFile(disk, `/${folder}/${name}`, readFileSync(file));
  }
  return disk;
}

export function fixtureText(name: string): string {
  return readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), "utf8");
}

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
