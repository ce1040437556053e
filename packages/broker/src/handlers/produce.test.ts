import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DiskError, ErrorCode } from "@samsa/base";
import { CloseConnectionError, NO_RESPONSE } from "../api-handler.ts";
import { DelayedFetch, writtenBytes } from "../purgatory/delayed-fetch.ts";
import { outcomes, produceBroker } from "../testing/produce-broker.ts";
import type { Produced } from "../testing/produce-broker.ts";

const REFUSED = `${ErrorCode.KAFKA_STORAGE_ERROR}@-1`;

/** What is answered without a promise. */
function atOnce(produced: Produced | Promise<Produced>): Produced {
  assert.ok(!(produced instanceof Promise), "it is answered at once");
  return produced;
}

async function later(produced: Produced | Promise<Produced>): Promise<Produced> {
  assert.ok(produced instanceof Promise, "it is promised");
  return await produced;
}

function ioError(): DiskError {
  return new DiskError("EIO", "/data", "EIO: injected");
}

describe("Produce, where the disk takes it at once,", () => {
  for (const acks of [-1, 1]) {
    test(`is answered before the handler returns, with acks=${acks}`, async () => {
      const { produce, partitions, disk } = await produceBroker(2);
      assert.deepEqual(outcomes(atOnce(produce([0, 1], { acks }))), ["0@1", "0@1"]);
      assert.deepEqual(outcomes(atOnce(produce([1], { acks }))), ["0@2"]);
      assert.deepEqual(
        partitions.map(({ highWatermark, log }) => [highWatermark, log.writtenEndOffset]),
        [
          [2, 2],
          [3, 3],
        ],
      );
      assert.equal(disk.writes, 3);
    });
  }

  test("says in the same answer what was refused", async () => {
    const { produce, errors } = await produceBroker();
    const unknown = `${ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}@-1`;
    assert.deepEqual(outcomes(atOnce(produce([7, 0]))), [unknown, "0@1"]);
    assert.deepEqual(errors, []);
  });

  test("is over when the handler returns, with acks=0", async () => {
    const { produce, partitions } = await produceBroker();
    assert.equal(atOnce(produce([0], { acks: 0 })), NO_RESPONSE);
    assert.equal(partitions[0]?.highWatermark, 2);
  });

  test("leaves no timer behind", async () => {
    const { produce, clock } = await produceBroker();
    const before = clock.pendingTimers;
    atOnce(produce([0]));
    assert.equal(clock.pendingTimers, before);
  });

  test("lets a fetch that waits read on before it is answered itself", async () => {
    const { produce, partitions, clock } = await produceBroker();
    const [partition] = partitions;
    assert.ok(partition !== undefined);
    const ends: number[] = [];
    const fetched = DelayedFetch.wait(
      {
        partitions: [partition],
        isolationLevel: "read-uncommitted",
        maxWaitMs: 500,
        missingBytes: 1,
        clock,
        onDisconnect: () => () => undefined,
        tryComplete: () => {
          ends.push(partition.highWatermark);
          return "fetched";
        },
      },
      [writtenBytes(partition)],
    );
    atOnce(produce([0]));
    assert.deepEqual(ends, [2]);
    assert.equal(await fetched, "fetched");
  });
});

describe("Produce that more is behind of", () => {
  test("leaves its records to the next one, which has all of them written at once", async () => {
    const { produce, disk } = await produceBroker();
    const first = produce([0], { isFollowed: true });
    assert.equal(disk.writes, 0);
    assert.deepEqual(outcomes(atOnce(produce([0]))), ["0@2"]);
    assert.deepEqual(outcomes(await later(first)), ["0@1"]);
    assert.equal(disk.writes, 1);
  });

  test("has its records written when nothing came after all", async () => {
    const { produce, disk } = await produceBroker();
    assert.deepEqual(outcomes(await later(produce([0], { isFollowed: true }))), ["0@1"]);
    assert.equal(disk.writes, 1);
  });

  test("is promised too where the answer would be none, with acks=0", async () => {
    const { produce, partitions } = await produceBroker();
    assert.equal(await later(produce([0], { acks: 0, isFollowed: true })), NO_RESPONSE);
    assert.equal(partitions[0]?.highWatermark, 2);
  });
});

