import { readdirSync, readFileSync } from "node:fs";

const FOLDER = new URL("../../test-fixtures/batches/", import.meta.url);

/** Short bytes in hex, long ones by length and CRC-32C. */
export type Digest = string | null | { readonly length: number; readonly crc32c: number };

export interface GoldenRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly sequence: number;
  readonly key: Digest;
  readonly value: Digest;
  readonly headers: readonly (readonly [string, Digest])[];
}

/** What Kafka's own reader says of a batch (test-fixtures/batches/Capture.java). */
export interface GoldenBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly nextOffset: number;
  readonly sizeInBytes: number;
  readonly magic: number;
  readonly crc: number;
  readonly isValid: boolean;
  readonly maxTimestamp: number;
  readonly timestampType: string;
  readonly compressionType: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly isTransactional: boolean;
  readonly isControlBatch: boolean;
  readonly partitionLeaderEpoch: number;
  readonly recordCount: number;
  readonly deleteHorizonMs: number | null;
  readonly records: readonly GoldenRecord[];
}

/** The captured file, in memory of its own. */
export function goldenBytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(name, FOLDER)));
}

/** What Kafka sees in each captured file. */
export function goldenExpectations(): Readonly<Record<string, readonly GoldenBatch[]>> {
  return JSON.parse(readFileSync(new URL("expected.json", FOLDER), "utf8")) as Record<string, GoldenBatch[]>;
}

export function goldenNames(): string[] {
  return readdirSync(FOLDER).filter((name) => /\.(log|checkpoint)$/.test(name) && !name.startsWith("magic-"));
}
