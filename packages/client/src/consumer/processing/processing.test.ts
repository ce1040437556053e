import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigurationError } from "../../errors.ts";
import { serializers } from "../../serialisers/serialisers.ts";
import { appendValues, bedOfValues, takeValues } from "../../testing/appended.ts";
import type { TestBed } from "../../testing/client-test.ts";
import type { Consumer } from "../consumer.ts";
import type { ConsumerRecord } from "../consumer-record.ts";
import { DecodeError } from "../decode-error.ts";
import { deadLetters, dueAt, retryTopics } from "./dead-letters.ts";
import type { FailedRecord } from "./failed-record.ts";
import type { CompletedPosition } from "./position-committer.ts";
import type { RunOptions } from "./run-options.ts";

const T0 = { topic: "t", partition: 0 };
const text = { valueDeserializer: serializers.string, autoOffsetReset: "earliest" } as const;
type Text = ConsumerRecord<Uint8Array, string>;

async function reader(bed: TestBed, topic = "t"): Promise<Consumer<Uint8Array, string>> {
  const consumer = bed.kafka().consumer(text);
  await bed.run(consumer.assign([{ topic, endOffset: "latest" }]));
  return consumer;
}

function pause(bed: TestBed, delayMs: number): Promise<void> {
  return new Promise((resolve) => void bed.clock.setTimer(delayMs, resolve));
}

test("a handler that fails is tried again after longer and longer pauses, and nothing of its partition overtakes it", async () => {
  const bed = await bedOfValues(["a", "b"]);
  const consumer = await reader(bed);
  const calls: [string | null, number][] = [];
  const startMs = bed.clock.monotonicMs();
  const eachRecord = ({ value }: Text): void => {
    calls.push([value, bed.clock.monotonicMs() - startMs]);
    if (value === "a" && calls.length < 4) throw new Error("not yet");
  };
  await bed.run(consumer.run({ eachRecord, retry: { attempts: 4, backoffMs: 100 } }));
  assert.deepEqual(
    calls.map(([value]) => value),
    ["a", "a", "a", "a", "b"],
  );
  const [first = 0, second = 0, third = 0] = [1, 2, 3].map((i) => (calls[i]?.[1] ?? 0) - (calls[i - 1]?.[1] ?? 0));
  assert.ok(first >= 80 && first <= 120 && second >= 160 && second <= 240 && third >= 320 && third <= 480);
});

test("an error that no retry helps against is not tried again", async () => {
  const bed = await bedOfValues(["a"]);
  const consumer = await reader(bed);
  let calls = 0;
  const run = consumer.run({
    eachRecord: () => {
      calls++;
      throw new TypeError("never");
    },
    retry: { attempts: 9, isRetriable: (error) => !(error instanceof TypeError) },
  });
  await assert.rejects(bed.run(run), /never/u);
  assert.equal(calls, 1);
});

test("the end of a run ends the pause before a retry, and the record is handed out by the next run", async () => {
  const bed = await bedOfValues(["a"]);
  const consumer = await reader(bed);
  const abort = new AbortController();
  const failing = consumer.run({
    eachRecord: () => {
      throw new Error("not yet");
    },
    retry: { attempts: 2, backoffMs: 1_000_000, backoffMaxMs: 1_000_000 },
    signal: abort.signal,
  });
  await bed.clock.advance(1000);
  abort.abort();
  await bed.run(failing);
  assert.equal(consumer.position(T0), 0);
  const seen: unknown[] = [];
  await bed.run(consumer.run({ eachRecord: ({ value }) => void seen.push(value) }));
  assert.deepEqual(seen, ["a"]);
});

test("what fails for good may be skipped", async () => {
  const bed = await bedOfValues(["a", "bad", "c"]);
  const consumer = await reader(bed);
  const seen: unknown[] = [];
  const eachRecord = ({ value }: Text): void => {
    if (value === "bad") throw new Error("no");
    seen.push(value);
  };
  await bed.run(consumer.run({ eachRecord, onFailure: "skip" }));
  assert.deepEqual([seen, consumer.position(T0)], [["a", "c"], 3]);
});

async function lettersOf(bed: TestBed, topic: string, count: number): Promise<ConsumerRecord<string, string>[]> {
  const consumer = bed.kafka().consumer({ ...text, keyDeserializer: serializers.string });
  await bed.run(consumer.assign([{ topic }]));
  const letters: ConsumerRecord<string, string>[] = [];
  const read = async (): Promise<void> => {
    for await (const letter of consumer) if (letters.push(letter) === count) break;
  };
  await bed.run(read());
  return letters;
}

