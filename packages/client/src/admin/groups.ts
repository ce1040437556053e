import { ErrorCode, KafkaError } from "@samsa/base";
import { ConsumerGroupDescribeRequest } from "@samsa/protocol/messages/consumer-group-describe-request";
import { ConsumerGroupDescribeResponse } from "@samsa/protocol/messages/consumer-group-describe-response";
import { DeleteGroupsRequest } from "@samsa/protocol/messages/delete-groups-request";
import { DeleteGroupsResponse } from "@samsa/protocol/messages/delete-groups-response";
import { DescribeGroupsRequest } from "@samsa/protocol/messages/describe-groups-request";
import { DescribeGroupsResponse } from "@samsa/protocol/messages/describe-groups-response";
import { LeaveGroupRequest } from "@samsa/protocol/messages/leave-group-request";
import { LeaveGroupResponse } from "@samsa/protocol/messages/leave-group-response";
import { ListGroupsRequest } from "@samsa/protocol/messages/list-groups-request";
import { ListGroupsResponse } from "@samsa/protocol/messages/list-groups-response";
import { ShareGroupDescribeRequest } from "@samsa/protocol/messages/share-group-describe-request";
import { ShareGroupDescribeResponse } from "@samsa/protocol/messages/share-group-describe-response";
import { StreamsGroupDescribeRequest } from "@samsa/protocol/messages/streams-group-describe-request";
import type {
  StreamsGroupDescribeResponseAssignment,
  StreamsGroupDescribeResponseTopology,
  StreamsGroupDescribeResponseTopologyDescription,
} from "@samsa/protocol/messages/streams-group-describe-response";
import { StreamsGroupDescribeResponse } from "@samsa/protocol/messages/streams-group-describe-response";
import { CoordinatorType } from "../cluster/find-coordinators.ts";
import type { TopicPartition } from "../cluster/topic-metadata.ts";
import type { Api } from "../connection/api.ts";
import { api } from "../connection/api.ts";
import { CONSUMER_PROTOCOL_TYPE, decodeAssignment } from "../consumer/assignors/consumer-protocol.ts";
import { UnsupportedVersionError } from "../errors.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf, throwCode } from "./admin-driver.ts";
import { ItemResults } from "./item-results.ts";
import type { AclOperation } from "./names.ts";
import { operationsOf } from "./names.ts";
import { toBroker, toCoordinator } from "./routes.ts";
import { byName } from "./topics.ts";
import { brokerIds } from "./transactions.ts";

const LIST_GROUPS = api(ListGroupsRequest, ListGroupsResponse);
const DESCRIBE_GROUPS = api(DescribeGroupsRequest, DescribeGroupsResponse);
const CONSUMER_GROUP_DESCRIBE = api(ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse);
const SHARE_GROUP_DESCRIBE = api(ShareGroupDescribeRequest, ShareGroupDescribeResponse);
const STREAMS_GROUP_DESCRIBE = api(StreamsGroupDescribeRequest, StreamsGroupDescribeResponse);
const DELETE_GROUPS = api(DeleteGroupsRequest, DeleteGroupsResponse);
/** From version 3 on several members may leave at once (KIP-345). */
const LEAVE_GROUP = api(LeaveGroupRequest, LeaveGroupResponse, { lowestVersion: 3 });

const toGroupCoordinator = toCoordinator<string>(CoordinatorType.group, (id) => id);
const itself = (id: string): string => id;

export interface GroupListing {
  readonly groupId: string;
  readonly protocolType: string; // "consumer", "share", "connect" …, "" for a group that only keeps offsets
  readonly state: string | undefined; // Kafka's: Stable, Empty … (KIP-518)
  readonly type: string | undefined; // Kafka's: Classic, Consumer, Share, Streams (KIP-848)
  readonly coordinatorId: number;
}

export interface GroupFilter {
  readonly states?: readonly string[];
  readonly types?: readonly string[];
}

