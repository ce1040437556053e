import type { Waiter } from "./delivery.ts";
import type { Data, ProducerHeader, ProducerRecord } from "./record.ts";

/** A record that cannot be put into a batch yet: no metadata, no room, or a serialiser that takes its time. */
export interface WaitingRecord {
  readonly record: ProducerRecord<unknown, unknown>;
  readonly timestamp: number;
  readonly headers: readonly ProducerHeader[];
  readonly waiter: Waiter | undefined;
  readonly tag: number;
  readonly signal: AbortSignal | undefined;
  readonly deadlineMs: number;
  key: Data | null;
  value: Data | null;
  sizeInBytes: number;
  /** Its serialisers are done. */
  isReady: boolean;
}

/** Records of one topic that wait, in order. */
export interface WaitingTopic {
  readonly records: WaitingRecord[];
  isFetching: boolean;
  readonly whenEmpty: (() => void)[];
}
