import type { LogName, Value } from "./history.ts";

/** Named as in Adya's and Jepsen's work where they have a name. */
export type AnomalyKind =
  | "inconsistent-offsets"
  | "duplicate"
  | "lost-write"
  | "unseen"
  | "torn-transaction"
  | "aborted-read"
  | "unwritten-read"
  | "precommitted-read"
  | "intermediate-read"
  | "cyclic-information-flow"
  | "read-from-the-future"
  | "poll-skip"
  | "nonmonotonic-poll"
  | "nonmonotonic-send"
  | "vanished-read"
  | "offset-regression"
  | "fenced-commit"
  | "two-owners"
  | "stuck-last-stable-offset"
  | "wrong-compaction"
  | "wrong-exactly-once-output";

/** Something that no run may show. */
export interface Anomaly {
  readonly kind: AnomalyKind;
  readonly log?: LogName | undefined;
  readonly values: readonly Value[];
  readonly detail: string;
}
