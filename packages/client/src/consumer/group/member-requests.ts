import { ConsumerGroupHeartbeatRequest } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import { HeartbeatResponse } from "@samsa/protocol/messages/heartbeat-response";
import { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import { LeaveGroupRequest } from "@samsa/protocol/messages/leave-group-request";
import { LeaveGroupResponse } from "@samsa/protocol/messages/leave-group-response";
import { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { Api } from "../../connection/api.ts";
import { api } from "../../connection/api.ts";
import type { BrokerConnection } from "../../connection/connection.ts";
import type { MemberRequest, MemberResponse } from "./member.ts";

const JOIN_GROUP = api(JoinGroupRequest, JoinGroupResponse);
const SYNC_GROUP = api(SyncGroupRequest, SyncGroupResponse);
const HEARTBEAT = api(HeartbeatRequest, HeartbeatResponse);
const LEAVE_GROUP = api(LeaveGroupRequest, LeaveGroupResponse);
/** From version 1 on members make their ids themselves (KIP-1082), and patterns are matched by the broker. */
export const CONSUMER_GROUP_HEARTBEAT = api(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse);

/** KIP-345: before these there are no static members. */
const FIRST_JOIN_VERSION_WITH_INSTANCE = 5;
const FIRST_VERSION_WITH_INSTANCE = 3;
const FIRST_LEAVE_VERSION_WITH_MEMBERS = 3;

/** @throws ConnectionError, RequestTimeoutError, UnsupportedVersionError */
export async function sendMemberRequest(connection: BrokerConnection, request: MemberRequest): Promise<MemberResponse> {
  const { timeoutMs } = request;
  switch (request.api) {
    case "join-group":
      return await connection.send(
        knowing(JOIN_GROUP, request.body.groupInstanceId, FIRST_JOIN_VERSION_WITH_INSTANCE),
        request.body,
        { timeoutMs },
      );
    case "sync-group":
      return await connection.send(
        knowing(SYNC_GROUP, request.body.groupInstanceId, FIRST_VERSION_WITH_INSTANCE),
        request.body,
        { timeoutMs },
      );
    case "heartbeat":
      return await connection.send(
        knowing(HEARTBEAT, request.body.groupInstanceId, FIRST_VERSION_WITH_INSTANCE),
        request.body,
        { timeoutMs },
      );
    case "leave-group": {
      const { body } = request;
      return await connection.send(
        LEAVE_GROUP,
        (version) =>
          version < FIRST_LEAVE_VERSION_WITH_MEMBERS ? { ...body, members: [] } : { ...body, memberId: "" },
        { timeoutMs },
      );
    }
    case "consumer-group-heartbeat":
      return await connection.send(CONSUMER_GROUP_HEARTBEAT, request.body, { timeoutMs });
  }
}

function knowing<Req, Res>(of: Api<Req, Res>, groupInstanceId: string | null, lowestVersion: number): Api<Req, Res> {
  return groupInstanceId === null ? of : { ...of, lowestVersion };
}
