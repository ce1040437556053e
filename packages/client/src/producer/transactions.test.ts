import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { RecordBatch } from "@samsa/protocol";
import { AddOffsetsToTxnResponse } from "@samsa/protocol/messages/add-offsets-to-txn-response";
import { EndTxnResponse } from "@samsa/protocol/messages/end-txn-response";
import type { EndTxnRequest } from "@samsa/protocol/messages/end-txn-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import type { TxnOffsetCommitRequest } from "@samsa/protocol/messages/txn-offset-commit-request";
import { TxnOffsetCommitResponse } from "@samsa/protocol/messages/txn-offset-commit-response";
import { ConfigurationError, RecordTooLargeError, TimeLimitError } from "../errors.ts";
import type { Kafka } from "../kafka.ts";
import type { TestBed } from "../testing/client-test.ts";
import { testBed, text } from "../testing/client-test.ts";
import { refusal } from "../testing/produced.ts";
import {
  ProducerFencedError,
  TransactionAbortableError,
  TransactionAbortedError,
  TransactionStateError,
} from "./transaction-errors.ts";

const transactionalId = "tx";

async function bedWithTopic(version = 2): Promise<TestBed> {
  const bed = await testBed([1, 2]);
  bed.cluster.createTopic("t", [1, 2]);
  bed.cluster.transactions.version = version;
  return bed;
}

/** What a reader sees of both partitions with `read_committed`. */
async function committed(kafka: Kafka): Promise<string[]> {
  const consumer = kafka.consumer({ isolationLevel: "read_committed" });
  await consumer.assign([{ topic: "t", offset: "earliest", endOffset: "latest" }]);
  const values: string[] = [];
  for await (const { value } of consumer) values.push(text(value) ?? "");
  await consumer.close();
  return values.toSorted((one, other) => one.localeCompare(other));
}

function epochsOf(bed: TestBed): readonly (readonly [number, number])[] {
  const batches = bed.cluster.partition("t", 0).batches.map((bytes) => new RecordBatch(bytes));
  return batches
    .filter(({ isControlBatch }) => !isControlBatch)
    .map(({ producerEpoch, baseSequence }) => [producerEpoch, baseSequence]);
}

const record = (value: string, partition = 0) => ({ topic: "t", partition, value });