function headersOf({ headers }: { readonly headers: ConsumerRecord["headers"] }): Record<string, string> {
  return Object.fromEntries(headers.map(({ key, value }) => [key, new TextDecoder().decode(value ?? undefined)]));
}

test("a dead letter has the bytes of the record, and says where it was and what was wrong", async () => {
  const bed = await bedOfValues([
    ["k1", "a"],
    ["k2", "bad"],
  ]);
  bed.cluster.createTopic("dead", [1]);
  const consumer = await reader(bed);
  const eachRecord = ({ value }: Text): void => {
    if (value === "bad") throw new RangeError("too bad");
  };
  const producer = bed.kafka().producer();
  const onFailure = deadLetters(producer, { topic: "dead", stackTraces: false });
  await bed.run(consumer.run({ eachRecord, onFailure, retry: { attempts: 3 } }));
  const [letter = assert.fail()] = await lettersOf(bed, "dead", 1);
  assert.deepEqual([letter.key, letter.value, letter.timestamp], ["k2", "bad", 1000]);
  const { "samsa.errors.timestamp": failedAt, ...headers } = headersOf(letter);
  assert.deepEqual(headers, {
    "__connect.errors.topic": "t",
    "__connect.errors.partition": "0",
    "__connect.errors.offset": "1",
    "__connect.errors.stage": "TASK_PUT",
    "__connect.errors.exception.class.name": "RangeError",
    "__connect.errors.exception.message": "too bad",
    "samsa.errors.attempts": "3",
  });
  assert.ok(Number(failedAt) <= bed.clock.wallMs());
});

test("what cannot be decoded becomes a dead letter by onFailure of the run or onDecodeError of the consumer", async () => {
  for (const where of ["run", "consumer"]) {
    const bed = await bedOfValues(["1", "{", "3"]);
    bed.cluster.createTopic("dead", [1]);
    const letters = deadLetters(bed.kafka().producer(), { topic: "dead" });
    const consumer = bed.kafka().consumer({
      valueDeserializer: serializers.json(),
      ...(where === "consumer" && { onDecodeError: letters }),
    });
    await bed.run(consumer.assign([{ ...T0, offset: "earliest", endOffset: "latest" }]));
    const seen: unknown[] = [];
    const eachRecord = ({ value }: { readonly value: unknown }): void => void seen.push(value);
    await bed.run(consumer.run({ eachRecord, ...(where === "run" && { onFailure: letters }) }));
    assert.deepEqual(seen, [1, 3]);
    const [letter = assert.fail()] = await lettersOf(bed, "dead", 1);
    const headers = headersOf(letter);
    assert.deepEqual(
      [letter.value, headers["__connect.errors.stage"], headers["__connect.errors.exception.class.name"]],
      ["{", "VALUE_CONVERTER", "DecodeError"],
    );
  }
});

test("a dead letter that cannot be sent ends the run, and the record is not lost", async () => {
  const bed = await bedOfValues(["bad"]);
  const consumer = await reader(bed);
  const run = consumer.run({
    eachRecord: () => {
      throw new Error("bad");
    },
    onFailure: () => Promise.reject(new Error("no letter")),
  });
  await assert.rejects(bed.run(run), /no letter/u);
  assert.equal(consumer.position(T0), 0);
});

test("a record travels through the retry topics, waits in each until it is due, and ends as a dead letter", async () => {
  const bed = await bedOfValues(["bad", "good"]);
  for (const topic of ["t.retry-1", "t.retry-2", "t.dead"]) bed.cluster.createTopic(topic, [1]);
  const producer = bed.kafka().producer();
  const onFailure = retryTopics(producer, {
    retryTopics: [
      { topic: "t.retry-1", delayMs: 1000 },
      { topic: "t.retry-2", delayMs: 60_000 },
    ],
    deadLetterTopic: "t.dead",
  });
  const seen: unknown[] = [];
  const waits: number[] = [];
  for (const topic of ["t", "t.retry-1", "t.retry-2"]) {
    const consumer = await reader(bed, topic);
    const fromMs = bed.clock.wallMs();
    const eachRecord = ({ value }: Text): void => {
      waits.push(bed.clock.wallMs() - fromMs);
      seen.push([topic, value]);
      if (value === "bad") throw new Error(`no in ${topic}`);
    };
    await bed.run(consumer.run({ eachRecord, onFailure, delayUntil: dueAt }));
  }
  assert.deepEqual(seen, [
    ["t", "bad"],
    ["t", "good"],
    ["t.retry-1", "bad"],
    ["t.retry-2", "bad"],
  ]);
  assert.ok((waits[2] ?? 0) >= 900 && (waits[3] ?? 0) >= 59_900, waits.join());
  const [letter = assert.fail()] = await lettersOf(bed, "t.dead", 1);
  const headers = headersOf(letter);
  assert.deepEqual(
    ["topic", "offset", "exception.message"].map((name) => headers[`__connect.errors.${name}`]),
    ["t", "0", "no in t.retry-2"],
  );
  assert.deepEqual([headers["samsa.errors.attempts"], headers["samsa.retry.not-before"]], ["3", undefined]);
});