/** Asks all brokers. Named by the ids of the brokers. */
export async function listGroups(
  driver: AdminDriver,
  { states = [], types = [] }: GroupFilter,
): Promise<ItemResults<readonly GroupListing[]>> {
  const lowestVersion = types.length > 0 ? 5 : states.length > 0 ? 4 : LIST_GROUPS.lowestVersion;
  const request = ListGroupsRequest.create({ statesFilter: states, typesFilter: types });
  return await driver.items<number, readonly GroupListing[]>({
    what: "ListGroups",
    items: await brokerIds(driver),
    nameOf: String,
    route: toBroker((id) => id),
    ask: async (connection, [coordinatorId = -1]) => {
      const response = await connection.send({ ...LIST_GROUPS, lowestVersion }, request);
      throwCode(response.errorCode, `ListGroups of broker ${coordinatorId}`);
      const listed = response.groups.map(({ groupId, protocolType, groupState, groupType }) => ({
        groupId,
        protocolType,
        state: groupState === "" ? undefined : groupState,
        type: groupType === "" ? undefined : groupType,
        coordinatorId,
      }));
      return new Map([[coordinatorId, listed]]);
    },
  });
}

interface DescribedMember {
  readonly memberId: string;
  readonly clientId: string;
  readonly clientHost: string;
}

export interface ClassicMember extends DescribedMember {
  readonly groupInstanceId: string | null;
  /** Of a group of consumers. */
  readonly assignment: readonly TopicPartition[];
  /** As the members' protocol has them. */
  readonly metadataBytes: Uint8Array;
  readonly assignmentBytes: Uint8Array;
}

interface DescribedGroup<Member> {
  readonly groupId: string;
  readonly state: string;
  readonly members: readonly Member[];
  readonly authorizedOperations: readonly AclOperation[] | undefined; // undefined unless asked for
}

export interface ClassicGroupDescription extends DescribedGroup<ClassicMember> {
  readonly type: "classic";
  readonly protocolType: string;
  readonly protocol: string; // the assignor
}

export interface ConsumerGroupMember extends DescribedMember {
  readonly groupInstanceId: string | null;
  readonly rackId: string | null;
  readonly memberEpoch: number;
  readonly subscribedTopics: readonly string[];
  readonly subscribedRegex: string | null;
  readonly assignment: readonly TopicPartition[];
  readonly targetAssignment: readonly TopicPartition[];
  readonly isClassic: boolean;
}

export interface ConsumerGroupDescription extends DescribedGroup<ConsumerGroupMember> {
  readonly type: "consumer";
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly assignor: string;
}

export interface ShareGroupMember extends DescribedMember {
  readonly rackId: string | null;
  readonly memberEpoch: number;
  readonly subscribedTopics: readonly string[];
  readonly assignment: readonly TopicPartition[];
}

export interface ShareGroupDescription extends DescribedGroup<ShareGroupMember> {
  readonly type: "share";
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly assignor: string;
}

export interface StreamsGroupMember extends DescribedMember {
  readonly groupInstanceId: string | null;
  readonly rackId: string | null;
  readonly memberEpoch: number;
  readonly topologyEpoch: number;
  readonly processId: string;
  readonly userEndpoint: { readonly host: string; readonly port: number } | null;
  readonly clientTags: Readonly<Record<string, string>>;
  readonly assignment: StreamsGroupDescribeResponseAssignment;
  readonly targetAssignment: StreamsGroupDescribeResponseAssignment;
  readonly isClassic: boolean;
}

export interface StreamsGroupDescription extends DescribedGroup<StreamsGroupMember> {
  readonly type: "streams";
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly topology: StreamsGroupDescribeResponseTopology | null;
  readonly topologyDescription: StreamsGroupDescribeResponseTopologyDescription | null;
}

export interface DescribeGroupsOptions {
  readonly includeAuthorizedOperations?: boolean;
}

interface AnsweredGroup {
  readonly groupId: string;
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly groupState: string;
  readonly authorizedOperations: number;
}

/** Asks the coordinator of each group, by the API for its type. */
async function describeGroups<Request, Group extends AnsweredGroup, Description>(
  driver: AdminDriver,
  describe: Api<Request, { readonly groups: readonly Group[] }>,
  groupIds: readonly string[],
  requestFor: (groupIds: readonly string[]) => Request,
  descriptionOf: (group: Group) => Description,
): Promise<ItemResults<Description>> {
  return await driver.items<string, Description>({
    what: describe.name,
    items: groupIds,
    nameOf: itself,
    route: toGroupCoordinator,
    ask: async (connection, some) => {
      const { groups } = await connection.send(describe, requestFor(some));
      const answers = groups.map((group): [string, Description | KafkaError] => [
        group.groupId,
        errorOf(group.errorCode, `group ${group.groupId}`, group.errorMessage) ?? descriptionOf(group),
      ]);
      return byName(some, itself, answers);
    },
  });
}

