import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ErrorCode, KafkaError } from "@samsa/base";
import { VerificationGuard } from "@samsa/log";
import { BrokerConfig } from "@samsa/metadata";
import { VirtualClock } from "@samsa/simulation";
import type { TransactionPartitions } from "./transaction-port.ts";
import type { TransactionSupport, Verdict } from "./transaction-verification.ts";
import { asProduceError, TransactionVerifier } from "./transaction-verification.ts";

const producer = { transactionalId: "tx", producerId: 7, producerEpoch: 3 };

/** A partition in which a transaction is open, or not. */
function partitionOf(topic: string, guard: VerificationGuard | undefined | KafkaError) {
  return {
    topicPartition: { topic, partition: 0 },
    startTransactionVerification: () => {
      if (guard instanceof KafkaError) throw guard;
      return guard;
    },
  };
}

function newGuard(): VerificationGuard {
  return new VerificationGuard(0, { ...producer, baseSequence: 0, isEpochPerTransaction: false });
}

interface Question {
  readonly request: TransactionPartitions;
  readonly answer: (codes: readonly ErrorCode[]) => void;
  readonly fail: (error: unknown) => void;
}

function startVerifier(properties: Readonly<Record<string, string>> = {}) {
  const clock = new VirtualClock();
  const questions: Question[] = [];
  const known: (readonly ErrorCode[])[] = []; // what the next questions are answered at once
  const config = BrokerConfig.of(properties);
  const verifier = new TransactionVerifier({
    config,
    isVerificationEnabled: () => config.boolean("transaction.partition.verification.enable"),
    clock,
    transactions: {
      verifyOrAddPartitions: (request) =>
        known.shift() ??
        new Promise((answer, fail) => {
          questions.push({ request, answer, fail });
        }),
    },
  });
  const verify = (
    partitions: readonly ReturnType<typeof partitionOf>[],
    support: TransactionSupport = "abortable-errors",
  ) => {
    const writes = partitions.map((partition) => ({ partition, baseSequence: 0 }));
    return verifier.inTurn(producer, writes, support, (verdicts) => verdicts);
  };
  return { clock, questions, known, verifier, verify };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

function codesOf(verdicts: readonly Verdict[]): (ErrorCode | "taken")[] {
  return verdicts.map((verdict) => (verdict instanceof KafkaError ? verdict.code : "taken"));
}

describe("the leader of a partition", () => {
  test("asks nobody when the transaction is open there", () => {
    const { verify, questions } = startVerifier();
    assert.deepEqual(verify([partitionOf("a", undefined)]), ["unverified"]);
    assert.equal(questions.length, 0);
  });

  test("asks again under a guard of its own, as the marker of the transaction before may have taken the first away", async () => {
    const { verify, questions, clock } = startVerifier();
    const guards = [newGuard(), newGuard()];
    const [, ofTheSecond] = guards;
    const partition = { ...partitionOf("a", undefined), startTransactionVerification: () => guards.shift() };
    const verdicts = verify([partition], "implicit-partitions");
    questions[0]?.answer([ErrorCode.CONCURRENT_TRANSACTIONS]);
    await settle();
    clock.advance(1000);
    await settle();
    questions[1]?.answer([ErrorCode.NONE]);
    assert.equal((await verdicts)[0], ofTheSecond);
  });

  test("appends at once what the coordinator knows at once", () => {
    const { verify, known, questions } = startVerifier();
    const guard = newGuard();
    known.push([ErrorCode.NONE, ErrorCode.PRODUCER_FENCED]);
    const verdicts = verify([partitionOf("a", guard), partitionOf("b", newGuard())], "implicit-partitions");
    assert.ok(!(verdicts instanceof Promise));
    assert.equal(verdicts[0], guard);
    assert.deepEqual(codesOf(verdicts), ["taken", ErrorCode.INVALID_PRODUCER_EPOCH]);
    assert.equal(questions.length, 0);
  });

  test("asks again, a little later, where the transaction before has not quite ended", async () => {
    const { verify, known, clock } = startVerifier();
    known.push([ErrorCode.CONCURRENT_TRANSACTIONS], [ErrorCode.NONE]);
    const verdicts = verify([partitionOf("a", newGuard())], "implicit-partitions");
    await settle();
    clock.advance(1000);
    assert.deepEqual(codesOf(await verdicts), ["taken"]);
    assert.equal(known.length, 0);
  });

  test("asks for the others only, and gives each its answer", async () => {
    const { verify, questions } = startVerifier();
    const guard = newGuard();
    const partitions = [partitionOf("open", undefined), partitionOf("in", guard), partitionOf("out", newGuard())];
    const verdicts = verify(partitions);
    assert.deepEqual(
      questions[0]?.request.partitions.map(({ topic }) => topic),
      ["in", "out"],
    );
    assert.equal(questions[0]?.request.mode, "verify");
    questions[0]?.answer([ErrorCode.NONE, ErrorCode.TRANSACTION_ABORTABLE]);
    const found = await verdicts;
    assert.deepEqual(found.slice(0, 2), ["unverified", guard]);
    assert.deepEqual(codesOf(found.slice(2)), [ErrorCode.TRANSACTION_ABORTABLE]);
  });

  test("passes on why it does not lead", async () => {
    const { verify } = startVerifier();
    const refusal = new KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER);
    assert.deepEqual(await verify([partitionOf("a", refusal)]), [refusal]);
  });

  const answers: { code: ErrorCode; support?: TransactionSupport; told: ErrorCode; why: string }[] = [
    { code: ErrorCode.PRODUCER_FENCED, told: ErrorCode.INVALID_PRODUCER_EPOCH, why: "the producer may still abort" },
    {
      code: ErrorCode.TRANSACTION_ABORTABLE,
      support: "default",
      told: ErrorCode.INVALID_TXN_STATE,
      why: "an old client knows no better",
    },
    { code: ErrorCode.NOT_COORDINATOR, told: ErrorCode.NOT_ENOUGH_REPLICAS, why: "any client tries that again" },
    { code: ErrorCode.INVALID_PRODUCER_ID_MAPPING, told: ErrorCode.INVALID_PRODUCER_ID_MAPPING, why: "that is final" },
  ];
  for (const { code, support, told, why } of answers) {
    test(`says ${told} to a producer where the coordinator says ${code}: ${why}`, async () => {
      const { verify, questions } = startVerifier();
      const verdicts = verify([partitionOf("a", newGuard())], support);
      questions[0]?.fail(new KafkaError(code));
      assert.deepEqual(codesOf((await verdicts).map(asProduceError)), [told]);
    });
  }

  test("has the batches of a producer appended in the order in which they came, whatever the answers", async () => {
    const { verifier, questions } = startVerifier();
    const appended: string[] = [];
    const write = (name: string, guard: VerificationGuard | undefined) =>
      verifier.inTurn(
        producer,
        [{ partition: partitionOf(name, guard), baseSequence: 0 }],
        "abortable-errors",
        () => void appended.push(name),
      );
    void write("first", newGuard());
    void write("second", undefined);
    await settle();
    assert.deepEqual(appended, []);
    questions[0]?.answer([ErrorCode.NONE]);
    await settle();
    assert.deepEqual(appended, ["first", "second"]);
    void write("third", undefined);
    assert.deepEqual(appended, ["first", "second", "third"], "and at once when nobody is asked any more");
  });

  test("adds partitions for a producer of transactions V2, and waits a little for the transaction before", async () => {
    const { verify, questions, clock } = startVerifier();
    const guard = newGuard();
    const verdicts = verify([partitionOf("a", guard)], "implicit-partitions");
    assert.equal(questions[0]?.request.mode, "add");
    questions[0]?.answer([ErrorCode.CONCURRENT_TRANSACTIONS]);
    await settle();
    clock.advance(20);
    await settle();
    questions[1]?.answer([ErrorCode.NONE]);
    assert.deepEqual(await verdicts, [guard]);
  });

  test("does not wait for ever", async () => {
    const { verify, questions, clock } = startVerifier();
    const verdicts = verify([partitionOf("a", newGuard())], "implicit-partitions");
    let asked = 0;
    for (; asked < questions.length; asked++) {
      questions[asked]?.answer([ErrorCode.CONCURRENT_TRANSACTIONS]);
      await settle();
      clock.advance(20);
      await settle();
    }
    assert.equal(asked, 6, "at once, and every 20 of 100 ms");
    assert.deepEqual(codesOf(await verdicts), [ErrorCode.CONCURRENT_TRANSACTIONS]);
  });

  test("verifies nothing where transaction.partition.verification.enable is false, and still adds", async () => {
    const { verify, questions } = startVerifier({ "transaction.partition.verification.enable": "false" });
    assert.deepEqual(await verify([partitionOf("a", newGuard())]), [undefined]);
    void verify([partitionOf("a", newGuard())], "implicit-partitions");
    assert.equal(questions.length, 1);
  });
});