test("what is committed ends before the first record that is not done, whatever is done behind it", async () => {
  const bed = await bedOfValues([
    ["slow", "1"],
    ["fast", "2"],
    ["fast", "3"],
  ]);
  const consumer = bed.kafka().consumer({ ...text, keyDeserializer: serializers.string });
  await bed.run(consumer.assign([{ topic: "t", endOffset: "latest" }]));
  const commits: number[] = [];
  const done: (string | null)[] = [];
  const run = consumer.run({
    eachRecord: async ({ key, value }) => {
      await pause(bed, key === "slow" ? 100 : 10);
      done.push(value);
    },
    concurrency: 8,
    orderedBy: "key",
    commit: (positions) => void commits.push(...positions.map(({ offset }) => offset)),
    commitIntervalMs: 15,
  });
  await bed.run(run);
  assert.deepEqual(
    [done, commits],
    [
      ["2", "3", "1"],
      [0, 3],
    ],
  );
});

test("commits are one at a time, and one that fails ends the run", async () => {
  const bed = await bedOfValues(["a", "b", "c"]);
  const consumer = await reader(bed);
  let underWay = 0;
  let count = 0;
  const run = consumer.run({
    eachRecord: () => pause(bed, 1),
    commit: async () => {
      assert.equal(++underWay, 1);
      await pause(bed, 2);
      underWay--;
      if (++count === 2) throw new Error("no commit");
    },
    commitIntervalMs: 0,
  });
  await assert.rejects(bed.run(run), /no commit/u);
});

test("after a seek what was under way counts for nothing", async () => {
  const bed = await bedOfValues(["a", "b", "c"]);
  const consumer = await reader(bed);
  const commits: (readonly CompletedPosition[])[] = [];
  let hasSought = false;
  const seen: unknown[] = [];
  const eachRecord = async ({ value }: Text): Promise<void> => {
    seen.push(value);
    if (value === "b" && !hasSought) {
      hasSought = true;
      consumer.seek(T0, 0);
    }
    await pause(bed, 1);
  };
  await bed.run(consumer.run({ eachRecord, commit: (positions) => void commits.push(positions) }));
  assert.deepEqual(seen, ["a", "b", "a", "b", "c"]);
  assert.deepEqual(commits, [[{ ...T0, offset: 3, leaderEpoch: 1 }]]);
});

const refused: { readonly options: RunOptions<Uint8Array, string>; readonly why: RegExp }[] = [
  { options: { deliveryGuarantee: "at-most-once" }, why: /needs a groupId or commit/u },
  { options: { deliveryGuarantee: "at-most-once", commit() {}, retry: { attempts: 2 } }, why: /at most once/u },
  { options: { deliveryGuarantee: "at-most-once", commit() {}, delayUntil: dueAt }, why: /cannot wait/u },
  { options: { deliveryGuarantee: "once" as never }, why: /exactly-once/u },
  { options: { retry: { attempts: 0 } }, why: /attempts is 0/u },
  { options: { retires: 1 } as never, why: /no option retires/u },
];
for (const { options, why } of refused) {
  test(`a run refuses ${JSON.stringify(options)}`, async () => {
    const bed = await bedOfValues(["a"]);
    const consumer = await reader(bed);
    await assert.rejects(consumer.run({ eachRecord: () => {}, ...options }), (error) => {
      assert.ok(error instanceof ConfigurationError);
      assert.match(error.message, why);
      return true;
    });
  });
}

/** A consumer that dies at the n-th of the moments at which it might: nothing that it begins afterwards comes to anything. */
class Crash {
  readonly happened: Promise<void>;
  isOver = false;
  #left: number;
  #die = (): void => {};

