import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, KafkaError } from "@samsa/base";
import { codeOf, settle } from "../testing/group-harness.ts";
import { TransactionHarness } from "../testing/transaction-harness.ts";
import { topicPartitions } from "./topic-partitions.ts";

const DAY_MS = 24 * 3_600_000;

test("a transaction of two partitions is committed: its producer is told when that is decided, then both have their marker", async () => {
  const harness = await TransactionHarness.start();
  const { producer } = await harness.init();
  assert.deepEqual(producer, { producerId: 1, producerEpoch: 0 });
  assert.equal(await harness.add(1, 0, [0, 1]), ErrorCode.NONE);
  harness.holdsMarkers = true;
  const end = await harness.end(1, 0, true);
  assert.deepEqual(end, { errorCode: ErrorCode.NONE, producer: { producerId: 1, producerEpoch: 1 } });
  assert.equal(await harness.state(), "PrepareCommit 1/1 t-0 t-1");
  harness.asked[0]?.answer();
  await settle();
  assert.deepEqual(harness.written, ["commit 1/1 t-0", "commit 1/1 t-1"]);
  assert.equal(await harness.state(), "CompleteCommit 1/1");
});

test("what the disk takes at once is answered at once, and what it does not take is promised", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  const { coordinator, log } = harness;
  const partitions = topicPartitions([["t", [0]]]);
  const add = (producerEpoch: number) =>
    coordinator.addPartitions("x", { producerId: 1, producerEpoch, partitions, clientTransactionVersion: 2 });
  const end = (producerEpoch: number) =>
    coordinator.endTxn("x", { producerId: 1, producerEpoch, isCommit: true, clientTransactionVersion: 2 });
  assert.equal(add(0), ErrorCode.NONE);
  assert.deepEqual(end(0), { errorCode: ErrorCode.NONE, producer: { producerId: 1, producerEpoch: 1 } });
  await settle(); // the markers
  log.isPrompt = false;
  const added = add(1);
  assert.ok(added instanceof Promise);
  assert.equal(await added, ErrorCode.NONE);
  log.isPrompt = true;
  log.isHeld = true;
  const ended = end(1);
  assert.ok(ended instanceof Promise);
  log.isHeld = false;
  assert.ok(add(2) instanceof Promise); // decided by a state that is not on the disk yet
  log.commit();
  assert.deepEqual((await ended).producer, { producerId: 1, producerEpoch: 2 });
});

test("what comes behind a write that is under way is not answered before it, though the disk takes it at once", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  harness.log.isHeld = true;
  const answered: string[] = [];
  void harness.add(1, 0, [0]).then(() => answered.push("first"));
  harness.log.isHeld = false;
  void harness.add(1, 0, [1]).then(() => answered.push("second"));
  await settle();
  assert.deepEqual(answered, []);
  harness.log.commit();
  await settle();
  assert.deepEqual(answered, ["first", "second"]);
});

test("no marker leaves before the decision is committed", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0);
  harness.log.isHeld = true;
  const end = harness.end(1, 0, false);
  await settle();
  assert.deepEqual(harness.written, []);
  harness.log.commit();
  assert.equal((await end).errorCode, ErrorCode.NONE);
  await settle();
  assert.deepEqual(harness.written, ["abort 1/1 t-0"]);
});

test("what is refused because of a state waits until that state is committed", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  harness.log.isHeld = true;
  const second = harness.init();
  const answered: ErrorCode[] = [];
  void harness.add(1, 0).then((code) => answered.push(code));
  await settle();
  assert.deepEqual(answered, []); // fenced by a producer that may yet come to nothing
  harness.log.commit();
  assert.equal((await second).producer.producerEpoch, 1);
  await settle();
  assert.deepEqual(answered, [ErrorCode.PRODUCER_FENCED]);
});

