import type { Uuid } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { ApiMessageCodec } from "@samsa/protocol";
import { ConsumerGroupHeartbeatRequest } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import {
  createFindCoordinatorResponseCoordinator,
  FindCoordinatorResponse,
} from "@samsa/protocol/messages/find-coordinator-response";
import { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import { HeartbeatResponse } from "@samsa/protocol/messages/heartbeat-response";
import { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import { LeaveGroupRequest } from "@samsa/protocol/messages/leave-group-request";
import { LeaveGroupResponse } from "@samsa/protocol/messages/leave-group-response";
import { OffsetCommitRequest } from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitResponse } from "@samsa/protocol/messages/offset-commit-response";
import { OffsetFetchRequest } from "@samsa/protocol/messages/offset-fetch-request";
import { OffsetFetchResponse } from "@samsa/protocol/messages/offset-fetch-response";
import { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { FakeApi, FakeCluster } from "./fake-cluster.ts";

/** The APIs of groups, answered by the one broker that coordinates them all. */
export const GROUP_APIS: readonly FakeApi[] = [
  {
    request: FindCoordinatorRequest as ApiMessageCodec<never>,
    response: FindCoordinatorResponse as ApiMessageCodec<never>,
    answer: answerFindCoordinator,
  },
  groupApi(JoinGroupRequest, JoinGroupResponse, (cluster, request, version) =>
    cluster.groups.get(request.groupId).join(request, version),
  ),
  groupApi(SyncGroupRequest, SyncGroupResponse, (cluster, request) =>
    cluster.groups.get(request.groupId).sync(request),
  ),
  groupApi(HeartbeatRequest, HeartbeatResponse, (cluster, request) =>
    cluster.groups.get(request.groupId).heartbeat(request),
  ),
  groupApi(LeaveGroupRequest, LeaveGroupResponse, (cluster, request) =>
    cluster.groups.get(request.groupId).leave(request),
  ),
  groupApi(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, (cluster, request) =>
    cluster.groups.get(request.groupId).consumerHeartbeat(request),
  ),
  groupApi(OffsetCommitRequest, OffsetCommitResponse, (cluster, request) =>
    cluster.groups.get(request.groupId).commit(request, (id) => nameOf(cluster, id)),
  ),
  groupApi(OffsetFetchRequest, OffsetFetchResponse, (cluster, request) =>
    cluster.groups.get(request.groups[0]?.groupId ?? request.groupId).fetch(request, (id) => nameOf(cluster, id)),
  ),
];

function nameOf(cluster: FakeCluster, topicId: Uuid): string {
  return cluster.topicName(topicId) ?? "";
}

/** A broker that does not coordinate says so. */
function groupApi<Req, Res>(
  request: ApiMessageCodec<Req>,
  response: ApiMessageCodec<Res>,
  answer: (cluster: FakeCluster, request: Req, version: number) => Res | Promise<Res>,
): FakeApi {
  const answered = (cluster: FakeCluster, asked: Req, version: number, nodeId: number): Res | Promise<Res> => {
    if (nodeId === cluster.coordinatorId) return answer(cluster, asked, version);
    return refusal(asked, response);
  };
  return { request, response, answer: answered } as unknown as FakeApi;
}

function refusal<Res>(asked: unknown, response: ApiMessageCodec<Res>): Res {
  const errorCode = ErrorCode.NOT_COORDINATOR;
  if (response.name === OffsetFetchResponse.name) {
    const { groups } = asked as OffsetFetchRequest;
    return OffsetFetchResponse.create({
      errorCode,
      groups: groups.map(({ groupId }) => ({ groupId, topics: [], errorCode })),
    }) as Res;
  }
  if (response.name !== OffsetCommitResponse.name) return response.create({ errorCode } as never);
  const { topics } = asked as OffsetCommitRequest;
  return OffsetCommitResponse.create({
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  }) as Res;
}

const FIRST_VERSION_WITH_MANY = 4;

function answerFindCoordinator(
  cluster: FakeCluster,
  request: FindCoordinatorRequest,
  version: number,
): FindCoordinatorResponse {
  const broker = cluster.brokers.find(({ nodeId }) => nodeId === cluster.coordinatorId);
  const { nodeId = -1, host = "", port = -1 } = broker ?? {};
  const errorCode = broker === undefined ? ErrorCode.COORDINATOR_NOT_AVAILABLE : ErrorCode.NONE;
  if (version < FIRST_VERSION_WITH_MANY) return FindCoordinatorResponse.create({ nodeId, host, port, errorCode });
  return FindCoordinatorResponse.create({
    coordinators: request.coordinatorKeys.map((key) =>
      createFindCoordinatorResponseCoordinator({ key, nodeId, host, port, errorCode }),
    ),
  });
}