  constructor(after: number) {
    this.#left = after;
    this.happened = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  /** Passes, or never returns. */
  async moment(): Promise<void> {
    if (this.#left-- === 0) {
      this.isOver = true;
      this.#die();
    }
    if (this.isOver) await new Promise(() => {});
  }
}

/** Reads ten records with a crash after each number of moments and a successor that goes on from what was committed. */
async function countsWithCrashes(
  deliveryGuarantee: "at-least-once" | "at-most-once",
  options: Partial<RunOptions<Uint8Array, string>>,
): Promise<readonly (readonly number[])[]> {
  const all: number[][] = [];
  for (let after = 0, hasCrashed = true; hasCrashed; after++) {
    const bed = await bedOfValues(Array.from({ length: 10 }, (_, i) => [`k${i % 3}`, `${i}`] as const));
    const counts = Array.from({ length: 10 }, () => 0);
    let committed = 0;
    const read = async (crash: Crash): Promise<void> => {
      const consumer = bed.kafka().consumer({ ...text, maxPollRecords: 4 });
      await bed.run(consumer.assign([{ ...T0, offset: committed, endOffset: "latest" }]));
      const run = consumer.run({
        deliveryGuarantee,
        eachRecord: async ({ offset }) => {
          await crash.moment();
          await pause(bed, 1 + (offset % 3));
          counts[offset] = (counts[offset] ?? 0) + 1;
          await crash.moment();
        },
        commit: async ([position]) => {
          await crash.moment();
          if (position !== undefined) committed = position.offset;
          await crash.moment();
        },
        commitIntervalMs: 0,
        ...options,
      });
      await bed.run(Promise.race([run, crash.happened]));
    };
    const crash = new Crash(after);
    await read(crash);
    hasCrashed = crash.isOver;
    await read(new Crash(Number.POSITIVE_INFINITY));
    assert.equal(committed, 10);
    all.push(counts);
  }
  return all;
}

const orders: { readonly name: string; readonly options: Partial<RunOptions<Uint8Array, string>> }[] = [
  { name: "one after another", options: {} },
  { name: "by key, four at once", options: { orderedBy: "key", concurrency: 4 } },
];
for (const { name, options } of orders) {
  test(`at-least-once, ${name}: a consumer killed at each point leaves no record out`, async () => {
    const all = await countsWithCrashes("at-least-once", options);
    assert.ok(all.length > 20, "there were points to be killed at");
    for (const counts of all) assert.ok(Math.min(...counts) >= 1, counts.join());
    assert.ok(
      all.some((counts) => Math.max(...counts) > 1),
      "some kill made it repeat a record",
    );
  });

  test(`at-most-once, ${name}: a consumer killed at each point handles no record twice`, async () => {
    const all = await countsWithCrashes("at-most-once", options);
    assert.ok(all.length > 20, "there were points to be killed at");
    for (const counts of all) assert.ok(Math.max(...counts) <= 1, counts.join());
    assert.ok(
      all.some((counts) => Math.min(...counts) === 0),
      "some kill made it lose a record",
    );
    assert.ok(
      all.at(-1)?.every((count) => count === 1),
      "who is not killed handles all of them",
    );
  });
}

test("a run at most once that is ended by a signal or an error handles what it has committed", async () => {
  for (const end of ["signal", "error"]) {
    const bed = await bedOfValues(["a", "b", "c", "d"]);
    const consumer = await reader(bed);
    const abort = new AbortController();
    const seen: unknown[] = [];
    const run = consumer.run({
      eachRecord: ({ value }) => {
        seen.push(value);
        if (value === "b" && end === "error") throw new Error("ended");
        if (value === "b") abort.abort();
      },
      deliveryGuarantee: "at-most-once",
      commit: () => {},
      signal: abort.signal,
    });
    if (end === "error") await assert.rejects(bed.run(run), /ended/u);
    else await bed.run(run);
    assert.deepEqual([seen, consumer.position(T0)], [["a", "b", "c", "d"], 4]);
    appendValues(bed, ["e"]);
    await bed.run(consumer.assign([T0]));
    assert.deepEqual(await bed.run(takeValues(consumer, 1)), ["e"]);
  }
});

test("a failure tells of its error and of the calls there were", async () => {
  const bed = await bedOfValues(["a"]);
  const consumer = await reader(bed);
  const failed: FailedRecord[] = [];
  const run = consumer.run({
    eachRecord: () => {
      throw new DOMException("gone");
    },
    retry: { attempts: 2 },
    onFailure: (one) => void failed.push(one),
  });
  await bed.run(run);
  const [{ error, attempts, offset } = assert.fail()] = failed;
  assert.ok(error instanceof DOMException && !(error instanceof DecodeError));
  assert.deepEqual([attempts, offset], [2, 0]);
});
