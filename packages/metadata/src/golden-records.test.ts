import assert from "node:assert/strict";
import { test } from "node:test";
import { recordBatches } from "@samsa/protocol";
import { decodeControlBatch, decodeMetadataBatch, encodeControlBatch, encodeMetadataBatch } from "./metadata-batch.ts";
import type { MetadataRecord } from "./metadata-record.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot.ts";
import { fixture, fixtureLines } from "./testing/fixtures.ts";

interface Dumped {
  readonly offset: number;
  readonly record: { readonly type: string; readonly version: number; readonly data: Record<string, unknown> };
}

for (const file of ["cluster-metadata", "bootstrap"]) {
  const bytes = fixture(file === "bootstrap" ? "bootstrap.checkpoint" : "cluster-metadata.log");
  const dumped = fixtureLines(`${file}.jsonl`).map((line) => JSON.parse(line) as Dumped);

  test(`reads each record of Kafka's ${file} as Kafka's own decoder does`, () => {
    const read = [...recordBatches(bytes)]
      .filter((batch) => !batch.isControlBatch)
      .flatMap((batch) =>
        decodeMetadataBatch(batch).records.map((record, i) => ({ record, offset: batch.baseOffset + i })),
      );
    assert.equal(read.length, dumped.length);
    for (const [index, { record, offset }] of read.entries()) {
      const expected = dumped[index];
      assert.equal(offset, expected?.offset);
      assert.equal(dumpedName(record.type), expected?.record.type);
      assert.equal(record.version, expected?.record.version);
      assertHolds(record, expected?.record.data ?? {});
    }
  });

  test(`writes the batches of Kafka's ${file} byte for byte`, () => {
    for (const batch of recordBatches(bytes)) {
      const position = {
        baseOffset: batch.baseOffset,
        epoch: batch.partitionLeaderEpoch,
        timestampMs: batch.maxTimestamp,
      };
      const written = batch.isControlBatch
        ? encodeControlBatch(decodeControlBatch(batch), position)
        : encodeMetadataBatch(decodeMetadataBatch(batch).records, position);
      // Records of one batch may have been made a millisecond apart.
      const baseDelta = batch.maxTimestamp - batch.baseTimestamp;
      if (baseDelta === 0) assert.deepEqual(written, new Uint8Array(batch.bytes), `batch at ${batch.baseOffset}`);
      else assert.equal(written.length, batch.bytes.length);
    }
  });
}

test("a snapshot is read and written as Kafka's formatting wrote it", () => {
  const bytes = fixture("bootstrap.checkpoint");
  const snapshot = decodeSnapshot(bytes);
  assert.equal(snapshot.kraftVersion, 1);
  assert.deepEqual(
    snapshot.voters?.voters.map(({ voterId }) => voterId),
    [1],
  );
  const written = encodeSnapshot(snapshot, 0, 0);
  // Kafka took another time for each of the three batches; nothing else may differ.
  for (const [index, batch] of [...recordBatches(written)].entries()) {
    const theirs = [...recordBatches(bytes)][index];
    const position = { baseOffset: batch.baseOffset, epoch: 0, timestampMs: theirs?.maxTimestamp ?? 0 };
    const ours = batch.isControlBatch
      ? encodeControlBatch(decodeControlBatch(batch), position)
      : encodeMetadataBatch(decodeMetadataBatch(batch).records, position);
    assert.deepEqual(ours, new Uint8Array(theirs?.bytes ?? []));
  }
});

const incomplete = [
  { why: "its footer", cut: (bytes: Uint8Array) => bytes.subarray(0, 419), message: /no footer/ },
  { why: "everything", cut: () => new Uint8Array(), message: /no header/ },
];
for (const { why, cut, message } of incomplete) {
  test(`a snapshot that lacks ${why} is refused`, () => {
    assert.throws(() => decodeSnapshot(cut(fixture("bootstrap.checkpoint"))), {
      name: "SnapshotCorruptError",
      message,
    });
  });
}

/** `UserScramCredentialRecord` is `USER_SCRAM_CREDENTIAL_RECORD` in the dump. */
function dumpedName(type: string): string {
  return type.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

/** The dump leaves out tagged fields with their defaults. */
function assertHolds(record: MetadataRecord, data: Record<string, unknown>): void {
  const message = new Map<string, unknown>(Object.entries(plain(record.message) as object));
  for (const [name, value] of Object.entries(data))
    assert.deepEqual(message.get(name), value, `${record.type}.${name}`);
}

function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) =>
      inner instanceof Uint8Array ? Buffer.from(inner).toString("base64") : inner,
    ),
  );
}