test("a crash before the decision is committed leaves the transaction open, one after it completes it", async () => {
  for (const { kept, state } of [
    { kept: 0, state: "Ongoing 1/0 t-0" },
    { kept: 1, state: "CompleteCommit 1/1" },
  ]) {
    const harness = await TransactionHarness.start();
    await harness.init();
    await harness.add(1, 0);
    harness.log.isHeld = true;
    const end = codeOf(harness.end(1, 0, true));
    await settle();
    await harness.crash(kept);
    assert.equal(await end, ErrorCode.NOT_COORDINATOR);
    assert.equal(await harness.state(), state);
    assert.equal((await harness.end(1, 0, true)).errorCode, ErrorCode.NONE); // it asks again, as it must
    await settle();
    assert.equal(await harness.state(), "CompleteCommit 1/1");
  }
});

test("markers that were on their way in a crash are written again, under the epoch of the coordinator that came after", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0, [0, 1]);
  harness.holdsMarkers = true;
  await harness.end(1, 0, true);
  const before = harness.asked[0];
  await harness.crash();
  before?.answer(); // to nobody
  await settle();
  assert.equal(await harness.state(), "PrepareCommit 1/1 t-0 t-1");
  assert.equal(before?.marker.coordinatorEpoch, 0);
  assert.equal(harness.asked[0]?.marker.coordinatorEpoch, 1);
  harness.asked[0]?.answer();
  await settle();
  assert.equal(await harness.state(), "CompleteCommit 1/1");
});

test("a partition that does not take its marker is asked again, and those that did are not", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0, [0, 1, 2]);
  harness.holdsMarkers = true;
  await harness.end(1, 0, true);
  harness.asked.shift()?.answer(
    new Map([
      ["t-1", ErrorCode.NOT_LEADER_OR_FOLLOWER],
      ["t-2", ErrorCode.NOT_ENOUGH_REPLICAS],
    ]),
  );
  await settle();
  harness.clock.advance(100);
  harness.asked.shift()?.fail();
  await settle();
  harness.clock.advance(100);
  const [last] = harness.asked.splice(0);
  assert.deepEqual([...(last?.partitions.get("t") ?? [])], [1, 2]);
  last?.answer(new Map([["t-1", ErrorCode.INVALID_PRODUCER_EPOCH]]));
  await settle();
  assert.equal(await harness.state(), "CompleteCommit 1/1"); // a partition that saw a later epoch has its end behind it
});

test("a partition that a newer coordinator has written to is not given up, for it may be this one that is newer next", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0);
  harness.holdsMarkers = true;
  await harness.end(1, 0, true);
  harness.asked.shift()?.answer(new Map([["t-0", ErrorCode.TRANSACTION_COORDINATOR_FENCED]]));
  await settle();
  assert.equal(await harness.state(), "PrepareCommit 1/1 t-0");
});

test("an answer about markers completes the decision that they were written for and none that came after it", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0);
  harness.holdsMarkers = true;
  await harness.end(1, 0, true);
  const [first] = harness.asked.splice(0);
  first?.fail();
  await settle();
  harness.clock.advance(100); // asked again
  harness.asked.shift()?.answer();
  await settle();
  assert.equal(await harness.add(1, 1), ErrorCode.NONE);
  await harness.end(1, 1, false);
  assert.equal(await harness.state(), "PrepareAbort 1/2 t-0");
  first?.answer();
  await settle();
  assert.equal(await harness.state(), "PrepareAbort 1/2 t-0");
});

test("what comes before the transaction is complete waits for that, and is decided in turn", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0);
  harness.holdsMarkers = true;
  await harness.end(1, 0, true);
  const again = harness.end(1, 0, true);
  const added = [harness.add(1, 1, [0]), harness.add(1, 1, [1])];
  const young = harness.init();
  await settle();
  harness.holdsMarkers = false;
  harness.asked.shift()?.answer();
  assert.deepEqual(await again, { errorCode: ErrorCode.NONE, producer: { producerId: 1, producerEpoch: 1 } });
  assert.deepEqual(await Promise.all(added), [ErrorCode.NONE, ErrorCode.NONE]);
  assert.equal((await young).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS); // of the next, which it has aborted
  await settle();
  assert.deepEqual(harness.written, ["commit 1/1 t-0", "abort 1/2 t-0", "abort 1/2 t-1"]);
  assert.equal(harness.clock.pendingTimers, 2, "those of time-outs and of expiry");
});

