import process from "node:process";
import type { ConnectOptions } from "../client.ts";
import { withKafka } from "../client.ts";
import { confirm } from "../confirm.ts";
import { ExitCode } from "../exit-code.ts";
import type { Deed } from "../outcomes.ts";
import { actOnEach } from "../outcomes.ts";
import { count, printFacts, printRows } from "../rows.ts";
import { say } from "../talk.ts";
import type { GroupView } from "./group-view.ts";
import { allGroups, shownPartitions, viewGroups } from "./group-view.ts";

export interface ListGroupsOptions extends ConnectOptions {
  readonly state?: readonly string[];
  readonly type?: readonly string[];
  readonly names?: boolean;
  readonly json?: boolean;
}

export async function listGroups(options: ListGroupsOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const matches = (wanted: readonly string[] | undefined, has: string | undefined): boolean =>
      wanted === undefined || wanted.some((one) => one.toLowerCase() === has?.toLowerCase());
    const groups = (await allGroups(kafka.admin())).filter(
      ({ state, type }) => matches(options.state, state) && matches(options.type, type),
    );
    if (options.names === true) process.stdout.write(groups.map(({ groupId }) => `${groupId}\n`).join(""));
    else {
      printRows(
        groups,
        {
          GROUP: ({ groupId }) => groupId,
          TYPE: ({ type }) => type,
          PROTOCOL: ({ protocolType }) => (protocolType === "" ? null : protocolType),
          STATE: ({ state }) => state,
          COORDINATOR: ({ coordinatorId }) => coordinatorId,
        },
        options,
      );
    }
    if (groups.length === 0) say("no such groups; one begins with the first consumer of its name");
    return ExitCode.DONE;
  });
}

export interface GroupOptions extends ConnectOptions {
  readonly json?: boolean;
}

export async function describeGroups(names: readonly string[], options: GroupOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const groups = await viewGroups(kafka.admin(), names);
    for (const [index, group] of groups.entries()) {
      if (index > 0 && options.json !== true) process.stdout.write("\n");
      const { groupId, type, state, assignor, groupEpoch, coordinator, members, partitions } = group;
      const facts = {
        GROUP: groupId,
        TYPE: type,
        STATE: state,
        ASSIGNOR: assignor === "" ? null : assignor,
        ...(groupEpoch === null ? {} : { EPOCH: groupEpoch }),
        COORDINATOR: coordinator,
        MEMBERS: members.length,
        LAG: lagOf(group),
      };
      printFacts(facts, group, options);
      if (options.json === true || partitions.length === 0) continue;
      process.stdout.write("\n");
      printRows(
        partitions,
        {
          TOPIC: ({ topic }) => topic,
          PARTITION: ({ partition }) => partition,
          COMMITTED: ({ committed }) => committed,
          END: ({ end }) => end,
          LAG: ({ lag }) => lag,
          MEMBER: ({ memberId }) => memberId,
          HOST: ({ host }) => host,
          CLIENT: ({ clientId }) => clientId,
        },
        options,
      );
    }
    if (groups.length === 0) say("no groups yet");
    return ExitCode.DONE;
  });
}

/** Of the partitions where it is known. */
function lagOf({ partitions }: GroupView): number {
  return partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0);
}

export async function listMembers(names: readonly string[], options: GroupOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const groups = await viewGroups(kafka.admin(), names);
    const members = groups.flatMap(({ groupId, members: some }) => some.map((member) => ({ groupId, ...member })));
    printRows(
      members,
      {
        GROUP: ({ groupId }) => groupId,
        MEMBER: ({ memberId }) => memberId,
        INSTANCE: ({ groupInstanceId }) => groupInstanceId,
        HOST: ({ host }) => host,
        CLIENT: ({ clientId }) => clientId,
        EPOCH: ({ memberEpoch }) => memberEpoch,
        PARTITIONS: ({ assignment }) => assignment.length,
        ASSIGNMENT: ({ assignment }) => (assignment.length === 0 ? null : shownPartitions(assignment)),
      },
      options,
    );
    for (const { groupId, state, members: some } of groups) {
      if (some.length === 0) say(`group ${groupId} has no members; it is ${state}`);
    }
    return ExitCode.DONE;
  });
}

export interface LagOptions extends GroupOptions {
  readonly partitions?: boolean;
  readonly max?: number;
}

export async function showLag(names: readonly string[], options: LagOptions): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const groups = await viewGroups(kafka.admin(), names);
    if (options.partitions === true) {
      const rows = groups.flatMap(({ groupId, partitions }) =>
        partitions.map(({ topic, partition, committed, end, lag }) => ({
          groupId,
          topic,
          partition,
          committed,
          end,
          lag,
        })),
      );
      printRows(
        rows,
        {
          GROUP: ({ groupId }) => groupId,
          TOPIC: ({ topic }) => topic,
          PARTITION: ({ partition }) => partition,
          COMMITTED: ({ committed }) => committed,
          END: ({ end }) => end,
          LAG: ({ lag }) => lag,
        },
        options,
      );
    } else {
      printRows(
        groups.flatMap(lagByTopic),
        {
          GROUP: ({ groupId }) => groupId,
          TOPIC: ({ topic }) => topic,
          PARTITIONS: ({ partitions }) => partitions,
          UNCOMMITTED: ({ uncommitted }) => uncommitted,
          LAG: ({ lag }) => lag,
          "MAX-LAG": ({ maxLag }) => maxLag,
        },
        options,
      );
    }
    const { max } = options;
    const behind = max === undefined ? [] : groups.filter((group) => lagOf(group) > max);
    for (const group of behind) say(`group ${group.groupId} is ${count(lagOf(group), "record")} behind`);
    return behind.length > 0 ? ExitCode.KAFKA_ERROR : ExitCode.DONE;
  });
}

interface TopicLag {
  readonly groupId: string;
  readonly topic: string;
  readonly partitions: number;
  readonly uncommitted: number; // partitions of which nothing is committed
  readonly lag: number;
  readonly maxLag: number;
}

function lagByTopic({ groupId, partitions }: GroupView): readonly TopicLag[] {
  return [...new Set(partitions.map(({ topic }) => topic))].map((topic) => {
    const some = partitions.filter((one) => one.topic === topic);
    const lags = some.map(({ lag }) => lag ?? 0);
    return {
      groupId,
      topic,
      partitions: some.length,
      uncommitted: some.filter(({ committed }) => committed === null).length,
      lag: lags.reduce((sum, lag) => sum + lag, 0),
      maxLag: Math.max(...lags),
    };
  });
}

export interface DeleteGroupsOptions extends GroupOptions {
  readonly yes?: boolean;
}

export async function deleteGroups(names: readonly string[], options: DeleteGroupsOptions): Promise<ExitCode> {
  await confirm(`Delete ${names.join(", ")} and all they have committed?`, "nothing was deleted", options);
  return await withKafka(options, async (kafka) => {
    const work = async (groupId: string): Promise<Deed> => {
      await kafka.admin().deleteGroups([groupId]);
      return { said: `deleted group ${groupId}` };
    };
    return await actOnEach(names, (groupId) => ({ groupId }), work, options);
  });
}
