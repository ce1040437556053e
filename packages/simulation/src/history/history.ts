/** A log by its name, `topic-partition`. */
export type LogName = string;

/** A record as the workload names it: every value of a history is unique over all logs. */
export type Value = string;

/**
 * How a call ended. `failed` means that it surely had no effect; `unknown` that it may or may not have had one, now or later: a
 * time-out, a lost connection, a crash of the client.
 */
export type Outcome = "ok" | "failed" | "unknown";

export interface SendStep {
  readonly kind: "send";
  readonly log: LogName;
  readonly value: Value;
  readonly offset?: number | undefined; // when it was acknowledged
}

/** Records in the order they were handed over, of one or several logs. */
export interface PollStep {
  readonly kind: "poll";
  readonly records: readonly PolledRecord[];
}

export interface PolledRecord {
  readonly log: LogName;
  readonly offset: number;
  readonly value: Value;
}

/** A call of a client, or a transaction: sends and polls that belong together. Times are of one clock, in any unit. */
export interface Operation {
  readonly kind: "operation";
  readonly process: number; // one client, from its start to its end
  readonly begin: number;
  readonly end: number; // Infinity when no answer ever came
  readonly outcome: Outcome;
  readonly transactional: boolean;
  readonly steps: readonly (SendStep | PollStep)[];
}

/** From here on the process reads other logs, or from elsewhere. */
export interface Assigned {
  readonly kind: "assigned";
  readonly process: number;
  readonly at: number;
  readonly by: "assign" | "subscribe"; // who chose: the process, or its group
}

/** At the end, everything up to the log end offset was polled. */
export interface Drained {
  readonly kind: "drained";
  readonly log: LogName;
}

/** The whole log, read again at the end by its committed records. */
export interface ReadAgain {
  readonly kind: "read-again";
  readonly log: LogName;
  readonly logStartOffset: number;
  readonly records: readonly PolledRecord[];
}

export interface OffsetCommitted {
  readonly kind: "offset-committed";
  readonly group: string;
  readonly log: LogName;
  readonly member: string;
  readonly epoch: number; // of the member, or its generation
  readonly offset: number;
  readonly begin: number;
  readonly end: number;
  readonly outcome: Outcome;
}

export interface OffsetFetched {
  readonly kind: "offset-fetched";
  readonly group: string;
  readonly log: LogName;
  readonly offset: number; // -1 when nothing is committed
  readonly begin: number;
}

/** A member owned a log from its assignment until it sent its revocation, left, or was known to be dead. */
export interface Owned {
  readonly kind: "owned";
  readonly group: string;
  readonly log: LogName;
  readonly member: string;
  readonly epoch: number;
  readonly from: number;
  readonly until: number;
}

/** What a leader said of its log; `openTransactions` counts those that are within their time-out, and a little. */
export interface OffsetsSeen {
  readonly kind: "offsets-seen";
  readonly log: LogName;
  readonly lastStableOffset: number;
  readonly highWatermark: number;
  readonly openTransactions: number;
}

export type HistoryEvent =
  | Operation
  | Assigned
  | Drained
  | ReadAgain
  | OffsetCommitted
  | OffsetFetched
  | Owned
  | OffsetsSeen;

/** What the clients of a run saw, in the order of their beginnings within a process. */
export type History = readonly HistoryEvent[];

export function isOperation(event: HistoryEvent): event is Operation {
  return event.kind === "operation";
}

export function sendsOf(operation: Operation): SendStep[] {
  return operation.steps.filter((step) => step.kind === "send");
}

export function recordsPolledBy(operation: Operation): PolledRecord[] {
  return operation.steps.flatMap((step) => (step.kind === "poll" ? step.records : []));
}
