// Members of consumer groups in a process of its own, each with a connection as real ones have, by the classic protocol. They do
// what a member must and nothing else. One job, as in generator.mjs.
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../compat/lib/bare-client.mjs";
import { RawClient, Reader, Writer } from "../../compat/lib/raw-client.mjs";
import { cpuSeconds, quantile } from "./measures.mjs";

const FIND_COORDINATOR = 10;
const JOIN_GROUP = 11;
const HEARTBEAT = 12;
const SYNC_GROUP = 14;
const NONE = 0;
const COMES = [14, 15, 16]; // the coordinator is still loading its partition
const REBALANCE_IN_PROGRESS = 27;
const MEMBER_ID_REQUIRED = 79;
const SESSION_MS = 300_000;
const REBALANCE_MS = 60_000;
const LIMIT_MS = 60_000;
const NOTHING = Buffer.alloc(0);

/** One member of one group. What it is given is empty: the cost of the protocol is what is measured. */
class Member {
  generation = -1;
  #client;
  #group;
  #memberId = "";

  constructor(client, group) {
    this.#client = client;
    this.#group = group;
  }

  static async open(port, group) {
    return new Member(await RawClient.connect(port), group);
  }

  /** Joins and synchronises, until both are answered without an error. */
  async join() {
    this.generation = -1;
    for (;;) {
      const joined = await this.#joinGroup();
      if (joined.error === MEMBER_ID_REQUIRED) this.#memberId = joined.memberId;
      else if (joined.error === NONE) {
        this.#memberId = joined.memberId;
        const error = await this.#syncGroup(joined.generation, joined.members);
        if (error === NONE) {
          this.generation = joined.generation;
          return;
        }
        if (error !== REBALANCE_IN_PROGRESS) throw new Error(`SyncGroup was answered ${error}`);
      } else if (COMES.includes(joined.error)) await sleep(10);
      else if (joined.error !== REBALANCE_IN_PROGRESS) throw new Error(`JoinGroup was answered ${joined.error}`);
    }
  }

  async heartbeat() {
    const body = new Writer().string(this.#group).int32(this.generation).string(this.#memberId).string(null).done();
    const answer = new Reader(await this.#client.ask(HEARTBEAT, 3, body));
    answer.int32();
    return answer.int16();
  }

  close() {
    this.#client.close();
  }

  async #joinGroup() {
    const body = new Writer().string(this.#group).int32(SESSION_MS).int32(REBALANCE_MS).string(this.#memberId);
    body.string(null).string("consumer").int32(1).string("range").bytes(NOTHING);
    const answer = new Reader(await this.#client.ask(JOIN_GROUP, 5, body.done()));
    answer.int32();
    const [error, generation] = [answer.int16(), answer.int32()];
    answer.string();
    answer.string();
    const memberId = answer.string();
    const members = answer.array((r) => [r.string(), r.string(), r.bytes()][0]);
    return { error, generation, memberId, members };
  }

  async #syncGroup(generation, members) {
    const body = new Writer().string(this.#group).int32(generation).string(this.#memberId).string(null);
    body.array(members, (w, member) => w.string(member).bytes(NOTHING));
    const answer = new Reader(await this.#client.ask(SYNC_GROUP, 3, body.done()));
    answer.int32();
    return answer.int16();
  }
}

/** A group of `members` that all come at once; then one more comes, and those that are there learn of it by heartbeats. */
async function rebalance({ port, group, members, heartbeatMs, rounds }) {
  await findCoordinator(port, group);
  const all = await Promise.all(Array.from({ length: members }, () => Member.open(port, group)));
  const begun = performance.now();
  await settle(all, heartbeatMs);
  const storm = performance.now() - begun;
  const times = [];
  for (let round = 0; round < rounds; round++) {
    all.push(await Member.open(port, group));
    const from = performance.now();
    await settle(all, heartbeatMs);
    times.push(performance.now() - from);
  }
  for (const member of all) member.close();
  times.sort((a, b) => a - b);
  return { storm, rebalance: quantile(times, 0.5) };
}

/** Until all members have joined one generation: who came first may have to join again for who came last. */
async function settle(members, heartbeatMs) {
  const isSettled = () => members.every(({ generation }) => generation !== -1 && generation === members[0].generation);
  await Promise.all(
    members.map(async (member) => {
      if (member.generation === -1) await member.join();
      while (!isSettled()) {
        const error = await member.heartbeat();
        if (error === REBALANCE_IN_PROGRESS) await member.join();
        else if (error !== NONE) throw new Error(`Heartbeat was answered ${error}`);
        else if (!isSettled()) await sleep(heartbeatMs);
      }
    }),
  );
}

/** Members that only say that they live: each every `everyMs`, for `ms`. */
async function idle({ port, group, members, everyMs, ms, pid }) {
  await findCoordinator(port, group);
  const all = await Promise.all(Array.from({ length: members }, () => Member.open(port, group)));
  await settle(all, members / 5);
  const end = performance.now() + ms;
  const before = cpuSeconds(pid);
  await Promise.all(
    all.map(async (member, index) => {
      await sleep((everyMs * index) / members);
      while (performance.now() < end) {
        const error = await member.heartbeat();
        if (error !== NONE) throw new Error(`Heartbeat was answered ${error}`);
        await sleep(everyMs);
      }
    }),
  );
  const used = cpuSeconds(pid) - before;
  for (const member of all) member.close();
  return { cpuMsPerSecond: (used * 1000) / (ms / 1000) };
}

/** Groups of one member each, that share `connections`; heartbeats as fast as they are answered. */
async function heartbeats({ port, groups, connections, ms }) {
  const clients = await Promise.all(Array.from({ length: connections }, () => RawClient.connect(port)));
  const members = Array.from({ length: groups }, (_, g) => new Member(clients[g % connections], `bench-group-${g}`));
  await findCoordinator(port, "bench-group-0");
  const begun = performance.now();
  await everyOf(members, connections, (member) => member.join());
  const joined = performance.now() - begun;
  let answered = 0;
  const end = performance.now() + ms;
  await everyOf(clients, connections, async (_, lane) => {
    for (let at = lane; performance.now() < end; at = (at + connections) % groups) {
      const error = await members[at].heartbeat();
      if (error !== NONE) throw new Error(`Heartbeat was answered ${error}`);
      answered++;
    }
  });
  for (const client of clients) client.close();
  return { joinsPerSecond: groups / (joined / 1000), heartbeatsPerSecond: answered / (ms / 1000) };
}

/** `lanes` at a time, the lane of an item by its index. */
async function everyOf(items, lanes, use) {
  const lane = async (first) => {
    for (let at = first; at < items.length; at += lanes) await use(items[at], first);
  };
  await Promise.all(Array.from({ length: lanes }, (_, first) => lane(first)));
}

async function findCoordinator(port, group) {
  const client = await RawClient.connect(port);
  const ask = async () => {
    const answer = new Reader(await client.ask(FIND_COORDINATOR, 2, new Writer().string(group).int8(0).done()));
    answer.int32();
    return answer.int16() === NONE;
  };
  await until(ask, { limitMs: LIMIT_MS, pauseMs: 50 });
  client.close();
}

const JOBS = { rebalance, idle, heartbeats };

process.once("message", ({ kind, ...job }) => {
  JOBS[kind](job).then(
    (result) => process.send({ result }, () => process.disconnect()),
    (error) => process.send({ error: error.message }, () => process.disconnect()),
  );
});
