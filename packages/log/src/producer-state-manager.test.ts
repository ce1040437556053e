import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ErrorCode, errorCodeOf } from "@samsa/base";
import { incrementSequence } from "@samsa/protocol";
import fc from "fast-check";
import { decodeProducerSnapshot, encodeProducerSnapshot } from "./producer-snapshot-file.ts";
import type { EndMarker, ProducerBatch, TransactionChecks } from "./producer-state-manager.ts";
import { ProducerStateManager } from "./producer-state-manager.ts";
import { Written } from "./written.ts";

const MAX = 0x7fffffff;
const NOW = 1_700_000_000_000;

interface Batch {
  readonly pid?: number;
  readonly epoch?: number;
  readonly seq: number;
  readonly count?: number;
  readonly transactional?: boolean;
  readonly timestamp?: number;
}

/** A log as far as its producers are concerned: batches get their offsets and are appended, or not. */
class Appender {
  readonly producers = new ProducerStateManager();
  endOffset = 0;

  /** The offset that is answered, or the error. */
  send(
    { pid = 1, epoch = 0, seq, count = 1, transactional = false, timestamp = NOW }: Batch,
    transaction?: TransactionChecks,
  ): number | string {
    const batch: ProducerBatch = {
      baseOffset: this.endOffset,
      lastOffset: this.endOffset + count - 1,
      maxTimestamp: timestamp,
      producerId: pid,
      producerEpoch: epoch,
      baseSequence: seq,
      lastSequence: incrementSequence(seq, count - 1),
      isTransactional: transactional,
    };
    try {
      const duplicate = this.producers.check(batch, "client", undefined, transaction);
      if (duplicate !== undefined) return duplicate.lastOffset - duplicate.offsetDelta;
    } catch (error) {
      return nameOf(errorCodeOf(error));
    }
    this.producers.update(batch, Written.ALREADY);
    this.endOffset += count;
    return batch.baseOffset;
  }

  /** What the marker has ended, or the error. */
  mark(
    pid: number,
    kind: "commit" | "abort",
    { epoch = 0, coordinatorEpoch = 0, transactionVersion = 0 } = {},
  ): object | string | undefined {
    const baseOffset = this.endOffset;
    const marker: EndMarker = { isAbort: kind === "abort", coordinatorEpoch, timestamp: NOW };
    const batch: ProducerBatch = {
      baseOffset,
      lastOffset: baseOffset,
      maxTimestamp: NOW,
      producerId: pid,
      producerEpoch: epoch,
      baseSequence: -1,
      lastSequence: -1,
      isTransactional: true,
    };
    try {
      this.producers.check(batch, "coordinator", marker, { transactionVersion });
    } catch (error) {
      return nameOf(errorCodeOf(error));
    }
    this.endOffset++;
    return this.producers.update(batch, Written.ALREADY, marker);
  }
}

function nameOf(code: ErrorCode): string {
  return Object.entries(ErrorCode).find(([, value]) => value === code)?.[0] ?? String(code);
}

const OUT_OF_ORDER = "OUT_OF_ORDER_SEQUENCE_NUMBER";

