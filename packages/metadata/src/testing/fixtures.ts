import { readFileSync } from "node:fs";
import { recordBatches } from "@samsa/protocol";
import { decodeMetadataBatch } from "../metadata-batch.ts";
import type { MetadataImage } from "../metadata-image.ts";
import { MetadataLoader } from "../metadata-loader.ts";

/** A file that capture.sh took from Apache Kafka. */
export function fixture(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`../../test-fixtures/${name}`, import.meta.url)));
}

export function fixtureLines(name: string): string[] {
  const lines = new TextDecoder().decode(fixture(name)).split("\n");
  return lines.filter((line) => line !== "");
}

/** What a captured file of records amounts to, up to and without an offset. */
export function imageOf(name: string, endOffset = Infinity): MetadataImage {
  const loader = new MetadataLoader();
  for (const batch of recordBatches(fixture(name))) {
    if (batch.isControlBatch || batch.baseOffset >= endOffset) continue;
    loader.load(decodeMetadataBatch(batch));
  }
  return loader.take().image;
}
