import type { Admin, ProducerState, TopicPartition } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka, withTopicNames } from "../client.ts";
import { CommandError, ExitCode, UsageError } from "../exit-code.ts";
import type { Deed, Whole } from "../outcomes.ts";
import { actOnAll, actOnOne } from "../outcomes.ts";
import { printRows } from "../rows.ts";
import { say } from "../talk.ts";

interface JsonOptions extends ConnectOptions {
  readonly json?: boolean;
}

interface WrittenPartition extends TopicPartition, ProducerState {}

const time = (ms: number | undefined): string | undefined =>
  ms === undefined || ms < 0 ? undefined : new Date(ms).toISOString();

export async function listProducers(
  topics: readonly string[],
  options: JsonOptions & { readonly partition?: readonly string[] },
): Promise<ExitCode> {
  const wanted = options.partition?.map((text) => partitionOf(text));
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const all = await partitionsOf(admin, topics);
    const partitions = all.filter(({ partition }) => wanted?.includes(partition) ?? true);
    const rows = await producersOf(admin, partitions);
    printRows(
      rows,
      {
        TOPIC: (row) => row.topic,
        PARTITION: (row) => row.partition,
        "PRODUCER-ID": (row) => row.producerId,
        EPOCH: (row) => row.producerEpoch,
        "LAST-SEQUENCE": (row) => row.lastSequence,
        "LAST-TIMESTAMP": (row) => time(row.lastTimestamp),
        "COORDINATOR-EPOCH": (row) => row.coordinatorEpoch,
        "TXN-START-OFFSET": (row) => row.currentTransactionStartOffset,
      },
      options,
    );
    if (rows.length === 0) say("no producers are remembered there");
    return ExitCode.DONE;
  });
}

export interface ListTransactionsOptions extends JsonOptions {
  readonly state?: readonly string[];
  readonly producerId?: readonly string[];
  readonly olderThan?: number;
  readonly pattern?: string;
}

export async function listTransactions(options: ListTransactionsOptions): Promise<ExitCode> {
  const { state, producerId, olderThan, pattern } = options;
  return await withKafka(options, async (kafka) => {
    const results = await kafka.admin().listTransactions({
      ...(state === undefined ? {} : { states: state }),
      ...(producerId === undefined ? {} : { producerIds: producerId.map((id) => producerIdOf(id)) }),
      ...(olderThan === undefined ? {} : { olderThanMs: olderThan }),
      ...(pattern === undefined ? {} : { transactionalIdPattern: pattern }),
    });
    const rows = results
      .all()
      .flat()
      .toSorted((a, b) => (a.transactionalId < b.transactionalId ? -1 : 1));
    printRows(
      rows,
      {
        "TRANSACTIONAL-ID": (row) => row.transactionalId,
        COORDINATOR: (row) => row.coordinatorId,
        "PRODUCER-ID": (row) => row.producerId,
        STATE: (row) => row.state,
      },
      options,
    );
    if (rows.length === 0) say("no transactions");
    return ExitCode.DONE;
  });
}

export async function describeTransactions(ids: readonly string[], options: JsonOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const rows = (await kafka.admin().describeTransactions(ids)).all();
    printRows(
      rows,
      {
        "TRANSACTIONAL-ID": (row) => row.transactionalId,
        STATE: (row) => row.state,
        "PRODUCER-ID": (row) => row.producerId,
        EPOCH: (row) => row.producerEpoch,
        "TIMEOUT-MS": (row) => row.timeoutMs,
        STARTED: (row) => time(row.startTimeMs),
        PARTITIONS: (row) => row.partitions.map(({ topic, partition }) => `${topic}-${partition}`),
      },
      options,
    );
    return ExitCode.DONE;
  });
}

/** A coordinator may have decided and not yet written its markers: so much longer than the timeout nothing stays open. */
const SLACK_MS = 5 * 60_000;

export async function findHanging(
  topics: readonly string[],
  options: JsonOptions & { readonly maxTransactionTimeout: number },
): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const partitions = await partitionsOf(admin, topics);
    const oldestMs = Date.now() - options.maxTransactionTimeout - SLACK_MS;
    const open = (await producersOf(admin, partitions)).filter(
      (state) => state.currentTransactionStartOffset !== undefined && state.lastTimestamp <= oldestMs,
    );
    const hanging = open.length === 0 ? [] : await withoutCoordinator(admin, open);
    printRows(
      hanging,
      {
        TOPIC: (row) => row.topic,
        PARTITION: (row) => row.partition,
        "PRODUCER-ID": (row) => row.producerId,
        EPOCH: (row) => row.producerEpoch,
        "START-OFFSET": (row) => row.currentTransactionStartOffset,
        "LAST-TIMESTAMP": (row) => time(row.lastTimestamp),
      },
      options,
    );
    const [first] = hanging;
    if (first === undefined) say("no transaction hangs");
    else {
      const { topic, partition, currentTransactionStartOffset } = first;
      say(`to end one: samsa txn abort ${topic} ${partition} --start-offset ${currentTransactionStartOffset}`);
    }
    return ExitCode.DONE;
  });
}