/** What Apache Kafka 4.4 answered to the same requests, one after the other, on an empty partition. */
const conversations: { what: string; steps: [Batch, number | string][] }[] = [
  {
    what: "a producer that nobody knows may begin with any sequence",
    steps: [[{ seq: 7, count: 2 }, 0]],
  },
  {
    what: "a batch that comes again is answered with its offset, whichever of the last five it is",
    steps: [
      [{ seq: 7, count: 2 }, 0],
      [{ seq: 9 }, 2],
      [{ seq: 9 }, 2],
      [{ seq: 7, count: 2 }, 0],
      [{ seq: 10 }, 3],
    ],
  },
  {
    what: "part of an old batch, or more than it, is no duplicate",
    steps: [
      [{ seq: 0, count: 2 }, 0],
      [{ seq: 0, count: 1 }, OUT_OF_ORDER],
      [{ seq: 1, count: 1 }, OUT_OF_ORDER],
      [{ seq: 0, count: 3 }, OUT_OF_ORDER],
    ],
  },
  {
    what: "a sequence is missing",
    steps: [
      [{ seq: 0 }, 0],
      [{ seq: 2 }, OUT_OF_ORDER],
      [{ seq: 1 }, 1],
    ],
  },
  {
    what: "the sixth batch pushes the first out of the window",
    steps: [
      ...[0, 1, 2, 3, 4, 5].map((seq): [Batch, number] => [{ seq }, seq]),
      [{ seq: 0 }, OUT_OF_ORDER],
      [{ seq: 1 }, 1],
    ],
  },
  {
    what: "a new epoch begins with 0 and fences the old one, duplicates included",
    steps: [
      [{ seq: 0 }, 0],
      [{ epoch: 1, seq: 5 }, OUT_OF_ORDER],
      [{ epoch: 1, seq: 1 }, OUT_OF_ORDER],
      [{ epoch: 1, seq: 0 }, 1],
      [{ epoch: 0, seq: 1 }, "INVALID_PRODUCER_EPOCH"],
      [{ epoch: 0, seq: 0 }, "INVALID_PRODUCER_EPOCH"],
      [{ epoch: 1, seq: 0 }, 1],
    ],
  },
  {
    what: "after 2^31 - 1 comes 0, within a batch too",
    steps: [
      [{ seq: MAX - 1, count: 4 }, 0],
      [{ seq: MAX - 1, count: 4 }, 0],
      [{ seq: 2 }, 4],
      [{ pid: 2, seq: MAX }, 5],
      [{ pid: 2, seq: 0 }, 6],
    ],
  },
  {
    what: "an epoch of -1 is none: any sequence will do",
    steps: [
      [{ epoch: -1, seq: 0 }, 0],
      [{ epoch: -1, seq: 9 }, 1],
      [{ epoch: 0, seq: 5 }, 2],
    ],
  },
  {
    what: "producers do not concern one another",
    steps: [
      [{ pid: 1, seq: 0 }, 0],
      [{ pid: 2, seq: 0 }, 1],
      [{ pid: 1, seq: 1 }, 2],
      [{ pid: 2, seq: 0 }, 1],
    ],
  },
];

describe("a batch of an idempotent producer", () => {
  for (const { what, steps } of conversations) {
    test(what, () => {
      const log = new Appender();
      for (const [batch, answer] of steps) assert.equal(log.send(batch), answer, JSON.stringify(batch));
    });
  }

  test("is answered as a plain model answers it, whatever is sent", () => {
    const batches = fc.record({
      pid: fc.constantFrom(1, 2),
      epoch: fc.integer({ min: 0, max: 2 }),
      seq: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: MAX - 4, max: MAX })),
      count: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(batches, { maxLength: 60 }), fc.integer({ min: MAX - 8, max: MAX }), (sent, start) => {
        const log = new Appender();
        const model = new PlainModel();
        const all = [{ pid: 1, epoch: 0, seq: start, count: 2 }, ...sent];
        for (const batch of all) {
          // Half of them continue where the producer is: else most would be refused.
          const follows = batch.seq % 2 === 0 ? model.next(batch.pid, batch.epoch) : undefined;
          const next = follows === undefined ? batch : { ...batch, seq: follows };
          assert.equal(log.send(next), model.send(next));
        }
      }),
    );
  });
});

/** Every sequence number of every batch written down one by one. */
class PlainModel {
  readonly #producers = new Map<
    number,
    { epoch: number; batches: { sequences: string; offset: number }[]; next: number }
  >();
  #endOffset = 0;

  next(pid: number, epoch: number): number | undefined {
    const known = this.#producers.get(pid);
    return known?.epoch === epoch ? known.next : undefined;
  }

  send({ pid, epoch, seq, count }: { pid: number; epoch: number; seq: number; count: number }): number | string {
    const numbers = Array.from({ length: count }, (_, index) => (seq + index) % 2 ** 31);
    const sequences = numbers.join();
    const known = this.#producers.get(pid);
    if (known !== undefined && epoch < known.epoch) return "INVALID_PRODUCER_EPOCH";
    if (known?.epoch === epoch) {
      const same = known.batches.slice(-5).find((batch) => batch.sequences === sequences);
      if (same !== undefined) return same.offset;
      if (seq !== known.next) return OUT_OF_ORDER;
    } else if (known !== undefined && seq !== 0) return OUT_OF_ORDER;
    const batches = known?.epoch === epoch ? known.batches : [];
    const offset = this.#endOffset;
    batches.push({ sequences, offset });
    this.#producers.set(pid, { epoch, batches, next: ((numbers.at(-1) ?? 0) + 1) % 2 ** 31 });
    this.#endOffset += count;
    return offset;
  }
}

