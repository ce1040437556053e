import { readFileSync } from "node:fs";

/** A file that capture.sh took from Apache Kafka. */
export function fixture(name: string): Uint8Array {
  return readFileSync(new URL(`../../test-fixtures/${name}`, import.meta.url));
}
