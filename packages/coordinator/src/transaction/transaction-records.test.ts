import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ByteWriter } from "@samsa/base";
import { recordBatches } from "@samsa/protocol";
import { TransactionLogValue } from "@samsa/protocol/messages/transaction-log-value";
import { TransactionHarness } from "../testing/transaction-harness.ts";
import { transactionRecordSerde } from "./transaction-records.ts";

/** A partition of `__transaction_state` that Apache Kafka 4.4 wrote: five transactions of Java's producer, the last one open. */
function kafkaLog(partition: number): Uint8Array {
  const folder = `../../../log/fixtures/dump/transaction-log/__transaction_state-${partition}`;
  return new Uint8Array(readFileSync(new URL(`${folder}/00000000000000000000.log`, import.meta.url)));
}

const serde = transactionRecordSerde(() => 2);

for (const { partition, atLeast } of [
  { partition: 26, atLeast: 14 },
  { partition: 32, atLeast: 4 },
]) {
  test(`the records that Kafka wrote to partition ${partition} are written again byte for byte`, () => {
    let compared = 0;
    for (const batch of recordBatches(kafkaLog(partition))) {
      for (const { key, value } of batch.records()) {
        const record = key === null ? undefined : serde.decode(key, value);
        assert.ok(record !== undefined);
        assert.deepEqual(serde.encode(record), { key, value });
        compared++;
      }
    }
    assert.ok(compared >= atLeast, `${compared} records`);
  });
}

test("a transaction that Kafka left open is open here, and is ended here", async () => {
  const harness = await TransactionHarness.start();
  harness.log.batches.push(kafkaLog(26));
  harness.coordinator.unload(0);
  await harness.lead();
  assert.equal(await harness.state("two"), "Ongoing 3/4 transactions-0");
  const { producer } = await harness.end(3, 4, true, "two");
  assert.deepEqual(producer, { producerId: 3, producerEpoch: 5 });
  assert.deepEqual(harness.written, ["commit 3/5 transactions-0"]);
});

test("a record of a kind that is not known is passed over", () => {
  assert.equal(serde.decode(new Uint8Array([0, 9, 1]), null), undefined);
});

const KEY = serde.encode({ transactionalId: "x", metadata: null }).key;
for (const { fields, why } of [
  { fields: { transactionStatus: 9 }, why: "a status that does not exist" },
  { fields: { transactionStatus: 6 }, why: "a status that is never written" },
  { fields: { producerId: -1 }, why: "no producer id" },
  { fields: { producerEpoch: -1 }, why: "no epoch" },
]) {
  test(`a record that cannot be is refused: ${why}`, () => {
    const writer = new ByteWriter();
    writer.int16(1);
    TransactionLogValue.write(writer, TransactionLogValue.create({ producerId: 1, producerEpoch: 0, ...fields }), 1);
    assert.throws(() => serde.decode(KEY, writer.toBytes()), { name: "KafkaError" });
  });
}

test("a cluster below transaction.version 1 is written records that its older brokers can read", () => {
  const old = transactionRecordSerde(() => 0);
  for (const batch of recordBatches(kafkaLog(32))) {
    for (const { key, value } of batch.records()) {
      const record = key === null ? undefined : serde.decode(key, value);
      assert.ok(record !== undefined && record.metadata !== null);
      const written = old.encode(record);
      assert.deepEqual(written.value?.slice(0, 2), new Uint8Array([0, 0]));
      const read = old.decode(written.key, written.value);
      assert.equal(read?.metadata?.state, record.metadata.state);
    }
  }
});
