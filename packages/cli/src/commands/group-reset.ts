import { readFileSync } from "node:fs";
import process from "node:process";
import type { Admin, CommittedOffset, TopicPartition } from "@samsa/client";
import { ErrorCode } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka, withTopicNames } from "../client.ts";
import { CommandError, ExitCode, UsageError } from "../exit-code.ts";
import type { Whole } from "../outcomes.ts";
import { actOnAll, refusable, tellRefused } from "../outcomes.ts";
import type { FileLine, PlannedOffset, ResetTarget, ResetTargetOptions, TopicScope } from "../reset-plan.ts";
import { plannedOffset, resetLines, resetTarget, topicScope } from "../reset-plan.ts";
import { count, printRows } from "../rows.ts";
import { say } from "../talk.ts";
import { byName } from "./group-view.ts";

export interface ResetOptions extends ConnectOptions, ResetTargetOptions {
  readonly topic?: readonly string[];
  readonly execute?: boolean;
  readonly dryRun?: boolean;
  readonly export?: boolean;
  readonly json?: boolean;
}

interface PlannedReset extends TopicPartition, PlannedOffset {
  readonly groupId: string;
  readonly committed: number | null;
}

export async function resetOffsets(groupIds: readonly string[], options: ResetOptions): Promise<ExitCode> {
  const target = resetTarget(options, Date.now());
  if (options.execute === true && options.dryRun === true) throw new UsageError("--execute and --dry-run: one of them");
  const scopes = options.topic?.map(topicScope);
  const lines = target.kind === "file" ? resetLines(readFileSync(target.file, "utf8"), target.file) : [];
  const nameless = lines.some(({ groupId }) => groupId === undefined);
  if (nameless && groupIds.length > 1)
    throw new UsageError("the lines of the file name no group, and you name several");
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const planned: PlannedReset[] = [];
    for (const groupId of groupIds) {
      await checkIsInactive(admin, groupId);
      const own = lines.filter((line) => line.groupId === undefined || line.groupId === groupId);
      planned.push(...(await plan(admin, groupId, target, scopes, own)));
    }
    if (options.execute === true) {
      for (const groupId of groupIds) {
        const offsets = planned.filter((one) => one.groupId === groupId);
        if (offsets.length > 0) await admin.alterGroupOffsets(groupId, offsets.map(asOffset));
      }
    }
    print(planned, options);
    if (options.execute === true) say(`reset ${count(planned.length, "partition")}`);
    else if (options.export !== true) say("nothing is changed; --execute does it");
    return ExitCode.DONE;
  });
}

function asOffset({ topic, partition, offset }: PlannedReset): TopicPartition & { readonly offset: number } {
  return { topic, partition, offset };
}

function print(planned: readonly PlannedReset[], options: ResetOptions): void {
  if (options.export === true) {
    const lines = planned.map((one) => `${one.groupId},${one.topic},${one.partition},${one.offset}\n`);
    process.stdout.write(lines.join(""));
    return;
  }
  printRows(
    planned.map((one) => ({ ...one, remark: one.remark ?? null })),
    {
      GROUP: ({ groupId }) => groupId,
      TOPIC: ({ topic }) => topic,
      PARTITION: ({ partition }) => partition,
      COMMITTED: ({ committed }) => committed,
      NEW: ({ offset }) => offset,
      CHANGE: ({ committed, offset }) => (committed === null ? null : signed(offset - committed)),
      REMARK: ({ remark }) => remark,
    },
    options,
  );
}

function signed(change: number): string {
  return change > 0 ? `+${change}` : `${change}`;
}

/** A group that is not there yet may have its offsets set before its first member comes. */
async function checkIsInactive(admin: Admin, groupId: string): Promise<void> {
  const described = await admin.describeConsumerGroups([groupId]);
  if (described.errors.get(groupId)?.code === ErrorCode.GROUP_ID_NOT_FOUND) return;
  const [group] = described.all();
  if (group === undefined || group.state === "Empty" || group.state === "Dead") return;
  throw new CommandError(
    ExitCode.KAFKA_ERROR,
    `group ${groupId} is ${group.state}: offsets can be reset while it has no members`,
    [`who they are:  samsa group members ${groupId}`],
  );
}

