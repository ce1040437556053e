import type { JoinGroupResponse, JoinGroupResponseMember } from "@samsa/protocol/messages/join-group-response";
import type { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { Reply } from "../runtime/coordinator-shard.ts";

/** One assignor that a member can follow, and its subscription as that assignor reads it. */
export interface MemberProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

export interface ClassicGroupMemberFields {
  readonly memberId: string;
  readonly groupInstanceId: string | null; // a static member has one (KIP-345)
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly protocols: readonly MemberProtocol[]; // the best first
  readonly assignment?: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** A member of a classic group; the group alone changes it. */
export class ClassicGroupMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  rebalanceTimeoutMs: number;
  sessionTimeoutMs: number;
  protocols: readonly MemberProtocol[];
  assignment: Uint8Array;
  awaitingJoin: Reply<JoinGroupResponse> | undefined;
  awaitingSync: Reply<SyncGroupResponse> | undefined;
  /** It has been told no member id yet, and cannot send heartbeats. */
  isNew = false;

  constructor(fields: ClassicGroupMemberFields) {
    this.memberId = fields.memberId;
    this.groupInstanceId = fields.groupInstanceId;
    this.clientId = fields.clientId;
    this.clientHost = fields.clientHost;
    this.rebalanceTimeoutMs = fields.rebalanceTimeoutMs;
    this.sessionTimeoutMs = fields.sessionTimeoutMs;
    this.protocols = fields.protocols;
    this.assignment = fields.assignment ?? NO_BYTES;
  }

  get isStatic(): boolean {
    return this.groupInstanceId !== null;
  }

  /** The subscription for a protocol; empty bytes for one it does not know. */
  metadata(protocol: string): Uint8Array {
    return this.protocols.find(({ name }) => name === protocol)?.metadata ?? NO_BYTES;
  }

  supports(protocol: string): boolean {
    return this.protocols.some(({ name }) => name === protocol);
  }

  /** Whether the protocols are the same, in the same order and with the same subscriptions. */
  matches(protocols: readonly MemberProtocol[]): boolean {
    return (
      protocols.length === this.protocols.length &&
      protocols.every(({ name, metadata }, index) => {
        const own = this.protocols[index];
        return own !== undefined && own.name === name && isEqual(own.metadata, metadata);
      })
    );
  }

  /** As the leader is shown it, to make the assignment. */
  toJoinResponse(protocol: string): JoinGroupResponseMember {
    const { memberId, groupInstanceId } = this;
    return { memberId, groupInstanceId, metadata: this.metadata(protocol) };
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
