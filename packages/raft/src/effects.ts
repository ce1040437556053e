import type { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import type { FetchSnapshotResponse } from "@samsa/protocol/messages/fetch-snapshot-response";
import type { ElectionState } from "./election-state.ts";
import type { LocatedControlRecord } from "./partition-state.ts";
import type { OffsetAndEpoch, SnapshotInfo } from "./raft-log.ts";
import type { RaftRequest, RaftResponse } from "./raft-messages.ts";

export interface RaftTime {
  /** Of a clock that never goes back: every timeout counts on it. */
  readonly nowMs: number;
  /** Of the wall, for records and for people. */
  readonly wallMs: number;
}

export interface Destination {
  /** Negative for a bootstrap server, whose id is not known. */
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

/** What happens to a replica. Time passes with each of them. */
export type RaftInput =
  /** `nextDeadlineMs` has come. */
  | { readonly kind: "tick" }
  /** @param requestId of the driver's choice: it comes back with the answer */
  | { readonly kind: "request"; readonly requestId: number; readonly request: RaftRequest }
  | { readonly kind: "response"; readonly correlationId: number; readonly response: RaftResponse }
  /** There will be no response; `isUnsupported` when the other side does not know the request, or a field of it. */
  | { readonly kind: "no-response"; readonly correlationId: number; readonly isUnsupported: boolean }
  /** An append, and all before it, has been synced. */
  | { readonly kind: "log-durable"; readonly endOffset: number; readonly truncationCount: number }
  /** A snapshot of the local state up to a committed offset has been written and synced. */
  | { readonly kind: "snapshot-created"; readonly snapshot: SnapshotInfo }
  /** The records before this snapshot are wanted no more. */
  | { readonly kind: "delete-before"; readonly id: OffsetAndEpoch }
  /** The effect `install-snapshot` is done. */
  | {
      readonly kind: "snapshot-installed";
      readonly snapshot: SnapshotInfo;
      readonly controlRecords: readonly LocatedControlRecord[];
    }
  /** The snapshot that was to be installed is damaged. */
  | { readonly kind: "snapshot-rejected"; readonly id: OffsetAndEpoch }
  /** Leave the leadership of this epoch. */
  | { readonly kind: "resign"; readonly epoch: number }
  /** Stop; `shutdown-complete` follows when others know, or when the time is over. */
  | { readonly kind: "shutdown"; readonly timeoutMs: number };

/**
 * What must be done, in this order. An effect begins when those before it are done, with these words on "done":
 *
 * - `write-quorum-state` is done when the file is on the platter. So no vote is said, no request sent and no record written in an
 *   epoch that could be forgotten.
 * - `append` is done when the log has taken the bytes in (they can be read, the next append follows them). The disk says later,
 *   by the input `log-durable`; what has to wait for that is not an effect yet.
 * - `truncate`, `install-snapshot` and `delete-before` are done when the log has changed.
 *
 * A crash loses the effects that were not done: nobody has heard of them.
 */
export type RaftEffect =
  | { readonly kind: "write-quorum-state"; readonly state: ElectionState; readonly kraftVersion: number }
  | {
      readonly kind: "append";
      readonly bytes: Uint8Array;
      readonly baseOffset: number;
      readonly endOffset: number;
      readonly truncationCount: number;
    }
  | { readonly kind: "truncate"; readonly endOffset: number }
  | {
      readonly kind: "send";
      readonly correlationId: number;
      readonly destination: Destination;
      readonly request: RaftRequest;
    }
  | { readonly kind: "answer"; readonly requestId: number; readonly response: RaftResponse }
  | FetchAnswer
  | SnapshotAnswer
  | {
      readonly kind: "write-snapshot-chunk";
      readonly id: OffsetAndEpoch;
      readonly position: number;
      readonly bytes: Uint8Array;
    }
  /** All chunks are written: check, sync and name the snapshot, begin the log anew at its end; answer by an input. */
  | { readonly kind: "install-snapshot"; readonly id: OffsetAndEpoch }
  /** Records below the snapshot's end, and snapshots before it, may go. */
  | { readonly kind: "delete-before"; readonly id: OffsetAndEpoch }
  /** Everything below is committed. Told in growing order. */
  | { readonly kind: "high-watermark"; readonly offset: number }
  /** @property leaderId undefined while nobody is known to lead */
  | {
      readonly kind: "leader-changed";
      readonly epoch: number;
      readonly leaderId: number | undefined;
      /** When this replica leads: everything before is to be known before it acts. */
      readonly epochStartOffset: number | undefined;
    }
  | { readonly kind: "shutdown-complete" };

/**
 * Answers with records read from `fetchOffset` on. They are those of this log as long as `epoch` is: a leader cuts nothing.
 * Whoever finds a later epoch after reading answers with `refusal`.
 */
export interface FetchAnswer {
  readonly kind: "answer-fetch";
  readonly requestId: number;
  readonly epoch: number;
  readonly fetchOffset: number;
  readonly maxBytes: number;
  withRecords(this: void, records: Uint8Array): FetchResponse;
  readonly refusal: FetchResponse;
}

/** Answers with bytes of a snapshot. */
export interface SnapshotAnswer {
  readonly kind: "answer-snapshot";
  readonly requestId: number;
  readonly id: OffsetAndEpoch;
  readonly position: number;
  readonly maxBytes: number;
  withBytes(this: void, bytes: Uint8Array): FetchSnapshotResponse;
  /** The snapshot is gone. */
  readonly refusal: FetchSnapshotResponse;
}