for (const version of [1, 2]) {
  describe(`a transaction, with transaction.version ${version}`, () => {
    test("is seen when its function has returned, all of it, and what was not awaited too", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const producer = kafka.producer({ transactionalId });
      const result = await bed.run(
        producer.transaction((tx) => {
          void tx.send(record("a"));
          void tx.sendBatch([record("b", 1), record("c", 1)]);
          tx.write(record("d"));
          return 42;
        }),
      );
      assert.equal(result, 42);
      assert.deepEqual(await bed.run(committed(kafka)), ["a", "b", "c", "d"]);
    });

    test("is never seen when its function throws, and the next one is", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const producer = kafka.producer({ transactionalId });
      const mine = new Error("mine");
      const failing = producer.transaction(async (tx) => {
        await tx.send(record("a"));
        throw mine;
      });
      await assert.rejects(bed.run(failing), mine);
      await bed.run(producer.transaction((tx) => tx.send(record("b"))));
      assert.deepEqual(await bed.run(committed(kafka)), ["b"]);
    });

    test("that did nothing asks nothing of the coordinator", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const producer = kafka.producer({ transactionalId });
      await bed.run(producer.transaction(() => {}));
      await assert.rejects(bed.run(producer.transaction(() => Promise.reject(new Error("mine")))), /mine/);
      assert.equal(bed.cluster.requests("EndTxnRequest").length, 0);
    });

    test("survives that every answer is lost once", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const names = ["InitProducerIdRequest", "AddPartitionsToTxnRequest", "AddOffsetsToTxnRequest", "ProduceRequest"];
      for (const name of [...names, "TxnOffsetCommitRequest"]) bed.cluster.interceptNext(name, "close after");
      const producer = kafka.producer({ transactionalId });
      await bed.run(
        producer.transaction(async (tx) => {
          void tx.send(record("a"));
          await tx.commitOffsets([{ topic: "t", partition: 1, offset: 7 }], "g");
        }),
      );
      assert.deepEqual(await bed.run(committed(kafka)), ["a"]);
      assert.equal(bed.cluster.groups.get("g").offsets.get("t-1")?.offset, 7);
    });

    test("commits offsets with its records, or neither", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const producer = kafka.producer({ transactionalId });
      const member = { groupId: "g", generationId: 3, memberId: "m", groupInstanceId: null };
      const once = (offset: number, fails: boolean) =>
        producer.transaction(async (tx) => {
          void tx.send(record(String(offset)));
          await tx.commitOffsets([{ topic: "t", partition: 0, offset }], member);
          if (fails) throw new Error("mine");
        });
      await bed.run(once(5, false));
      await assert.rejects(bed.run(once(9, true)), /mine/);
      assert.equal(bed.cluster.groups.get("g").offsets.get("t-0")?.offset, 5);
      assert.deepEqual(await bed.run(committed(kafka)), ["5"]);
      const [{ request } = { request: undefined }] = bed.cluster.requests("TxnOffsetCommitRequest");
      const { memberId, generationIdOrMemberEpoch } = request as TxnOffsetCommitRequest;
      assert.deepEqual([memberId, generationIdOrMemberEpoch], ["m", 3]);
    });

    test("is aborted when a record of it was refused, though nobody looked", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const producer = kafka.producer({ transactionalId });
      await bed.run(producer.transaction((tx) => tx.send(record("a"))));
      bed.cluster.interceptNext("ProduceRequest", refusal(ErrorCode.INVALID_RECORD));
      const failing = producer.transaction((tx) => void tx.send(record("b")));
      await assert.rejects(bed.run(failing), (error: TransactionAbortableError) => {
        assert.ok(error instanceof TransactionAbortableError);
        assert.equal(error.code, ErrorCode.INVALID_RECORD);
        return true;
      });
      await bed.run(producer.transaction((tx) => tx.send(record("c"))));
      assert.deepEqual(await bed.run(committed(kafka)), ["a", "c"]);
    });

    test("ends with an epoch in which no sequence is in doubt when a record of it failed", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const producer = kafka.producer({ transactionalId });
      await bed.run(producer.transaction((tx) => tx.send(record("a"))));
      bed.cluster.interceptNext("ProduceRequest", refusal(ErrorCode.INVALID_RECORD));
      await assert.rejects(bed.run(producer.transaction((tx) => tx.send(record("b")))));
      await bed.run(producer.transaction((tx) => tx.send(record("c"))));
      assert.deepEqual(
        epochsOf(bed),
        version === 1
          ? [
              [0, 0],
              [1, 0],
            ]
          : [
              [0, 0],
              [2, 0],
            ],
      );
    });

    test("of a producer that was fenced is not committed, and the error says by whom", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const old = kafka.producer({ transactionalId });
      const tx = await bed.run(old.beginTransaction());
      await bed.run(tx.send(record("old")));
      const young = kafka.producer({ transactionalId });
      await bed.run(young.transaction((other) => other.send(record("young"))));
      await assert.rejects(bed.run(tx.commit()), (error: ProducerFencedError) => {
        assert.ok(error instanceof ProducerFencedError);
        assert.deepEqual(error.fenced, { producerId: 4000, producerEpoch: 0 });
        assert.deepEqual(error.by, { producerId: 4000, producerEpoch: version === 1 ? 1 : 2 });
        assert.match(error.message, /belongs to producer 4000 of epoch \d now, this is producer 4000 of epoch 0/);
        return true;
      });
      await assert.rejects(bed.run(old.transaction(() => {})), ProducerFencedError);
      await assert.rejects(bed.run(old.send(record("x"))), ProducerFencedError);
      assert.deepEqual(await bed.run(committed(kafka)), ["young"]);
    });

    test("waits while the coordinator is busy with the one before", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const producer = kafka.producer({ transactionalId });
      const errorCode = ErrorCode.CONCURRENT_TRANSACTIONS;
      bed.cluster.interceptNext("InitProducerIdRequest", { answer: InitProducerIdResponse.create({ errorCode }) }, 2);
      bed.cluster.interceptNext("EndTxnRequest", { answer: EndTxnResponse.create({ errorCode }) }, 3);
      await bed.run(producer.transaction((tx) => tx.send(record("a"))));
      assert.deepEqual(await bed.run(committed(kafka)), ["a"]);
    });

    test("finds its coordinator again when that has moved", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const producer = kafka.producer({ transactionalId });
      await bed.run(producer.transaction((tx) => tx.send(record("a"))));
      const errorCode = ErrorCode.NOT_COORDINATOR;
      bed.cluster.interceptNext("EndTxnRequest", { answer: EndTxnResponse.create({ errorCode }) });
      const before = bed.cluster.requests("FindCoordinatorRequest").length;
      await bed.run(producer.transaction((tx) => tx.send(record("b"))));
      assert.equal(bed.cluster.requests("FindCoordinatorRequest").length, before + 1);
      assert.deepEqual(await bed.run(committed(kafka)), ["a", "b"]);
    });

    test("whose offsets are another member's by now is aborted, and the error says so", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const producer = kafka.producer({ transactionalId });
      const errorCode = ErrorCode.ILLEGAL_GENERATION;
      const topicId = bed.cluster.topics.get("t")?.topicId ?? ZERO_UUID;
      bed.cluster.interceptNext("TxnOffsetCommitRequest", {
        answer: TxnOffsetCommitResponse.create({
          topics: [
            {
              name: "t",
              topicId,
              partitions: [{ partitionIndex: 0, errorCode }],
            },
          ],
        }),
      });
      const failing = producer.transaction(async (tx) => {
        void tx.send(record("a"));
        await tx.commitOffsets([{ topic: "t", partition: 0, offset: 1 }], "g");
      });
      await assert.rejects(bed.run(failing), { code: errorCode });
      assert.deepEqual(await bed.run(committed(kafka)), []);
      const ends = bed.cluster.requests("EndTxnRequest").map(({ request }) => (request as EndTxnRequest).committed);
      assert.deepEqual(ends, [false]);
    });

    test("is aborted when the producer is closed in the midst of it", async () => {
      const bed = await bedWithTopic(version);
      await using kafka = bed.kafka();
      const producer = kafka.producer({ transactionalId, lingerMs: 1000 });
      const tx = await bed.run(producer.beginTransaction());
      const first = tx.send(record("a"));
      await bed.run(producer.flush());
      const second = tx.send(record("b"));
      await bed.run(producer.close());
      assert.equal((await first).offset, 0);
      await assert.rejects(second, TransactionAbortedError);
      assert.equal(bed.cluster.transactions.byId.get(transactionalId)?.isOpen, false);
      assert.deepEqual(await bed.run(committed(kafka)), []);
    });
  });
}

