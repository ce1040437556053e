import type { Admin, TopicPartition } from "@samsa/client";
import { ErrorCode, KafkaError } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka, withTopicNames } from "../client.ts";
import { confirm } from "../confirm.ts";
import { ExitCode, UsageError } from "../exit-code.ts";
import { count, printRows } from "../rows.ts";
import { say } from "../talk.ts";

interface JsonOptions extends ConnectOptions {
  readonly json?: boolean;
}

export async function enlargeTopic(
  topic: string,
  text: string,
  options: ConnectOptions & { readonly dryRun?: boolean },
): Promise<ExitCode> {
  if (!/^\d{1,9}$/u.test(text)) throw new UsageError(`a number of partitions is wanted, not ${JSON.stringify(text)}`);
  const partitions = Number(text);
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const validateOnly = options.dryRun === true;
    await withTopicNames(admin, [topic], () =>
      admin.createPartitions([{ topic, count: partitions }], { validateOnly }),
    );
    say(`topic ${topic} ${validateOnly ? "could have" : "has"} ${count(partitions, "partition")}`);
    return ExitCode.DONE;
  });
}

export interface TruncateOptions extends ConnectOptions {
  readonly before?: number;
  readonly yes?: boolean;
}

/** As the log end offset, in the protocol's words. */
const HIGH_WATERMARK = -1;

export async function truncateTopics(names: readonly string[], options: TruncateOptions): Promise<ExitCode> {
  const what = options.before === undefined ? "all records" : `the records before offset ${options.before}`;
  await confirm(`Forget ${what} of ${names.join(", ")}?`, "nothing was forgotten", options);
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const partitions = await partitionsOf(admin, names);
    const beforeOffset = options.before ?? HIGH_WATERMARK;
    const results = await admin.deleteRecords(partitions.map((partition) => ({ ...partition, beforeOffset })));
    for (const [name, { lowWatermark }] of results.found) say(`${name} begins at offset ${lowWatermark}`);
    results.all();
    return ExitCode.DONE;
  });
}

export interface ReassignOptions extends JsonOptions {
  readonly replicas?: string;
  readonly cancel?: boolean;
}

export async function reassign(names: readonly string[], options: ReassignOptions): Promise<ExitCode> {
  const { replicas, cancel = false } = options;
  if (replicas !== undefined && cancel) throw new UsageError("--replicas or --cancel: one of them");
  if (names.length === 0 && (replicas !== undefined || cancel))
    throw new UsageError("which topic? samsa topic reassign TOPIC");
  const ids = replicas?.split(",").map((id) => {
    if (!/^\s*\d{1,10}\s*$/u.test(id)) throw new UsageError(`--replicas wants ids as in 1,2,3, not ${replicas}`);
    return Number(id);
  });
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const partitions = names.length === 0 ? undefined : await partitionsOf(admin, names);
    if (partitions !== undefined && (ids !== undefined || cancel)) {
      await admin.alterPartitionReassignments(partitions.map((one) => ({ ...one, replicas: ids ?? null })));
      for (const { topic, partition } of partitions) {
        say(ids === undefined ? `${topic}-${partition} stays` : `${topic}-${partition} goes to ${ids.join(", ")}`);
      }
      return ExitCode.DONE;
    }
    const ongoing = await admin.listPartitionReassignments(partitions);
    printRows(
      ongoing,
      {
        TOPIC: (row) => row.topic,
        PARTITION: (row) => row.partition,
        REPLICAS: (row) => row.replicas,
        ADDING: (row) => row.addingReplicas,
        REMOVING: (row) => row.removingReplicas,
      },
      options,
    );
    if (ongoing.length === 0) say("nothing is on its way");
    return ExitCode.DONE;
  });
}

export async function elect(
  names: readonly string[],
  options: JsonOptions & { readonly unclean?: boolean },
): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const partitions = names.length === 0 ? undefined : await partitionsOf(admin, names);
    const results = await admin.electLeaders(options.unclean === true ? "unclean" : "preferred", partitions);
    const rows = Array.from(results, ([partition, result]) => ({
      partition,
      outcome:
        result === true ? "elected" : result.code === ErrorCode.ELECTION_NOT_NEEDED ? "not needed" : result.codeName,
    }));
    printRows(rows, { PARTITION: (row) => row.partition, OUTCOME: (row) => row.outcome }, options);
    if (rows.length === 0) say("every partition is led by its preferred replica");
    const failed = Array.from(results, ([, result]) => result).find(
      (result) => result instanceof KafkaError && result.code !== ErrorCode.ELECTION_NOT_NEEDED,
    );
    if (failed instanceof KafkaError) throw failed;
    return ExitCode.DONE;
  });
}

/** `orders` is every partition of it, `orders:2` one. Topics have no colons in their names. */
async function partitionsOf(admin: Admin, names: readonly string[]): Promise<readonly TopicPartition[]> {
  const wanted = names.map((name) => {
    const [, topic = "", , partition] = /^([^:]+)(:(\d{1,9}))?$/u.exec(name) ?? [];
    if (topic === "") throw new UsageError(`a topic or topic:partition is wanted, not ${JSON.stringify(name)}`);
    return { topic, partition: partition === undefined ? undefined : Number(partition) };
  });
  const topics = [...new Set(wanted.map(({ topic }) => topic))];
  const described = await withTopicNames(admin, topics, () => admin.describeTopics(topics));
  return wanted.flatMap(({ topic, partition }) =>
    partition === undefined
      ? (described.find(({ name }) => name === topic)?.partitions ?? []).map((one) => ({
          topic,
          partition: one.partition,
        }))
      : [{ topic, partition }],
  );
}