test("nobody waits for long, nor in great number, and who need not wait is told at once", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0);
  harness.holdsMarkers = true;
  await harness.end(1, 0, true);
  assert.equal((await harness.end(1, 7, true, "x", 0)).errorCode, ErrorCode.PRODUCER_FENCED);
  const answered: ErrorCode[] = [];
  for (let asking = 0; asking < 9; asking++) void harness.add(1, 1).then((code) => answered.push(code));
  await settle();
  assert.deepEqual(answered, [ErrorCode.CONCURRENT_TRANSACTIONS]);
  harness.clock.advance(50);
  await settle();
  assert.deepEqual(
    answered,
    Array.from({ length: 9 }, () => ErrorCode.CONCURRENT_TRANSACTIONS),
  );
  harness.asked.shift()?.answer();
  await settle();
  assert.equal(await harness.add(1, 1), ErrorCode.NONE);
});

test("who waits for a transaction of a coordinator that is gone is told so", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0);
  harness.holdsMarkers = true;
  await harness.end(1, 0, true);
  const waiting = codeOf(harness.init());
  await settle();
  harness.coordinator.unload(0);
  assert.equal(await waiting, ErrorCode.NOT_COORDINATOR);
  assert.equal(harness.clock.pendingTimers, 0);
});

test("a new producer has what the old one left open aborted, is told to wait, and fences it", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0);
  harness.holdsMarkers = true;
  assert.equal((await harness.init()).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS);
  const again = harness.init();
  harness.clock.advance(50);
  assert.equal((await again).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS);
  assert.equal(harness.asked.length, 1);
  harness.asked.shift()?.answer();
  await settle();
  assert.deepEqual((await harness.init()).producer, { producerId: 1, producerEpoch: 2 });
  assert.equal(await harness.add(1, 0), ErrorCode.PRODUCER_FENCED);
  assert.equal((await harness.end(1, 0, true)).errorCode, ErrorCode.PRODUCER_FENCED);
  assert.deepEqual(harness.written, ["abort 1/1 t-0"]);
});

test("a producer that asks to go on while its own transaction is open has it aborted, and is fenced itself", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0);
  const expected = { producerId: 1, producerEpoch: 0 };
  assert.equal((await harness.init("x", expected)).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS);
  await settle();
  assert.equal((await harness.init("x", expected)).errorCode, ErrorCode.PRODUCER_FENCED);
});

test("a transaction that is open for longer than its timeout is aborted, and its producer fenced when it comes to commit", async () => {
  const harness = await TransactionHarness.start();
  await harness.init("x", undefined, 15_000);
  await harness.add(1, 0);
  harness.clock.advance(10_000);
  assert.equal(await harness.state(), "Ongoing 1/0 t-0");
  harness.clock.advance(10_000);
  await settle();
  assert.deepEqual(harness.written, ["abort 1/1 t-0"]);
  assert.equal((await harness.end(1, 0, true)).errorCode, ErrorCode.INVALID_TXN_STATE);
  assert.equal(await harness.add(1, 0), ErrorCode.PRODUCER_FENCED);
});

test("timeouts go on after a crash, from when the transaction began", async () => {
  const harness = await TransactionHarness.start();
  await harness.init("x", undefined, 15_000);
  await harness.add(1, 0);
  harness.clock.advance(10_000);
  await harness.crash();
  harness.clock.advance(10_000);
  await settle();
  assert.equal(await harness.state(), "CompleteAbort 1/1");
});

for (const { timeout, why } of [
  { timeout: 0, why: "none" },
  { timeout: -1, why: "less than none" },
  { timeout: 900_001, why: "more than transaction.max.timeout.ms" },
]) {
  test(`a timeout of ${timeout} ms is refused: ${why}`, async () => {
    const harness = await TransactionHarness.start();
    assert.equal((await harness.init("x", undefined, timeout)).errorCode, ErrorCode.INVALID_TRANSACTION_TIMEOUT);
    assert.equal(await harness.state(), undefined);
  });
}