async function plan(
  admin: Admin,
  groupId: string,
  target: ResetTarget,
  scopes: readonly TopicScope[] | undefined,
  lines: readonly FileLine[],
): Promise<readonly PlannedReset[]> {
  const committed =
    (await admin.listGroupOffsets([{ groupId }])).get(groupId)?.found ?? new Map<string, CommittedOffset>();
  const partitions = await partitionsToReset(admin, scopes, lines, target, [...committed.values()]);
  if (partitions.length === 0) {
    throw new UsageError(`group ${groupId} has nothing committed; --topic says what its offsets are to be set for`);
  }
  const wanted = new Map(lines.map(({ topic, partition, offset }) => [`${topic}-${partition}`, offset]));
  const list = async (at: "earliest" | "latest" | { readonly timestampMs: number }): Promise<readonly number[]> =>
    (await admin.listOffsets(partitions.map((one) => ({ ...one, at })))).map(({ offset }) => offset);
  const earliest = await list("earliest");
  const latest = await list("latest");
  const atTimes = target.kind === "time" ? await list({ timestampMs: target.timestampMs }) : [];
  return partitions.map(({ topic, partition }, i) => {
    const name = `${topic}-${partition}`;
    const before = committed.get(name)?.offset;
    const atTime = atTimes[i];
    const facts = {
      committed: before,
      earliest: earliest[i] ?? 0,
      latest: latest[i] ?? 0,
      atTime: atTime === undefined || atTime < 0 ? undefined : atTime,
    };
    const { offset, remark } = plannedOffset(target, facts, name, wanted.get(name));
    return { groupId, topic, partition, committed: before ?? null, offset, remark };
  });
}

async function partitionsToReset(
  admin: Admin,
  scopes: readonly TopicScope[] | undefined,
  lines: readonly FileLine[],
  target: ResetTarget,
  committed: readonly TopicPartition[],
): Promise<readonly TopicPartition[]> {
  const scoped = scopes === undefined ? undefined : await partitionsIn(admin, scopes);
  const named = target.kind === "file" ? lines : (scoped ?? committed);
  const isIn = (one: TopicPartition): boolean =>
    scoped === undefined || scoped.some(({ topic, partition }) => topic === one.topic && partition === one.partition);
  return named
    .filter(isIn)
    .map(({ topic, partition }) => ({ topic, partition }))
    .toSorted(byName);
}

async function partitionsIn(admin: Admin, scopes: readonly TopicScope[]): Promise<readonly TopicPartition[]> {
  const names = [...new Set(scopes.map(({ topic }) => topic))];
  const topics = await withTopicNames(admin, names, () => admin.describeTopics(names));
  return scopes.flatMap(({ topic, partitions }) => {
    const all = topics.find(({ name }) => name === topic)?.partitions.map(({ partition }) => partition) ?? [];
    const missing = partitions?.find((partition) => !all.includes(partition));
    if (missing !== undefined) {
      throw new UsageError(`${topic} has no partition ${missing}; it has 0 to ${all.length - 1}`);
    }
    return (partitions ?? all).map((partition) => ({ topic, partition }));
  });
}

export interface DeleteOffsetsOptions extends ConnectOptions {
  readonly topic: readonly string[];
  readonly json?: boolean;
}

export async function deleteOffsets(groupId: string, options: DeleteOffsetsOptions): Promise<ExitCode> {
  const scopes = options.topic.map(topicScope);
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const partitions = await refusable(() => partitionsIn(admin, scopes));
    if (partitions instanceof Error) {
      const facts = scopes.flatMap(({ topic, partitions: some = [null] }) =>
        some.map((partition) => ({ groupId, topic, partition })),
      );
      return await tellRefused(facts, partitions, options);
    }
    const whole: Whole<TopicPartition, true> = {
      items: partitions,
      nameOf: ({ topic, partition }) => `${topic}-${partition}`,
      factsOf: ({ topic, partition }) => ({ groupId, topic, partition }),
      work: () => admin.deleteGroupOffsets(groupId, partitions),
      deed: ({ topic, partition }) => ({ said: `group ${groupId}: forgot ${topic}-${partition}` }),
    };
    return await actOnAll(whole, options);
  });
}