describe("a transactional batch whose partition is to be verified (KIP-890)", () => {
  const verify = (
    log: Appender,
    { epoch = 0, seq = 0, isEpochPerTransaction = false, pid = 1 } = {},
  ): TransactionChecks => ({
    verification:
      log.producers.startVerification(
        { producerId: pid, producerEpoch: epoch, baseSequence: seq, isEpochPerTransaction },
        NOW,
      ) ?? "unverified",
  });
  const INVALID_TXN_STATE = "INVALID_TXN_STATE";

  test("begins a transaction only under a guard, and goes on without", () => {
    const log = new Appender();
    assert.equal(log.send({ seq: 0, transactional: true }, { verification: "unverified" }), INVALID_TXN_STATE);
    assert.equal(log.send({ seq: 0, transactional: true }, verify(log)), 0);
    assert.deepEqual(verify(log), { verification: "unverified" }, "nobody needs to be asked");
    assert.equal(log.send({ seq: 1, transactional: true }, { verification: "unverified" }), 1);
  });

  test("is refused when a marker came between the question and the answer", () => {
    const log = new Appender();
    const late = verify(log);
    log.mark(1, "abort");
    assert.equal(log.send({ seq: 0, transactional: true }, late), INVALID_TXN_STATE);
    const next = verify(log);
    assert.equal(log.send({ seq: 0, transactional: true }, late), INVALID_TXN_STATE, "the guard of another question");
    assert.equal(log.send({ seq: 0, transactional: true }, next), 1);
  });

  test("is taken when the marker of the transaction before came between the question and the answer", () => {
    const log = new Appender();
    log.send({ seq: 0, transactional: true }, verify(log));
    const next = verify(log, { epoch: 1, isEpochPerTransaction: true });
    log.mark(1, "commit", { epoch: 1, transactionVersion: 2 });
    assert.equal(log.send({ epoch: 1, seq: 0, transactional: true }, next), 2);
  });

  test("is refused when the marker of its own transaction came, whose records had not", () => {
    const log = new Appender();
    log.send({ seq: 0, transactional: true }, verify(log));
    log.mark(1, "commit", { epoch: 1, transactionVersion: 2 });
    const late = verify(log, { epoch: 1, isEpochPerTransaction: true });
    log.mark(1, "abort", { epoch: 2, transactionVersion: 2 });
    assert.equal(log.send({ epoch: 1, seq: 0, transactional: true }, late), INVALID_TXN_STATE);
  });

  test("is refused when a transaction that hangs was ended under its own epoch", () => {
    const log = new Appender();
    log.send({ seq: 0, transactional: true }, verify(log));
    log.mark(1, "abort");
    const late = verify(log);
    log.mark(1, "abort");
    assert.equal(log.send({ seq: 1, transactional: true }, late), INVALID_TXN_STATE);
  });

  test("of a new epoch is verified though a transaction of the epoch before is open", () => {
    const log = new Appender();
    log.send({ seq: 0, transactional: true }, verify(log));
    assert.equal(
      log.send({ epoch: 1, seq: 0, transactional: true }, { verification: "unverified" }),
      INVALID_TXN_STATE,
    );
  });

  test("that comes again is known without being verified", () => {
    const log = new Appender();
    log.send({ seq: 0, transactional: true }, verify(log));
    log.mark(1, "commit");
    assert.equal(log.send({ seq: 0, transactional: true }, { verification: "unverified" }), 0);
  });

  test("does not overtake the one that was sent before it, where nobody knows the producer", () => {
    const log = new Appender();
    const first = verify(log, { seq: 4 });
    const second = verify(log, { seq: 5 });
    assert.equal(log.send({ seq: 5, transactional: true }, second), OUT_OF_ORDER);
    assert.equal(log.send({ seq: 4, transactional: true }, first), 0);
    assert.equal(log.send({ seq: 5, transactional: true }, second), 1);
  });

  test("begins with sequence 0 where every transaction has an epoch of its own", () => {
    const log = new Appender();
    const second = verify(log, { seq: 1, isEpochPerTransaction: true });
    assert.equal(log.send({ seq: 1, transactional: true }, second), OUT_OF_ORDER);
    const first = verify(log, { seq: 0, isEpochPerTransaction: true });
    assert.equal(log.send({ seq: 0, transactional: true }, first), 0);
  });

  test("leaves no guard behind for ever when its answer never comes", () => {
    const log = new Appender();
    const late = verify(log);
    log.producers.removeExpired(NOW + 1000, 1000);
    assert.equal(log.send({ seq: 0, transactional: true }, late), INVALID_TXN_STATE);
  });
});

