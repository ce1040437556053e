import assert from "node:assert/strict";
import { KafkaError } from "@samsa/base";

/** Runs what reads hostile bytes: it may answer, or refuse them with a KafkaError, and nothing else. */
export function answersOrRefuses(read: () => void, what: string): "answered" | "refused" {
  try {
    read();
    return "answered";
  } catch (error) {
    assert.ok(error instanceof KafkaError, `${what}: ${error instanceof Error ? error.stack : String(error)}`);
    return "refused";
  }
}