test("with transactions V2 every transaction has its own epoch, and no partition is added beforehand", async () => {
  const bed = await bedWithTopic(2);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId });
  for (const value of ["a", "b", "c"]) await bed.run(producer.transaction((tx) => tx.send(record(value))));
  assert.deepEqual(epochsOf(bed), [
    [0, 0],
    [1, 0],
    [2, 0],
  ]);
  assert.equal(bed.cluster.requests("AddPartitionsToTxnRequest").length, 0);
  assert.ok(bed.cluster.requests("ProduceRequest").every(({ version }) => version >= 12));
});

test("with V1 sequences go on in one epoch, and partitions are added before they are written to", async () => {
  const bed = await bedWithTopic(1);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId });
  for (const value of ["a", "b", "c"]) await bed.run(producer.transaction((tx) => tx.send(record(value))));
  assert.deepEqual(epochsOf(bed), [
    [0, 0],
    [0, 1],
    [0, 2],
  ]);
  assert.equal(bed.cluster.requests("AddPartitionsToTxnRequest").length, 3);
  assert.ok(bed.cluster.requests("ProduceRequest").every(({ version }) => version === 11));
});

test("a cluster that comes to agree on V2 is followed with the next transaction, in a new epoch", async () => {
  const bed = await bedWithTopic(1);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId });
  await bed.run(producer.transaction((tx) => tx.send(record("a"))));
  bed.cluster.transactions.version = 2;
  bed.cluster.dropConnections();
  await bed.clock.advance(10);
  await bed.run(producer.transaction((tx) => tx.send(record("b"))));
  assert.deepEqual(epochsOf(bed), [
    [0, 0],
    [1, 0],
  ]);
  assert.equal(bed.cluster.requests("ProduceRequest").at(-1)?.version, 13);
});

test("a record that is too large keeps its transaction from committing", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId, maxRequestSize: 1000 });
  const failing = producer.transaction((tx) => {
    void tx.send(record("a"));
    void tx.send(record("x".repeat(2000)));
  });
  await assert.rejects(bed.run(failing), (error: TransactionAbortableError) => {
    assert.ok(error instanceof TransactionAbortableError && error.cause instanceof RecordTooLargeError);
    return true;
  });
  assert.deepEqual(await bed.run(committed(kafka)), []);
});