describe("a marker of transactions V2", () => {
  const marker = (epoch: number) => ({ epoch, transactionVersion: 2 });

  test("ends only the transaction of the epoch before its own", () => {
    const log = new Appender();
    log.send({ epoch: 4, seq: 0, transactional: true });
    assert.equal(log.mark(1, "commit", marker(4)), "INVALID_PRODUCER_EPOCH", "it is late, and of the one before");
    assert.equal(log.producers.firstUnstableOffset, 0);
    log.mark(1, "commit", marker(5));
    log.producers.forgetEndedBelow(log.endOffset);
    assert.equal(log.producers.firstUnstableOffset, undefined);
  });

  test("is taken again when nothing has come since: its first answer may have been lost (KAFKA-19999)", () => {
    const log = new Appender();
    log.send({ epoch: 4, seq: 0, transactional: true });
    log.mark(1, "commit", marker(5));
    assert.equal(log.mark(1, "commit", marker(5)), undefined);
  });
});

describe("a producer that has been silent", () => {
  test("is forgotten after the expiration, and may go on with any sequence", () => {
    const log = new Appender();
    log.send({ seq: 0 });
    log.producers.removeExpired(NOW + 999, 1000);
    assert.equal(log.send({ seq: 5 }), OUT_OF_ORDER);
    log.producers.removeExpired(NOW + 1000, 1000);
    assert.equal(log.producers.producerCount, 0);
    assert.equal(log.send({ seq: 5 }), 1);
  });

  test("is not forgotten while its transaction is open", () => {
    const log = new Appender();
    log.send({ seq: 0, transactional: true });
    log.producers.removeExpired(NOW + 1e9, 1000);
    assert.equal(log.producers.producerCount, 1);
    log.mark(1, "commit");
    log.producers.removeExpired(NOW + 1e9, 1000);
    assert.equal(log.producers.producerCount, 0);
  });
});

describe("a transaction", () => {
  test("holds the last stable offset from its first record until its end is below the high watermark", () => {
    const log = new Appender();
    log.send({ pid: 9, seq: 0 });
    log.send({ seq: 0, count: 3, transactional: true });
    log.send({ seq: 3, transactional: true });
    assert.equal(log.producers.firstUnstableOffset, 1);
    const ended = { producerId: 1, firstOffset: 1, lastOffset: 5, isAborted: false, lastStableOffset: 6 };
    assert.deepEqual(log.mark(1, "commit"), ended);
    log.producers.forgetEndedBelow(5);
    assert.equal(log.producers.firstUnstableOffset, 1);
    log.producers.forgetEndedBelow(6);
    assert.equal(log.producers.firstUnstableOffset, undefined);
  });

  test("that is open beside another keeps it where the other began", () => {
    const log = new Appender();
    log.send({ pid: 1, seq: 0, transactional: true });
    log.send({ pid: 2, seq: 0, transactional: true });
    const aborted = { producerId: 2, firstOffset: 1, lastOffset: 2, isAborted: true, lastStableOffset: 0 };
    assert.deepEqual(log.mark(2, "abort"), aborted);
    assert.deepEqual(log.mark(1, "commit"), {
      ...aborted,
      producerId: 1,
      firstOffset: 0,
      lastOffset: 3,
      isAborted: false,
      lastStableOffset: 4,
    });
  });

  test("takes no record from outside of it", () => {
    const log = new Appender();
    log.send({ seq: 0, transactional: true });
    assert.equal(log.send({ seq: 1 }), "INVALID_TXN_STATE");
    assert.equal(log.send({ seq: 1, transactional: true }), 1);
  });

  test("is not ended by a coordinator that has been replaced, nor by an older epoch", () => {
    const log = new Appender();
    log.send({ epoch: 1, seq: 0, transactional: true });
    log.mark(1, "commit", { epoch: 1, coordinatorEpoch: 7 });
    log.send({ epoch: 1, seq: 1, transactional: true });
    assert.equal(log.mark(1, "commit", { epoch: 1, coordinatorEpoch: 6 }), "TRANSACTION_COORDINATOR_FENCED");
    assert.equal(log.mark(1, "commit", { epoch: 0, coordinatorEpoch: 7 }), "INVALID_PRODUCER_EPOCH");
    assert.equal(log.producers.firstUnstableOffset, 0);
  });

  test("that is ended with a higher epoch leaves a producer that begins with 0 again", () => {
    const log = new Appender();
    log.send({ seq: 0, transactional: true });
    log.mark(1, "abort", { epoch: 1 });
    assert.equal(log.send({ seq: 1, transactional: true }), "INVALID_PRODUCER_EPOCH");
    assert.equal(log.send({ epoch: 1, seq: 1, transactional: true }), OUT_OF_ORDER);
    assert.equal(log.send({ epoch: 1, seq: 0, transactional: true }), 2);
  });

  test("that nothing was written in is ended without effect, and its producer is known from then on", () => {
    const log = new Appender();
    assert.equal(log.mark(1, "commit", { epoch: 3 }), undefined);
    assert.equal(log.send({ epoch: 2, seq: 0 }), "INVALID_PRODUCER_EPOCH");
  });
});

