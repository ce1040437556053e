import assert from "node:assert/strict";
import type { Uuid } from "@samsa/base";
import type { LogConfig } from "../log-config.ts";
import type { UnifiedLog } from "../unified-log.ts";
import type { ModelBatch } from "./model-log.ts";
import { ModelLog } from "./model-log.ts";

export interface Producer {
  readonly id: number;
  epoch: number;
  nextSequence: number;
  isInTransaction: boolean;
  readonly isTransactional: boolean;
}

/** One log of a simulation: what it is to be, as a model of it says, and the producers that write to it. */
export class LogSubject {
  readonly topic: string;
  readonly config: LogConfig;
  topicId: Uuid;
  model = new ModelLog();
  producers: Producer[] = [];
  leaderEpoch = 0;
  /** As the checkpoint may have it at least: a log start offset is not safe before. */
  checkpointedStart = 0;
  /** While something is under way that may move the start: how far. */
  startMayReach = 0;
  /** While a truncation is under way: where the log may end. */
  truncatingTo: { readonly offset: number; readonly isWhole: boolean } | undefined;
  /** That truncation was broken off: nothing counts until it is done. */
  mustEmptyAt?: number | undefined;

  constructor(topic: string, config: LogConfig, topicId: Uuid) {
    this.topic = topic;
    this.config = config;
    this.topicId = topicId;
  }

  /** The topic has been deleted, and made again. */
  renew(topicId: Uuid): void {
    this.topicId = topicId;
    this.model = new ModelLog();
    this.beginAt(0);
    this.truncatingTo = undefined;
    this.leaderEpoch = 0;
  }

  /** After a crash the model learns what is left, which must be enough and may not be more. */
  adopt(log: UnifiedLog, power: "kept" | "lost"): "whole" | "tail lost" {
    const { model, truncatingTo } = this;
    const { logStartOffset, logEndOffset } = log;
    let safeEnd = power === "kept" ? model.acknowledgedEnd : model.flushedEnd;
    this.truncatingTo = undefined;
    if (truncatingTo?.isWhole === true) {
      // One that began and ended there before tells nothing, and an open transaction from below would still be known.
      const wasThere = model.startOffset === truncatingTo.offset && model.endOffset === truncatingTo.offset;
      if (!wasThere && logStartOffset === truncatingTo.offset && logEndOffset === truncatingTo.offset) {
        this.beginAt(truncatingTo.offset);
        return "whole";
      }
      this.mustEmptyAt = truncatingTo.offset;
      safeEnd = 0;
    } else if (truncatingTo !== undefined) safeEnd = Math.min(safeEnd, truncatingTo.offset);
    const isBegunAnew = logStartOffset === logEndOffset;
    assert.ok(logEndOffset >= safeEnd, `it ends at ${logEndOffset}, where ${safeEnd} was safe`);
    if (logEndOffset > model.endOffset || !(model.batchEnds.includes(logEndOffset) || isBegunAnew)) {
      assert.fail(`it ends at ${logEndOffset}, which is no end of a batch up to ${model.endOffset}`);
    }
    assert.ok(
      logStartOffset <= Math.max(model.startOffset, this.startMayReach),
      `it starts at ${logStartOffset}, where ${model.startOffset} was the last that was said`,
    );
    assert.ok(
      logStartOffset >= Math.min(this.checkpointedStart, logEndOffset) || truncatingTo !== undefined,
      `it starts at ${logStartOffset}, where ${this.checkpointedStart} was noted`,
    );
    const isShorter = logEndOffset < model.endOffset;
    this.cut(logEndOffset);
    if (isBegunAnew && model.endOffset !== logEndOffset) this.beginAt(logEndOffset);
    model.startOffset = Math.max(logStartOffset, this.startMayReach); // what lies below may be forgotten already
    model.startOffset = logStartOffset;
    this.startMayReach = logStartOffset;
    model.acknowledgedEnd = model.endOffset;
    return isShorter ? "tail lost" : "whole";
  }

  cut(offset: number): void {
    this.model.cutTo(offset);
    this.checkpointedStart = Math.min(this.checkpointedStart, offset);
    this.producers = this.producers.filter((producer) => this.resume(producer));
  }

  beginAt(offset: number): void {
    this.model.beginAt(offset);
    this.checkpointedStart = 0;
    this.startMayReach = offset;
    this.producers = [];
  }

  /** Sets a producer to what the log knows of it; false when the log may have forgotten it. */
  resume(producer: Producer): boolean {
    const last = this.model.producers().get(producer.id)?.at(-1);
    if (last === undefined || !this.isKnown(last)) return false;
    producer.epoch = last.producerEpoch;
    producer.nextSequence = last.baseSequence + last.records.length;
    const transactions = this.model.transactions();
    producer.isInTransaction = transactions.some(
      (one) => one.producerId === producer.id && one.lastOffset === undefined,
    );
    return true;
  }

  isKnown(last: ModelBatch): boolean {
    return last.lastOffset >= this.model.startOffset;
  }

  isProducerKnown(producer: Producer): boolean {
    const last = this.model.producers().get(producer.id)?.at(-1);
    return last !== undefined && this.isKnown(last);
  }
}
