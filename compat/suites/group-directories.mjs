// Groups in a directory that changes hands while their members run: Kafka, Samsa, Kafka, and Samsa, Kafka, Samsa. Java's consumers of both
// protocols find another broker at the address of the last, and go on as if nothing had been; groups without members are as they were left.
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { toolArguments } from "../apache-kafka/kafka.mjs";
import { until } from "../lib/bare-client.mjs";
import { createBroker } from "../lib/brokers.mjs";
import { JavaMembers } from "../lib/group-members.mjs";
import { GroupAsker } from "../lib/group-states.mjs";
import { expect } from "../lib/harness.mjs";
import { runProgram } from "../lib/process.mjs";
import { Kafka } from "../../packages/client/dist/index.js";

const LIMIT_MS = 90_000;
const SOON = { limitMs: 60_000, pauseMs: 100 };
const PARTITIONS = 6;
const TOPICS = ["moves-a", "moves-b"];
const SETTINGS = {
  "offsets.topic.num.partitions": 4,
  "group.initial.rebalance.delay.ms": 2000,
  "group.consumer.session.timeout.ms": 12_000,
  "group.consumer.min.session.timeout.ms": 12_000,
  "group.consumer.heartbeat.interval.ms": 1000,
  "group.consumer.min.heartbeat.interval.ms": 1000,
  "group.consumer.assignment.interval.ms": 0,
  "group.streams.initial.rebalance.delay.ms": 0,
};
const CLASSIC = { "session.timeout.ms": 12_000, "heartbeat.interval.ms": 1000 };
const assignor = (name) => ({
  ...CLASSIC,
  "partition.assignment.strategy": `org.apache.kafka.clients.consumer.${name}`,
});

/** Groups with members that stay: what their members say, and the second of them besides. A third comes when the directory has moved. */
const AT_WORK = {
  classic: {
    topic: "moves-a",
    protocol: "classic",
    settings: assignor("RangeAssignor"),
    ofSecond: { "group.instance.id": "classic-b" },
  },
  cooperative: { topic: "^moves-.*", protocol: "classic", settings: assignor("CooperativeStickyAssignor") },
  uniform: {
    topic: "moves-a",
    protocol: "consumer",
    settings: {},
    ofSecond: { "group.instance.id": "uniform-b" },
  },
  pattern: { topic: "^moves-.*", protocol: "consumer", settings: { "group.remote.assignor": "range" } },
};
/** A member of each protocol in one group, which is one of the consumer protocol. */
const MIXED = "mixed";
const LONG = "metadata ".repeat(400);

export const suite = {
  title: "groups that change hands",
  needs: ["java"],

  async run({ check, scratch }) {
    for (const kinds of [
      ["apache", "samsa"],
      ["samsa", "apache"],
    ]) {
      const journey = new Journey(kinds, scratch);
      try {
        await travel(journey, check);
      } finally {
        await journey.end();
      }
    }
  },
};

const NAMES = { apache: "Apache Kafka", samsa: "Samsa" };

async function travel(journey, check) {
  const [first, second] = journey.kinds.map((kind) => NAMES[kind]);
  const stage = async (sentence, run) => {
    const isGood = await check(`${first} first: ${sentence}`, () => journey.explained(run), LIMIT_MS);
    if (!isGood) throw new Error("what comes after it needs it");
  };
  let left;
  await stage(`${first} has groups of all kinds, with members at work and without`, async () => {
    await journey.prepare();
    await journey.start(0);
    await journey.begin();
    left = await journey.states();
  });
  await stage(`${second} finds them as ${first} left them`, async () => {
    await journey.move(1);
    await journey.expectStates(left);
  });
  await stage("their members go on there, and none of them has noticed", () => journey.expectUnnoticed());
  await stage(
    `${second} changes them: members join, offsets are committed and deleted, groups go and come`,
    async () => {
      await journey.change();
      left = await journey.states();
    },
  );
  await stage(`${first} finds them as ${second} left them`, async () => {
    await journey.move(0);
    await journey.expectStates(left);
    await journey.expectStreams();
  });
  await stage("and their members go on", () => journey.expectUnnoticed());
  await stage("members that die while there is no broker are found out, and what they committed stays", async () => {
    left = await journey.states();
    await journey.die();
    await journey.expectOnlyOffsets(left);
  });
  await stage("DumpLogSegments reads every record about groups", () => journey.dump());
}