test("what was not sent yet when a transaction is aborted is told so, and never leaves", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId, lingerMs: 60_000 });
  const tx = await bed.run(producer.beginTransaction());
  const sent = tx.send(record("a"));
  await bed.run(tx.abort());
  await assert.rejects(sent, TransactionAbortedError);
  assert.equal(bed.cluster.requests("ProduceRequest").length, 0);
});

test("a commit whose answer does not come in time goes on, and the next transaction waits for it", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId, maxBlockMs: 5000 });
  const answerAgain = bed.cluster.intercept(({ name }) => (name === "EndTxnRequest" ? "close" : undefined));
  await assert.rejects(bed.run(producer.transaction((tx) => tx.send(record("a")))), TimeLimitError);
  const next = producer.transaction((tx) => tx.send(record("b")));
  answerAgain();
  await bed.run(next);
  assert.deepEqual(await bed.run(committed(kafka)), ["a", "b"]);
});

test("an unanswered record makes its transaction fail, and the next one is whole", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId, deliveryTimeoutMs: 6000, requestTimeoutMs: 2000 });
  await bed.run(producer.initTransactions());
  const answerAgain = bed.cluster.intercept(({ name }) => (name === "ProduceRequest" ? "no answer" : undefined));
  await assert.rejects(bed.run(producer.transaction((tx) => tx.send(record("a")))), TimeLimitError);
  answerAgain();
  await bed.run(producer.transaction((tx) => tx.send(record("b"))));
  assert.deepEqual(await bed.run(committed(kafka)), ["b"]);
});

test("offsets alone make a transaction", async () => {
  const bed = await bedWithTopic(1);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId });
  const errorCode = ErrorCode.CONCURRENT_TRANSACTIONS;
  bed.cluster.interceptNext("AddOffsetsToTxnRequest", { answer: AddOffsetsToTxnResponse.create({ errorCode }) });
  await bed.run(producer.transaction((tx) => tx.commitOffsets([{ topic: "t", partition: 0, offset: 3 }], "g")));
  assert.equal(bed.cluster.groups.get("g").offsets.get("t-0")?.offset, 3);
});

test("one transaction at a time, records only within one, and none after its end", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId });
  await bed.run(producer.initTransactions());
  await assert.rejects(bed.run(producer.send(record("a"))), TransactionStateError);
  const tx = await bed.run(producer.beginTransaction());
  await assert.rejects(bed.run(producer.beginTransaction()), TransactionStateError);
  await bed.run(producer.send(record("b")));
  await bed.run(tx.commit());
  await assert.rejects(bed.run(tx.send(record("c"))), TransactionStateError);
  await assert.rejects(bed.run(tx.commit()), TransactionStateError);
  assert.deepEqual(await bed.run(committed(kafka)), ["b"]);
});

test("leaving the scope of a transaction that is open aborts it", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId });
  const scope = async (): Promise<void> => {
    await using tx = await producer.beginTransaction();
    await tx.send(record("a"));
  };
  await bed.run(scope());
  assert.deepEqual(await bed.run(committed(kafka)), []);
});

test("what does not go with transactions is refused at once", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  assert.throws(() => kafka.producer({ transactionalId, acks: 1 }), ConfigurationError);
  assert.throws(() => kafka.producer({ transactionalId: "" }), ConfigurationError);
  assert.throws(() => kafka.producer({ transactionTimeoutMs: 1000 }), ConfigurationError);
  await assert.rejects(kafka.producer().beginTransaction(), ConfigurationError);
});

test("offsets of no group, or that are none, are refused before they are sent", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId });
  const tx = await bed.run(producer.beginTransaction());
  const offset = { topic: "t", partition: 0, offset: 4 };
  await assert.rejects(tx.commitOffsets([offset], ""), /name the group whose offsets they are/);
  await assert.rejects(
    tx.commitOffsets([{ ...offset, offset: "4" as never }], "g"),
    /offset is "4"; wanted is a whole number/,
  );
  await bed.run(tx.abort());
  await assert.rejects(bed.run(producer.transaction({} as never)), /producer.transaction: wanted is a function/);
});

test("a producer whose name is not for it is of no use", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId });
  const errorCode = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
  bed.cluster.interceptNext("InitProducerIdRequest", { answer: InitProducerIdResponse.create({ errorCode }) });
  await assert.rejects(bed.run(producer.initTransactions()), { code: errorCode });
  await assert.rejects(bed.run(producer.transaction(() => {})), { code: errorCode });
});
