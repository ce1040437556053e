import process from "node:process";
import type { ConnectOptions } from "../client.ts";
import { withKafka } from "../client.ts";
import { ExitCode } from "../exit-code.ts";
import { printRows } from "../rows.ts";
import { onInterrupt } from "../signals.ts";
import type { GroupView, PartitionView } from "./group-view.ts";
import { viewGroups } from "./group-view.ts";

export interface WatchOptions extends ConnectOptions {
  readonly interval: number; // seconds
  readonly count?: number;
  readonly json?: boolean;
}

interface Look {
  readonly atMs: number;
  readonly group: GroupView;
}

interface WatchedPartition extends PartitionView {
  /** Records a second since the look before; null at the first. */
  readonly written: number | null;
  readonly read: number | null;
}

const HOME_AND_CLEAR = "\u001B[H\u001B[J";

/** Looks again and again; between two looks the terminal shows the last. */
export async function watchGroup(groupId: string, options: WatchOptions): Promise<ExitCode> {
  const stop = new AbortController();
  const interruption = onInterrupt(() => stop.abort());
  try {
    return await withKafka(options, async (kafka) => {
      const admin = kafka.admin();
      let before: Look | undefined;
      for (let looks = 1; !stop.signal.aborted; looks++) {
        const [group] = await viewGroups(admin, [groupId]);
        if (group === undefined) break;
        const look = { atMs: Date.now(), group };
        show(look, before, options);
        before = look;
        if (looks === options.count) break;
        await pause(options.interval * 1000, stop.signal);
      }
      return interruption.exitCode ?? ExitCode.DONE;
    });
  } finally {
    interruption.dispose();
  }
}

function show(look: Look, before: Look | undefined, { json = false }: WatchOptions): void {
  const { atMs, group } = look;
  const partitions = group.partitions.map((one) => watched(one, look, before));
  const time = new Date(atMs).toISOString();
  if (json) {
    const { groupId, state, members } = group;
    process.stdout.write(`${JSON.stringify({ time, groupId, state, members: members.length, partitions })}\n`);
    return;
  }
  const lag = group.partitions.reduce((sum, one) => sum + (one.lag ?? 0), 0);
  const people = `${group.members.length} ${group.members.length === 1 ? "member" : "members"}`;
  const head = `${group.groupId}  ${group.state}  ${people}  lag ${lag}  ${time}\n\n`;
  process.stdout.write(process.stdout.isTTY ? `${HOME_AND_CLEAR}${head}` : head);
  printRows(
    partitions,
    {
      TOPIC: ({ topic }) => topic,
      PARTITION: ({ partition }) => partition,
      COMMITTED: ({ committed }) => committed,
      END: ({ end }) => end,
      LAG: ({ lag: own }) => own,
      "WRITTEN/S": ({ written }) => written,
      "READ/S": ({ read }) => read,
      MEMBER: ({ memberId }) => memberId,
    },
    {},
  );
  if (!process.stdout.isTTY) process.stdout.write("\n");
}

function watched(one: PartitionView, { atMs }: Look, before: Look | undefined): WatchedPartition {
  const old = before?.group.partitions.find(
    ({ topic, partition }) => topic === one.topic && partition === one.partition,
  );
  const seconds = (atMs - (before?.atMs ?? atMs)) / 1000;
  const speed = (now: number | null, then: number | null | undefined): number | null =>
    now === null || then === null || then === undefined || seconds <= 0 ? null : Math.round((now - then) / seconds);
  return { ...one, written: speed(one.end, old?.end), read: speed(one.committed, old?.committed) };
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener("abort", done, { once: true });
  });
}