/** A directory, the brokers that have it in turn, at one address, and the members of its groups. */
class Journey {
  kinds;
  #scratch;
  #brokers = [];
  #at = 0;
  #members;
  #asker;
  #written = [];
  #streams;

  constructor(kinds, scratch) {
    this.kinds = kinds;
    this.#scratch = join(scratch, kinds.join("-"));
  }

  async prepare() {
    let port;
    for (const kind of ["apache", "samsa"]) {
      const dir = join(this.#scratch, kind);
      mkdirSync(dir, { recursive: true });
      const broker = await createBroker(kind, dir, SETTINGS, { port });
      port = broker.port; // Apache Kafka's choice: it needs two
      this.#brokers[this.kinds.indexOf(kind)] = broker;
    }
    this.#members = new JavaMembers(`127.0.0.1:${port}`);
  }

  get #broker() {
    return this.#brokers[this.#at];
  }

  async start(at) {
    this.#at = at;
    await this.#broker.start();
    this.#asker = await GroupAsker.connect(this.#broker.port);
  }

  async #stop() {
    this.#asker?.close();
    await this.#broker.stop(60_000);
  }

  async move(to) {
    const { dataDir } = this.#broker;
    await this.#stop();
    const next = this.#brokers[to].dataDir;
    rmSync(next, { recursive: true, force: true });
    renameSync(dataDir, next);
    await this.start(to);
  }

  async end() {
    await this.#members?.kill();
    this.#asker?.close();
    for (const broker of this.#brokers) await broker.kill();
  }

  async explained(run) {
    try {
      await run();
    } catch (error) {
      const ended = [...(this.#members?.members ?? [])].filter(([, member]) => member.ended);
      const why = ended.map(([name, member]) => `${name}: ${member.ended}`).join("\n");
      const words = this.#brokers.length === 0 ? "" : this.#broker.lastWords();
      throw new Error(`${error.message}\n${why}\n${this.kinds[this.#at]} said last:\n${words}`, { cause: error });
    }
  }

  /** Members join and read, some leave again; offsets are committed by nobody; a group is deleted; on Kafka there is one of streams. */
  async begin() {
    const topics = TOPICS.map((name, i) => ({ name, numPartitions: PARTITIONS / (i + 1) }));
    await this.#client((kafka) => kafka.admin().createTopics(topics));
    for (const [group, { topic, protocol, settings, ofSecond }] of Object.entries(AT_WORK)) {
      this.#members.join(`${group}-a`, topic, group, protocol, settings);
      this.#members.join(`${group}-b`, topic, group, protocol, { ...settings, ...ofSecond });
    }
    this.#members.join("mixed-a", "moves-a", MIXED, "consumer");
    for (const protocol of ["classic", "consumer"]) {
      this.#members.join(`${protocol}-left`, "moves-b", `${protocol}-left`, protocol);
      this.#members.join(`${protocol}-nothing`, "moves-b", `${protocol}-nothing`, protocol, { commits: "no" });
    }
    await this.#shared("mixed", 1); // or a classic member might begin it
    this.#members.join("mixed-b", "moves-a", MIXED, "classic", assignor("RangeAssignor"));
    for (const group of [...Object.keys(AT_WORK), MIXED]) await this.#shared(group, 2);
    await this.#write();
    for (const protocol of ["classic", "consumer"]) {
      for (const name of [`${protocol}-left`, `${protocol}-nothing`]) {
        await this.#eventually(() => {
          const { length } = this.#members.members.get(name).records;
          expect(length === this.#written.filter(([topic]) => topic === "moves-b").length, `${name} has ${length}`);
        });
        this.#members.leave(name);
        await this.#eventually(() => expect(this.#members.members.get(name).ended === "", `${name} is there`));
      }
    }
    await this.#asker.commit("simple", [
      ["moves-a", 0, 0],
      ["moves-a", 1, 3, "ünïcödé 🪲", 0],
      ["moves-a", 2, 2 ** 40, LONG, 7],
      ["moves-b", 0, 1, ""],
    ]);
    for (const group of ["gone", "goes"]) await this.#asker.commit(group, [["moves-a", 0, 1]]);
    await this.#asker.ask("DeleteGroups", { groupsNames: ["gone"] });
    if (this.kinds[this.#at] === "apache") await this.#beginStreams();
    await this.#allRead();
  }

  async #beginStreams() {
    const last = await this.#asker.joinStreams("streams", "streams-a", "moves-a");
    const options = { memberId: "streams-a", epoch: last.memberEpoch };
    await this.#asker.commit("streams", [["moves-a", 4, 17, "streams"]], options);
    this.#streams = { last, state: await this.#asker.streamsState("streams") };
  }

  async change() {
    for (const [group, { topic, protocol, settings }] of Object.entries(AT_WORK)) {
      this.#members.join(`${group}-c`, topic, group, protocol, settings);
    }
    this.#members.join("mixed-c", "moves-a", MIXED, "consumer");
    await this.#asker.commit("simple", [
      ["moves-a", 0, 5, "again"],
      ["moves-b", 1, 6],
    ]);
    await this.#asker.commit("classic-left", [["moves-b", 0, 1, "earlier"]]);
    await this.#asker.commit("consumer-left", [["moves-b", 0, 1, "earlier"]]);
    const deleted = { groupId: "simple", topics: [{ name: "moves-a", partitions: [{ partitionIndex: 1 }] }] };
    await this.#asker.ask("OffsetDelete", deleted);
    await this.#asker.ask("DeleteGroups", { groupsNames: ["goes", "consumer-nothing"] });
    await this.#asker.commit("comes", [["moves-a", 2, 9, "new"]]);
    if (this.kinds[this.#at] === "apache") await this.#beginStreams();
    for (const group of [...Object.keys(AT_WORK), MIXED]) await this.#shared(group, 3);
    await this.#write();
    await this.#allRead();
  }

  /** Each member has a share, and together they have all partitions. */
  #shared(group, count) {
    const topic = AT_WORK[group]?.topic ?? "moves-a";
    const wanted = topic.startsWith("^") ? PARTITIONS * 1.5 : PARTITIONS;
    return this.#eventually(() => {
      const shares = this.#members.ofGroup(group).map(({ assignment }) => assignment);
      const all = new Set(shares.flat());
      const told = `${group}: ${shares.map((share) => share.join(" ")).join(" | ")}`;
      expect(shares.length === count && shares.every(({ length }) => length > 0), told);
      expect(all.size === wanted && shares.flat().length === wanted, told);
    });
  }

  async #write() {
    const records = TOPICS.flatMap((topic, i) =>
      Array.from({ length: PARTITIONS * 5 }, (_, n) => ({
        topic,
        partition: n % (PARTITIONS / (i + 1)),
        value: `${this.#written.length + i * 1000 + n}`,
      })),
    );
    await this.#client((kafka) => kafka.producer().sendBatch(records));
    for (const { topic, partition, value } of records) this.#written.push([topic, `${topic}-${partition} ${value}`]);
  }

  /** Each group has each record once. */
  async #allRead() {
    for (const group of [...Object.keys(AT_WORK), MIXED]) {
      const isOf = AT_WORK[group]?.topic.startsWith("^") ? () => true : (topic) => topic === "moves-a";
      const expected = this.#written.filter(([topic]) => isOf(topic)).map(([, text]) => text);
      await this.#eventually(() => {
        const got = this.#members.ofGroup(group).flatMap(({ records }) => records);
        expect(got.length >= expected.length, `${group} has read ${got.length} records of ${expected.length}`);
        const twice = got.filter((each, i) => got.indexOf(each) !== i);
        expect(twice.length === 0, `${group} has read twice: ${twice.join(", ")}`);
        const missing = expected.filter((each) => !got.includes(each));
        expect(missing.length === 0, `${group} has not read ${missing.join(", ")}`);
      });
    }
  }

  /** Members of the broker before read and commit here, nothing was taken from them, and the broker says the same of them. */
  async expectUnnoticed() {
    const before = this.#logs();
    const told = membership(await this.states());
    await this.#write();
    await this.#allRead();
    expectSame(told, membership(await this.states()));
    const after = this.#logs();
    expect(before === after, `before:\n${before}\nafter:\n${after}`);
  }

  #logs() {
    const of = ([name, { log, ended }]) => `${name}: ${log.join(", ")}${ended ? ` ended: ${ended}` : ""}`;
    return [...this.#members.members].map(of).join("\n");
  }

  states() {
    return this.#asker.states();
  }

  /** At once when all of them are loaded. */
  async expectStates(left) {
    const states = await this.#eventually(async () => {
      const found = await this.states();
      const [before, after] = [left, found].map((all) => [...all.keys()].join(" "));
      expect(before === after, `there are ${after}, and there were ${before}`);
      return found;
    });
    expectSame(left, states);
  }

  /** The member of Kafka Streams that was there is there still, with the tasks and the epoch it had. */
  async expectStreams() {
    if (this.kinds[this.#at] !== "apache") return;
    expectSame(
      new Map([["streams", this.#streams.state]]),
      new Map([["streams", await this.#asker.streamsState("streams")]]),
    );
    const { memberEpoch } = await this.#asker.ask("StreamsGroupHeartbeat", this.#streams.last);
    expect(memberEpoch === this.#streams.last.memberEpoch, `it is in epoch ${memberEpoch}`);
  }

  async die() {
    await this.#stop();
    await this.#members.kill();
    await this.start(this.#at);
  }

  async expectOnlyOffsets(left) {
    await this.#eventually(async () => {
      const states = await this.states();
      const offsets = (all) =>
        new Map([...all].map(([id, lines]) => [id, lines.filter((line) => line.startsWith("offsets"))]));
      expectSame(offsets(left), offsets(states));
      for (const group of [...Object.keys(AT_WORK), MIXED]) {
        const lines = states.get(group);
        const isEmpty = lines.includes('groupState: "Empty"') && lines.includes("described.members: none");
        expect(isEmpty, `${group}:\n${lines.filter((line) => !line.startsWith("offsets")).join("\n")}`);
      }
    });
  }

  async dump() {
    await this.#stop();
    const { dataDir } = this.#broker;
    const logs = readdirSync(dataDir, { recursive: true }).filter((file) =>
      /^__consumer_offsets-\d+\/.*\.log$/.test(file),
    );
    const files = logs.map((file) => join(dataDir, file)).join(",");
    const args = toolArguments("org.apache.kafka.tools.DumpLogSegments", ["--files", files, "--offsets-decoder"]);
    const { stdout } = await runProgram("java", args);
    const kinds = new Set(Array.from(stdout.matchAll(/key: \{"type":"?(\d+)/g), ([, kind]) => Number(kind)));
    for (const kind of [1, 2, 3, 5, 6, 7, 8, 16]) expect(kinds.has(kind), `there is no record of kind ${kind}`);
    const complaint = stdout.split("\n").find((line) => /Exception|UNKNOWN|isvalid: false|Error/.test(line));
    expect(complaint === undefined, complaint);
  }

  async #client(use) {
    const kafka = new Kafka({ bootstrapServers: this.#broker.bootstrap });
    try {
      return await use(kafka);
    } finally {
      await kafka.close();
    }
  }

  #eventually(attempt) {
    return until(async () => attempt(), SOON);
  }
}

/** All but the offsets, which go on. */
function membership(states) {
  return new Map([...states].map(([id, lines]) => [id, lines.filter((line) => !line.startsWith("offsets"))]));
}

function expectSame(expected, actual) {
  const all = (states) => [...states].flatMap(([id, lines]) => lines.map((line) => `${id}: ${line}`));
  const [before, after] = [all(expected), all(actual)];
  const missing = before.filter((line) => !after.includes(line));
  const extra = after.filter((line) => !before.includes(line));
  const told = [...missing.map((line) => `- ${line}`), ...extra.map((line) => `+ ${line}`)];
  expect(told.length === 0, told.join("\n"));
}