/** A transaction hangs when the coordinator of its producer does not know that the partition is part of it. */
async function withoutCoordinator(
  admin: Admin,
  open: readonly WrittenPartition[],
): Promise<readonly WrittenPartition[]> {
  const producerIds = [...new Set(open.map(({ producerId }) => producerId))];
  const listed = (await admin.listTransactions({ producerIds })).all().flat();
  const ids = listed.map(({ transactionalId }) => transactionalId);
  const described = ids.length === 0 ? [] : [...(await admin.describeTransactions(ids)).found.values()];
  return open.filter(
    (state) =>
      !described.some(
        ({ producerId, partitions }) =>
          producerId === state.producerId &&
          partitions.some(({ topic, partition }) => topic === state.topic && partition === state.partition),
      ),
  );
}

export async function abortTransaction(
  topic: string,
  partitionText: string,
  options: JsonOptions & { readonly startOffset: number },
): Promise<ExitCode> {
  const partition = partitionOf(partitionText);
  const work = async (admin: Admin): Promise<Deed> => {
    const states = await withTopicNames(admin, [topic], () => producersOf(admin, [{ topic, partition }]));
    const open = states.find((state) => state.currentTransactionStartOffset === options.startOffset);
    if (open === undefined) {
      throw new CommandError(
        ExitCode.KAFKA_ERROR,
        `${topic}-${partition} holds no transaction open from offset ${options.startOffset} on`,
        [`what it holds open:  samsa producer list ${topic} -p ${partition}`],
      );
    }
    const { producerId, producerEpoch, coordinatorEpoch } = open;
    await admin.abortTransaction({
      topic,
      partition,
      producerId,
      producerEpoch,
      // A transaction without a marker before it has none, and 0 is the first there is.
      coordinatorEpoch: coordinatorEpoch ?? 0,
    });
    return {
      said: `aborted the transaction of producer ${producerId} in ${topic}-${partition}`,
      facts: { producerId, producerEpoch },
    };
  };
  const currentTransactionStartOffset = options.startOffset;
  const facts = { topic, partition, currentTransactionStartOffset, producerId: null, producerEpoch: null };
  return await withKafka(options, (kafka) => actOnOne(facts, () => work(kafka.admin()), options));
}

export async function fence(ids: readonly string[], options: JsonOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const whole: Whole<string, { readonly producerId: number; readonly producerEpoch: number }> = {
      items: ids,
      nameOf: (id) => id,
      factsOf: (transactionalId) => ({ transactionalId, producerId: null, producerEpoch: null }),
      work: () => kafka.admin().fenceProducers(ids),
      deed: (id, done) => ({
        said: `fenced ${id}: producer ${done?.producerId} has epoch ${done?.producerEpoch} now`,
        facts: { producerId: done?.producerId, producerEpoch: done?.producerEpoch },
      }),
    };
    return await actOnAll(whole, options);
  });
}

async function partitionsOf(admin: Admin, names: readonly string[]): Promise<readonly TopicPartition[]> {
  const topics =
    names.length === 0
      ? await admin.listTopics({ includeInternal: true })
      : await withTopicNames(admin, names, () => admin.describeTopics(names));
  return topics.flatMap(({ name: topic, partitions }) => partitions.map(({ partition }) => ({ topic, partition })));
}

async function producersOf(admin: Admin, partitions: readonly TopicPartition[]): Promise<readonly WrittenPartition[]> {
  const results = await admin.describeProducers(partitions);
  results.all();
  return partitions.flatMap(({ topic, partition }) =>
    (results.get(`${topic}-${partition}`) ?? []).map((state) => ({ topic, partition, ...state })),
  );
}

function partitionOf(text: string): number {
  if (!/^\d{1,10}$/u.test(text)) throw new UsageError(`a partition is a number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function producerIdOf(text: string): number {
  if (!/^\d{1,16}$/u.test(text)) throw new UsageError(`a producer id is a number, not ${JSON.stringify(text)}`);
  return Number(text);
}