describe("Produce, where the disk takes its time,", () => {
  test("keeps its place before one that could have been written at once", async () => {
    const { produce, disk, partitions } = await produceBroker();
    const answered: string[] = [];
    const note = (name: string) => (produced: Produced) => void answered.push(`${name} ${outcomes(produced).join()}`);
    disk.hold();
    const first = later(produce([0])).then(note("first"));
    await Promise.resolve(); // the write is under way
    await Promise.resolve();
    disk.release();
    const second = later(produce([0])).then(note("second"));
    assert.equal(partitions[0]?.log.writtenEndOffset, 1);
    await Promise.all([first, second]);
    assert.deepEqual(answered, ["first 0@1", "second 0@2"]);
    assert.deepEqual(outcomes(atOnce(produce([0]))), ["0@3"]);
  });

  test("keeps no other partition waiting", async () => {
    const { produce, disk } = await produceBroker(2);
    disk.hold();
    const first = produce([0]);
    await Promise.resolve();
    await Promise.resolve();
    disk.release();
    assert.deepEqual(outcomes(atOnce(produce([1]))), ["0@1"]);
    assert.deepEqual(outcomes(await later(first)), ["0@1"]);
  });

  test("is promised as a whole when only one of its partitions waits", async () => {
    const { produce, disk } = await produceBroker(2);
    disk.hold();
    const first = produce([0]);
    await Promise.resolve();
    await Promise.resolve();
    disk.release();
    assert.deepEqual(outcomes(await later(produce([1, 0]))), ["0@1", "0@2"]);
    await first;
  });

  test("is refused when its time is over, and is appended all the same", async () => {
    const { produce, disk, clock } = await produceBroker();
    disk.hold();
    const produced = later(produce([0], { timeoutMs: 100 }));
    clock.advance(100);
    assert.deepEqual(outcomes(await produced), [`${ErrorCode.REQUEST_TIMED_OUT}@-1`]);
    disk.release();
    assert.deepEqual(outcomes(await produce([0])), ["0@2"]);
  });

  test("waits for the sync where each message is to be synced", async () => {
    const { produce, partitions } = await produceBroker(1, { flushMessages: 1 });
    const produced = later(produce([0]));
    assert.equal(partitions[0]?.highWatermark, 1);
    assert.deepEqual(outcomes(await produced), ["0@1"]);
    assert.equal(partitions[0]?.log.recoveryPoint, 2);
  });
});

describe("Produce, where the disk refuses the write that is tried at once,", () => {
  for (const acks of [-1, 1]) {
    test(`is answered KAFKA_STORAGE_ERROR, and so is what follows, with acks=${acks}`, async () => {
      const { produce, disk, partitions, errors } = await produceBroker(2);
      const failed: string[] = [];
      const log = partitions[0]?.log;
      assert.ok(log !== undefined);
      log.onFailure = ({ topicPartition }) => failed.push(`${topicPartition.topic}-${topicPartition.partition}`);
      disk.failure = ioError();
      const produced = later(produce([0], { acks }));
      assert.deepEqual(failed, ["t-0"], "before the handler returns");
      assert.deepEqual(outcomes(await produced), [REFUSED]);
      disk.failure = undefined;
      assert.deepEqual(outcomes(atOnce(produce([0, 1], { acks }))), [REFUSED, "0@1"]);
      assert.equal(partitions[0]?.highWatermark, 1, "nothing of it may be read");
      assert.deepEqual(errors, [], "the fence has told of it");
    });
  }

  test("refuses what waited for it as well", async () => {
    const { produce, disk } = await produceBroker();
    const first = produce([0], { isFollowed: true });
    disk.failure = ioError();
    const second = produce([0]);
    assert.deepEqual(outcomes(await later(first)), [REFUSED]);
    assert.deepEqual(outcomes(await later(second)), [REFUSED]);
  });

  test("lets nobody read on", async () => {
    const { produce, disk, partitions } = await produceBroker();
    disk.failure = ioError();
    assert.deepEqual(outcomes(await later(produce([0]))), [REFUSED]);
    assert.throws(
      () =>
        partitions[0]?.fetchRecords({
          fetchOffset: 1,
          maxBytes: 1000,
          minOneMessage: true,
          isolationLevel: "read-uncommitted",
          currentLeaderEpoch: -1,
          lastFetchedEpoch: -1,
        }),
      { code: ErrorCode.KAFKA_STORAGE_ERROR },
    );
  });

  for (const isFollowed of [false, true]) {
    test(`closes the connection with acks=0, ${isFollowed ? "behind others" : "alone"}`, async () => {
      const { produce, disk } = await produceBroker();
      disk.failure = ioError();
      await assert.rejects(later(produce([0], { acks: 0, isFollowed })), CloseConnectionError);
    });
  }

  test("closes the connection with acks=0 for what is refused before, though the rest is on the disk", async () => {
    const { produce, partitions } = await produceBroker();
    await assert.rejects(later(produce([0, 7], { acks: 0 })), CloseConnectionError);
    assert.equal(partitions[0]?.highWatermark, 2);
  });
});