describe("a snapshot of the producers", () => {
  const fields = fc.record(
    {
      producerId: fc.integer({ min: 0, max: 2 ** 40 }),
      epoch: fc.integer({ min: 0, max: 32767 }),
      lastSequence: fc.integer({ min: -1, max: MAX }),
      lastOffset: fc.integer({ min: -1, max: 2 ** 40 }),
      offsetDelta: fc.integer({ min: 0, max: 1000 }),
      timestamp: fc.integer({ min: -1, max: 2 ** 50 }),
      coordinatorEpoch: fc.integer({ min: -1, max: MAX }),
      currentTxnFirstOffset: fc.integer({ min: -1, max: 2 ** 40 }),
    },
    { noNullPrototype: true },
  );

  test("is read as it was written", () => {
    fc.assert(
      fc.property(fc.array(fields, { maxLength: 20 }), (producers) => {
        assert.deepEqual(decodeProducerSnapshot(encodeProducerSnapshot(producers), "s"), producers);
      }),
    );
  });

  test("is refused when a bit of it has changed or any of it is missing", () => {
    const bytes = encodeProducerSnapshot(
      [new Appender(), new Appender()].flatMap((log) => {
        log.send({ seq: 3, count: 2 });
        return log.producers.takeSnapshot(log.endOffset);
      }),
    );
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.throws(() => decodeProducerSnapshot(damaged, "s"), { name: "KafkaStorageError" }, `bit ${bit}`);
    }
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeProducerSnapshot(bytes.subarray(0, length), "s"), { name: "KafkaStorageError" });
    }
  });

  test("keeps the last batch of a producer, its epochs and its open transaction", () => {
    const log = new Appender();
    log.send({ pid: 2, seq: 0 });
    log.mark(1, "commit", { epoch: 4, coordinatorEpoch: 3 });
    log.send({ epoch: 4, seq: 0, count: 2, transactional: true });
    log.send({ epoch: 4, seq: 2, count: 2, transactional: true });
    assert.equal(log.producers.needsSnapshot(log.endOffset), true);
    const snapshot = log.producers.takeSnapshot(log.endOffset);
    assert.equal(log.producers.needsSnapshot(log.endOffset), false);
    log.producers.restore(log.endOffset, snapshot);
    assert.equal(log.producers.needsSnapshot(log.endOffset), false);
    assert.equal(log.producers.firstUnstableOffset, 2);
    assert.equal(log.send({ epoch: 4, seq: 2, count: 2, transactional: true }), 4);
    assert.equal(log.send({ epoch: 4, seq: 0, count: 2, transactional: true }), OUT_OF_ORDER);
    assert.equal(log.mark(1, "abort", { epoch: 4, coordinatorEpoch: 2 }), "TRANSACTION_COORDINATOR_FENCED");
    assert.deepEqual(log.producers.takeSnapshot(log.endOffset), snapshot);
  });
});