test("an id that is not used for transactional.id.expiration.ms is forgotten, with a tombstone; one with an open transaction is not", async () => {
  const harness = await TransactionHarness.start({ abortTimedOutIntervalMs: 30 * DAY_MS });
  await harness.init("idle");
  await harness.init("open");
  await harness.add(2, 0, [0], "open");
  harness.clock.advance(6 * DAY_MS);
  await harness.init("used");
  harness.clock.advance(2 * DAY_MS);
  await settle();
  const ids = (await harness.coordinator.listTransactions()).map(({ transactionalId }) => transactionalId);
  assert.deepEqual(ids, ["open", "used"]);
  await harness.crash();
  assert.equal(await harness.state("idle"), undefined);
  assert.deepEqual((await harness.init("idle")).producer, { producerId: 4, producerEpoch: 0 });
});

test("an id whose epochs are used up goes on under a new producer id, by commit, by timeout and by a new producer", async () => {
  for (const how of ["commit", "timeout", "init"] as const) {
    const harness = await TransactionHarness.start();
    await harness.begin("x", 32_765);
    assert.deepEqual((await harness.init()).producer, { producerId: 1, producerEpoch: 32_766 });
    await harness.add(1, 32_766);
    harness.holdsMarkers = true;
    if (how === "commit") {
      const { producer } = await harness.end(1, 32_766, true);
      assert.deepEqual(producer, { producerId: 2, producerEpoch: 0 });
      const added = harness.add(2, 0);
      harness.clock.advance(50);
      assert.equal(await added, ErrorCode.CONCURRENT_TRANSACTIONS);
    } else if (how === "timeout") {
      harness.clock.advance(80_000);
      await settle();
    } else {
      assert.equal((await harness.init()).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS);
    }
    const expected = how === "commit" ? "PrepareCommit" : "PrepareAbort";
    assert.equal(await harness.state(), `${expected} 1/32767 t-0`);
    await harness.crash();
    harness.asked[0]?.answer();
    await settle();
    assert.equal(await harness.state(), `${how === "commit" ? "CompleteCommit" : "CompleteAbort"} 2/0`);
  }
});

test("a controller that has no producer ids is what the producer is told of, and it may ask again", async () => {
  const harness = await TransactionHarness.start();
  harness.refusal = new KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
  assert.equal((await harness.init()).errorCode, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
  assert.equal((await harness.init()).errorCode, ErrorCode.NONE);
});

test("two producers that begin at once under a new id get one producer id and two epochs", async () => {
  const harness = await TransactionHarness.start();
  const [first, second] = await Promise.all([harness.init(), harness.init()]);
  assert.deepEqual(first.producer, { producerId: 1, producerEpoch: 0 });
  assert.deepEqual(second.producer, { producerId: 1, producerEpoch: 1 });
});

test("a disk that fails takes the end back: nobody was told of it, and no marker was written", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0);
  harness.log.isHeld = true;
  const end = codeOf(harness.end(1, 0, true));
  await settle();
  harness.log.fail();
  assert.equal(await end, ErrorCode.NOT_COORDINATOR);
  harness.log.isHeld = false;
  await settle();
  assert.equal(await harness.state(), "Ongoing 1/0 t-0");
  assert.deepEqual(harness.written, []);
});

test("an epoch that could not be written is not used up", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  harness.log.refusal = new KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS);
  assert.equal(await codeOf(harness.init()), ErrorCode.COORDINATOR_NOT_AVAILABLE);
  assert.deepEqual((await harness.init()).producer, { producerId: 1, producerEpoch: 1 });
});

test("a transaction whose completion cannot be written now is completed later", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0);
  harness.holdsMarkers = true;
  await harness.end(1, 0, true);
  harness.log.refusal = new KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS);
  harness.asked.shift()?.answer();
  await settle();
  assert.equal(await harness.state(), "PrepareCommit 1/1 t-0");
  harness.holdsMarkers = false;
  harness.clock.advance(100);
  await settle();
  assert.equal(await harness.state(), "CompleteCommit 1/1");
});