function commonOf({
  groupId,
  groupState,
  authorizedOperations,
}: AnsweredGroup): Omit<DescribedGroup<never>, "members"> {
  return { groupId, state: groupState, authorizedOperations: operationsOf(authorizedOperations) };
}

/** Named by group. */
export async function describeClassicGroups(
  driver: AdminDriver,
  groupIds: readonly string[],
  includeAuthorizedOperations: boolean,
): Promise<ItemResults<ClassicGroupDescription>> {
  return await describeGroups(
    driver,
    DESCRIBE_GROUPS,
    groupIds,
    (some) => DescribeGroupsRequest.create({ groups: some, includeAuthorizedOperations }),
    (group): ClassicGroupDescription => ({
      ...commonOf(group),
      type: "classic",
      protocolType: group.protocolType,
      protocol: group.protocolData,
      members: group.members.map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        assignment: group.protocolType === CONSUMER_PROTOCOL_TYPE ? assignmentOf(member.memberAssignment) : [],
        metadataBytes: member.memberMetadata,
        assignmentBytes: member.memberAssignment,
      })),
    }),
  );
}

/** What other clients put there is their affair: bytes that are no assignment are none. */
function assignmentOf(bytes: Uint8Array): readonly TopicPartition[] {
  try {
    return decodeAssignment(bytes).partitions;
  } catch (error) {
    if (error instanceof KafkaError) return [];
    throw error;
  }
}

/** Groups of consumers of either protocol: those of KIP-848, and where there is none of this name the classic one. Named by group. */
export async function describeConsumerGroups(
  driver: AdminDriver,
  groupIds: readonly string[],
  includeAuthorizedOperations: boolean,
): Promise<ItemResults<ConsumerGroupDescription | ClassicGroupDescription>> {
  const described = await describeGroups(
    driver,
    CONSUMER_GROUP_DESCRIBE,
    groupIds,
    (some) => ConsumerGroupDescribeRequest.create({ groupIds: some, includeAuthorizedOperations }),
    (group): ConsumerGroupDescription => ({
      ...commonOf(group),
      type: "consumer",
      groupEpoch: group.groupEpoch,
      assignmentEpoch: group.assignmentEpoch,
      assignor: group.assignorName,
      members: group.members.map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.instanceId,
        rackId: member.rackId,
        memberEpoch: member.memberEpoch,
        clientId: member.clientId,
        clientHost: member.clientHost,
        subscribedTopics: member.subscribedTopicNames,
        subscribedRegex: member.subscribedTopicRegex,
        assignment: partitionsOf(member.assignment),
        targetAssignment: partitionsOf(member.targetAssignment),
        isClassic: member.memberType === 0,
      })),
    }),
  );
  const classic = Array.from(described.errors)
    .filter(([, error]) => error.code === ErrorCode.GROUP_ID_NOT_FOUND || error instanceof UnsupportedVersionError)
    .map(([groupId]) => groupId);
  if (classic.length === 0) return described;
  const others = new Map(await describeClassicGroups(driver, classic, includeAuthorizedOperations));
  return new ItemResults(
    new Map(Array.from(described, ([groupId, result]) => [groupId, others.get(groupId) ?? result])),
  );
}

