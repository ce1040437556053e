// Consumer groups by the classic protocol: how long members wait for their partitions, and what it costs that they live.
import { generate } from "./lib/generate.mjs";
import { withBroker } from "./log.mjs";

const LOAD = "group-load.mjs";
const HEARTBEATS_PER_SECOND = 5000; // of a whole group: far more than real members, so that their interval is not what is measured
const IDLE_HEARTBEAT_MS = 3000; // heartbeat.interval.ms
const SETTINGS = { "group.initial.rebalance.delay.ms": "0", "group.max.size": "5000" };

function measureGroups(context) {
  return withBroker(context, SETTINGS, async (broker) => {
    const { port, pid } = broker;
    const results = {};
    const rebalance = ({ members, ...job }) => {
      const heartbeatMs = Math.ceil((members * 1000) / HEARTBEATS_PER_SECOND);
      return generate({ kind: "rebalance", port, members, heartbeatMs, ...job }, LOAD);
    };
    await rebalance({ group: "warm", members: 20, rounds: Math.ceil(50 * context.scale) });
    for (const members of [3, 100, 1000].filter((many) => many <= 1000 * context.scale)) {
      const rounds = Math.ceil((members === 1000 ? 5 : 20) * context.scale);
      const done = await rebalance({ group: `group-${members}`, members, rounds });
      results[`${members} members at once, until all have partitions (ms)`] = done.storm;
      results[`one more, until all ${members + 1} have partitions (ms)`] = done.rebalance;
    }
    const idle = { kind: "idle", port, pid, group: "idle", members: 1000 * context.scale };
    const lived = await generate({ ...idle, everyMs: IDLE_HEARTBEAT_MS, ms: 30_000 * context.scale }, LOAD);
    results[`${idle.members} idle members, CPU (ms a second)`] = lived.cpuMsPerSecond;
    const many = { kind: "heartbeats", port, groups: 10_000 * context.scale, connections: 50 };
    const done = await generate({ ...many, ms: 10_000 * context.scale }, LOAD);
    results[`${many.groups} groups of one member, joins (thousand/s)`] = done.joinsPerSecond / 1000;
    results[`${many.groups} groups of one member, heartbeats (thousand/s)`] = done.heartbeatsPerSecond / 1000;
    return results;
  });
}

export const benchmarks = { groups: { rounds: 3, measure: measureGroups } };
