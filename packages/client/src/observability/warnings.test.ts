import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { ManualClock } from "@samsa/io";
import { EventLoopBlockedError, MaxPollIntervalExceededError } from "../consumer/group/group-errors.ts";
import { BrokerError, ConnectionError, NoBrokerReachableError } from "../errors.ts";
import { Kafka } from "../kafka.ts";
import { testBed } from "../testing/client-test.ts";
import { warner } from "./warnings.ts";

test("what somebody has to mend is said, each kind once a minute, and what goes by is not", async () => {
  const clock = new ManualClock();
  const said: string[] = [];
  const warn = warner(clock, (message, { type, code, detail }) => said.push(`${type} ${code}: ${message} ${detail}`));
  const record = { topic: "t", partition: 0, offset: 7 };
  const blocked = new EventLoopBlockedError(4000, [record]);
  warn(new BrokerError(ErrorCode.NOT_LEADER_OR_FOLLOWER, "Fetch"));
  warn(new BrokerError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, "OffsetFetch"));
  assert.deepEqual(said, []);
  warn(blocked);
  warn(blocked);
  assert.equal(said.length, 1);
  assert.match(
    said[0] ?? "",
    /SamsaWarning REQUEST_TIMED_OUT: .*blocked for 4000 ms.*at work on t-0 at offset 7 .*WorkerPool/u,
  );
  warn(new MaxPollIntervalExceededError(300_000, [record]));
  warn(new ConnectionError("127.0.0.1:9092", "connection refused"));
  warn(new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "topic ordres"));
  assert.equal(said.length, 4);
  assert.match(said[2] ?? "", /127.0.0.1:9092: connection refused; trying again/u);
  await clock.advance(60_000);
  warn(blocked);
  assert.equal(said.length, 5);
});

test("a client that finds no broker says so long before it gives up", async () => {
  const bed = await testBed();
  const told: unknown[] = [];
  const kafka = bed.kafka({ bootstrapServers: "nobody:1", onRetry: (error) => void told.push(error) });
  const listed = kafka.admin().listTopics();
  listed.catch(() => undefined);
  await bed.clock.advance(500);
  assert.ok(told[0] instanceof NoBrokerReachableError);
  await bed.run(kafka.close());
});

test("who says nothing is warned by Node", async () => {
  const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
  const kafka = new Kafka({ bootstrapServers: "127.0.0.1:1", bootstrapTimeoutMs: 50 });
  await assert.rejects(kafka.admin().listTopics(), NoBrokerReachableError);
  const { name, message } = await warned;
  assert.equal(name, "SamsaWarning");
  assert.match(message, /no broker answers: 127.0.0.1:1: .*; trying again/u);
  await kafka.close();
});
