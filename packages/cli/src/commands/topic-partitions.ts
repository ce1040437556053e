import type { Admin, TopicPartition } from "@samsa/client";
import { ErrorCode, KafkaError } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka, withTopicNames } from "../client.ts";
import { confirm } from "../confirm.ts";
import { ExitCode, UsageError } from "../exit-code.ts";
import type { Deed, Whole } from "../outcomes.ts";
import { actOnAll, actOnOne, refusable, tellRefused } from "../outcomes.ts";
import { count, printRows } from "../rows.ts";
import { say } from "../talk.ts";

interface JsonOptions extends ConnectOptions {
  readonly json?: boolean;
}

export async function enlargeTopic(
  topic: string,
  text: string,
  options: JsonOptions & { readonly dryRun?: boolean },
): Promise<ExitCode> {
  if (!/^\d{1,9}$/u.test(text)) throw new UsageError(`a number of partitions is wanted, not ${JSON.stringify(text)}`);
  const partitions = Number(text);
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const dryRun = options.dryRun === true;
    const enlarge = async (): Promise<Deed> => {
      await withTopicNames(admin, [topic], () =>
        admin.createPartitions([{ topic, count: partitions }], { validateOnly: dryRun }),
      );
      return { said: `topic ${topic} ${dryRun ? "could have" : "has"} ${count(partitions, "partition")}` };
    };
    return await actOnOne({ name: topic, partitions, dryRun }, enlarge, options);
  });
}

export interface TruncateOptions extends JsonOptions {
  readonly before?: number;
  readonly yes?: boolean;
}

/** As the log end offset, in the protocol's words. */
const HIGH_WATERMARK = -1;

export async function truncateTopics(names: readonly string[], options: TruncateOptions): Promise<ExitCode> {
  const what = options.before === undefined ? "all records" : `the records before offset ${options.before}`;
  const wanted = names.map(wantedOf);
  await confirm(`Forget ${what} of ${names.join(", ")}?`, "nothing was forgotten", options);
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const partitions = await refusable(() => partitionsOf(admin, wanted));
    const factsOf = (one: Wanted): object => ({ ...shown(one), startOffset: null });
    if (partitions instanceof Error) return await tellRefused(wanted.map(factsOf), partitions, options);
    const beforeOffset = options.before ?? HIGH_WATERMARK;
    const whole: Whole<TopicPartition, { readonly lowWatermark: number }> = {
      items: partitions,
      nameOf,
      factsOf,
      work: () => admin.deleteRecords(partitions.map((partition) => ({ ...partition, beforeOffset }))),
      deed: (one, done) => ({
        said: `${nameOf(one)} begins at offset ${done?.lowWatermark}`,
        facts: { startOffset: done?.lowWatermark },
      }),
    };
    return await actOnAll(whole, options);
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
  const wanted = names.map(wantedOf);
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    if (ids !== undefined || cancel) return await alterReassignments(admin, wanted, ids ?? null, options);
    const partitions = names.length === 0 ? undefined : await partitionsOf(admin, wanted);
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

/** @param replicas null takes back what is on its way */
async function alterReassignments(
  admin: Admin,
  wanted: readonly Wanted[],
  replicas: readonly number[] | null,
  options: JsonOptions,
): Promise<ExitCode> {
  const factsOf = (one: Wanted): object => ({ ...shown(one), replicas });
  const partitions = await refusable(() => partitionsOf(admin, wanted));
  if (partitions instanceof Error) return await tellRefused(wanted.map(factsOf), partitions, options);
  const whole: Whole<TopicPartition, true> = {
    items: partitions,
    nameOf,
    factsOf,
    work: () => admin.alterPartitionReassignments(partitions.map((one) => ({ ...one, replicas }))),
    deed: (one) => ({ said: `${nameOf(one)} ${replicas === null ? "stays" : `goes to ${replicas.join(", ")}`}` }),
  };
  return await actOnAll(whole, options);
}

export async function elect(
  names: readonly string[],
  options: JsonOptions & { readonly unclean?: boolean },
): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const partitions = names.length === 0 ? undefined : await partitionsOf(admin, names.map(wantedOf));
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

interface Wanted {
  readonly topic: string;
  readonly partition: number | undefined; // all of them
}

/** `orders` is every partition of it, `orders:2` one. Topics have no colons in their names. */
function wantedOf(name: string): Wanted {
  const [, topic = "", , partition] = /^([^:]+)(:(\d{1,9}))?$/u.exec(name) ?? [];
  if (topic === "") throw new UsageError(`a topic or topic:partition is wanted, not ${JSON.stringify(name)}`);
  return { topic, partition: partition === undefined ? undefined : Number(partition) };
}

function shown({ topic, partition }: Wanted): object {
  return { topic, partition: partition ?? null };
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

async function partitionsOf(admin: Admin, wanted: readonly Wanted[]): Promise<readonly TopicPartition[]> {
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