function partitionsOf(assignment: {
  readonly topicPartitions: readonly { readonly topicName: string; readonly partitions: readonly number[] }[];
}): readonly TopicPartition[] {
  return assignment.topicPartitions.flatMap(({ topicName: topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}

/** KIP-932. Named by group. */
export async function describeShareGroups(
  driver: AdminDriver,
  groupIds: readonly string[],
  includeAuthorizedOperations: boolean,
): Promise<ItemResults<ShareGroupDescription>> {
  return await describeGroups(
    driver,
    SHARE_GROUP_DESCRIBE,
    groupIds,
    (some) => ShareGroupDescribeRequest.create({ groupIds: some, includeAuthorizedOperations }),
    (group): ShareGroupDescription => ({
      ...commonOf(group),
      type: "share",
      groupEpoch: group.groupEpoch,
      assignmentEpoch: group.assignmentEpoch,
      assignor: group.assignorName,
      members: group.members.map((member) => ({
        memberId: member.memberId,
        rackId: member.rackId,
        memberEpoch: member.memberEpoch,
        clientId: member.clientId,
        clientHost: member.clientHost,
        subscribedTopics: member.subscribedTopicNames,
        assignment: partitionsOf(member.assignment),
      })),
    }),
  );
}

/** KIP-1071. Named by group. */
export async function describeStreamsGroups(
  driver: AdminDriver,
  groupIds: readonly string[],
  includeAuthorizedOperations: boolean,
): Promise<ItemResults<StreamsGroupDescription>> {
  return await describeGroups(
    driver,
    STREAMS_GROUP_DESCRIBE,
    groupIds,
    (some) => StreamsGroupDescribeRequest.create({ groupIds: some, includeAuthorizedOperations }),
    (group): StreamsGroupDescription => ({
      ...commonOf(group),
      type: "streams",
      groupEpoch: group.groupEpoch,
      assignmentEpoch: group.assignmentEpoch,
      topology: group.topology,
      topologyDescription: group.topologyDescription,
      members: group.members.map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.instanceId,
        rackId: member.rackId,
        memberEpoch: member.memberEpoch,
        topologyEpoch: member.topologyEpoch,
        processId: member.processId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        userEndpoint: member.userEndpoint,
        clientTags: Object.fromEntries(member.clientTags.map(({ key, value }) => [key, value])),
        assignment: member.assignment,
        targetAssignment: member.targetAssignment,
        isClassic: member.isClassic,
      })),
    }),
  );
}

/** Groups of any type, once they are empty. */
export async function deleteGroups(driver: AdminDriver, groupIds: readonly string[]): Promise<void> {
  const results = await driver.items<string, true>({
    what: "DeleteGroups",
    items: groupIds,
    nameOf: itself,
    route: toGroupCoordinator,
    ask: async (connection, some) => {
      const { results: told } = await connection.send(DELETE_GROUPS, DeleteGroupsRequest.create({ groupsNames: some }));
      const answers = told.map(({ groupId, errorCode, errorMessage }): [string, true | KafkaError] => [
        groupId,
        errorOf(errorCode, `group ${groupId}`, errorMessage) ?? true,
      ]);
      return byName(some, itself, answers);
    },
  });
  results.all();
}

export type MemberToRemove = { readonly groupInstanceId: string } | { readonly memberId: string };

/** @param members all of the group when left out */
export async function removeGroupMembers(
  driver: AdminDriver,
  groupId: string,
  members: readonly MemberToRemove[] | undefined,
  reason: string,
): Promise<void> {
  const wanted = members ?? (await allMembers(driver, groupId));
  if (wanted.length === 0) return;
  const named = wanted.map((member) => ({
    memberId: "memberId" in member ? member.memberId : "",
    groupInstanceId: "groupInstanceId" in member ? member.groupInstanceId : null,
  }));
  const nameOf = (member: (typeof named)[number]): string => member.groupInstanceId ?? member.memberId;
  const results = await driver.items<(typeof named)[number], true>({
    what: "LeaveGroup",
    items: named,
    nameOf,
    route: toCoordinator(CoordinatorType.group, () => groupId),
    ask: async (connection, some) => {
      const request = LeaveGroupRequest.create({ groupId, members: some.map((member) => ({ ...member, reason })) });
      const response = await connection.send(LEAVE_GROUP, request);
      throwCode(response.errorCode, `group ${groupId}`);
      const answers = response.members.map((member): [string, true | KafkaError] => [
        nameOf(member),
        errorOf(member.errorCode, `member ${nameOf(member)} of group ${groupId}`) ?? true,
      ]);
      return byName(some, nameOf, answers);
    },
  });
  results.all();
}

async function allMembers(driver: AdminDriver, groupId: string): Promise<readonly MemberToRemove[]> {
  const [group] = (await describeConsumerGroups(driver, [groupId], false)).all();
  return (group?.members ?? []).map(({ memberId, groupInstanceId }) =>
    groupInstanceId === null ? { memberId } : { groupInstanceId },
  );
}