test("an unloaded partition coordinates nothing and has no timer left, and what it had begun goes on elsewhere", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0);
  harness.holdsMarkers = true;
  await harness.end(1, 0, true);
  harness.coordinator.unload(0);
  assert.equal(harness.clock.pendingTimers, 0);
  assert.equal(await codeOf(harness.init()), ErrorCode.NOT_COORDINATOR);
  assert.deepEqual(await harness.coordinator.listTransactions(), []);
  harness.asked.shift()?.answer();
  await settle();
  harness.holdsMarkers = false;
  await harness.lead();
  assert.equal(await harness.state(), "CompleteCommit 1/1");
});

test("while a partition is loaded its ids are refused for a while", async () => {
  const harness = await TransactionHarness.start();
  harness.coordinator.unload(0);
  let open: () => void = () => undefined;
  harness.log.loadGate = new Promise((resolve) => (open = resolve));
  await harness.lead();
  assert.equal(await codeOf(harness.init()), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
  assert.equal(await codeOf(harness.coordinator.listTransactions()), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
  open();
  await settle();
  assert.equal((await harness.init()).errorCode, ErrorCode.NONE);
});

test("without its topic there is no coordinator", async () => {
  const harness = await TransactionHarness.start();
  harness.coordinator.setPartitionCount(0);
  assert.equal(await codeOf(harness.init()), ErrorCode.NOT_COORDINATOR);
});

test("a leader is told which partitions the producer has added", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  await harness.add(1, 0, [0], "x", 0);
  const verdict = await harness.coordinator.verifyPartitions("x", { producerId: 1, producerEpoch: 0 });
  assert.equal(verdict("t", 0), ErrorCode.NONE);
  assert.equal(verdict("t", 1), ErrorCode.TRANSACTION_ABORTABLE);
  assert.equal(verdict("u", 0), ErrorCode.TRANSACTION_ABORTABLE);
  const fenced = await harness.coordinator.verifyPartitions("x", { producerId: 1, producerEpoch: 1 });
  assert.equal(fenced("t", 0), ErrorCode.PRODUCER_FENCED);
});

for (const end of ["commit", "abort"] as const) {
  test(`the ${end} of a transaction that overtakes its records is asked for again, and comes behind them then`, async () => {
    const harness = await TransactionHarness.start();
    await harness.init();
    await harness.add(1, 0);
    await harness.end(1, 0, true);
    await settle();
    const isCommit = end === "commit";
    assert.equal((await harness.end(1, 1, isCommit)).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS);
    assert.equal(await harness.add(1, 1), ErrorCode.NONE);
    assert.deepEqual(await harness.end(1, 1, isCommit), {
      errorCode: ErrorCode.NONE,
      producer: { producerId: 1, producerEpoch: 2 },
    });
    await settle();
    assert.deepEqual(harness.written, ["commit 1/1 t-0", `${end} 1/2 t-0`]);
  });
}

test("a transaction without records is not committed, also when that is asked for again", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  assert.equal((await harness.end(1, 0, true)).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS);
  assert.equal((await harness.end(1, 0, true)).errorCode, ErrorCode.INVALID_TXN_STATE);
  assert.equal((await harness.end(1, 0, true)).errorCode, ErrorCode.INVALID_TXN_STATE);
});

test("an end that was asked for in vain is forgotten with the next move", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  assert.equal((await harness.end(1, 0, false)).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS);
  assert.equal((await harness.end(1, 0, false)).errorCode, ErrorCode.NONE);
  await settle();
  assert.equal((await harness.end(1, 1, true)).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS);
});

test("an abort of nothing is taken at once when it does not come close behind the transaction before", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  harness.clock.advance(1000);
  assert.equal((await harness.end(1, 0, false)).errorCode, ErrorCode.NONE);
});

test("clients whose epoch stays are told at once that nothing is open", async () => {
  const harness = await TransactionHarness.start();
  await harness.init();
  assert.equal((await harness.end(1, 0, true, "x", 0)).errorCode, ErrorCode.INVALID_TXN_STATE);
});
