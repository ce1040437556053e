// @samsa/client: the producer through lost connections and killed brokers, and authentication as Apache Kafka asks for it.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatStorage, serverArguments, singleNodeProperties, writeProperties } from "../apache-kafka/kafka.mjs";
import { BareClient, until } from "../lib/bare-client.mjs";
import { FaultProxy } from "../lib/fault-proxy.mjs";
import { expect } from "../lib/harness.mjs";
import { hasProgram } from "../lib/process.mjs";
import { Kafka } from "../../packages/client/dist/index.js";
import { TcpTransport } from "../../packages/io/dist/index.js";

const SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-512"];
const PASSWORD = "of-no-use";
const PARTITIONS = 3;

export const suite = {
  title: "@samsa/client",
  needs: ["java"],

  async run({ check, startBroker, full, scratch, target }) {
    const broker = await startBroker();
    const plain = { bootstrapServers: broker.bootstrap };
    await check("what is produced in every compression is read back", () => withKafka(plain, everyCompression));
    await check("keys go where Java's producer sends them", () => withKafka(plain, sameAsJava));
    await check("cut, stalled and delayed connections lose, double and reorder nothing", () =>
      throughFaults(broker, full ? 1_000_000 : 60_000),
    );
    await check("killed brokers lose, double and reorder nothing", () =>
      throughKills(broker, full ? { records: 1_000_000, kills: 12 } : { records: 60_000, kills: 2 }),
    );
    if (target === "apache") await authentication(check, scratch);
  },
};

async function withKafka(options, work) {
  const kafka = new Kafka(options);
  try {
    return await work(kafka);
  } finally {
    await kafka.close();
  }
}

async function everyCompression(kafka) {
  const topic = "client-compression";
  await kafka.admin().createTopics([{ name: topic, numPartitions: 1 }]);
  const sent = [];
  for (const compressionType of ["none", "gzip", "snappy", "lz4", "zstd"]) {
    const producer = kafka.producer({ compressionType });
    const values = Array.from({ length: 500 }, (_, i) => `${compressionType} ${i} ${"abc".repeat(i % 50)}`);
    await producer.sendBatch(
      values.map((value) => ({ topic, key: `k${value.length}`, value, headers: [{ key: "h", value }] })),
    );
    sent.push(...values);
  }
  const read = (await readAll(kafka, topic, 1)).get(0);
  expect(JSON.stringify(read) === JSON.stringify(sent), "the values differ");
}

async function sameAsJava(kafka) {
  const topic = "client-keys";
  await kafka.admin().createTopics([{ name: topic, numPartitions: 7 }]);
  const producer = kafka.producer();
  const keys = ["user100", "user108", "user110", "user123", "user456", "ключ", ""];
  const sent = await producer.sendBatch(keys.map((key) => ({ topic, key, value: key })));
  for (const [i, key] of keys.entries()) {
    const explained = await producer.explainPartition({ topic, key, value: "" });
    expect(explained.partition === sent[i].partition, `${key}: ${explained.arithmetic}, sent to ${sent[i].partition}`);
  }
}

/** A client whose every connection goes through the proxy, whatever address the broker announces. */
function kafkaThrough(proxy, options = {}) {
  const tcp = new TcpTransport();
  const address = () => ({ host: "127.0.0.1", port: proxy.port });
  const transport = {
    connect: (_, handler, how) => tcp.connect(address(), handler, how),
    listen: (...args) => tcp.listen(...args),
  };
  return new Kafka({ bootstrapServers: "127.0.0.1:1", transport, requestTimeoutMs: 2000, ...options });
}

async function throughFaults(broker, count) {
  const proxy = new FaultProxy(broker.port);
  let random = 12_345;
  const draw = (below) => {
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
    return random % below;
  };
  proxy.plan = (index) => {
    switch (index < 40 ? draw(6) : 6) {
      case 0:
        return { cutAfterBytesUp: 2000 + draw(60_000) };
      case 1:
        return { cutAfterBytesUp: 100 + draw(3000) };
      case 2:
      case 3:
        return { cutAfterBytesDown: 600 + draw(4000) };
      case 4:
        return { stallAfterBytesDown: 600 + draw(4000) };
      case 5:
        return { delayMs: 5, cutAfterBytesDown: 3000 };
      default:
        return {};
    }
  };
  await proxy.start();
  try {
    await produceNumbered(kafkaThrough(proxy), broker, "client-faults", count, () => {});
    expect(proxy.cuts >= 2, `only ${proxy.cuts} connections were cut`);
  } finally {
    await proxy.close();
  }
}

async function throughKills(broker, { records, kills }) {
  const kafka = new Kafka({ bootstrapServers: broker.bootstrap, requestTimeoutMs: 5000 });
  await produceNumbered(kafka, broker, "client-kills", records, async (progress) => {
    for (let kill = 1; kill <= kills; kill++) {
      while (progress.delivered < (records * kill) / (kills + 1)) await sleep(5);
      await broker.kill();
      await broker.start();
    }
  });
}

/** Numbers, each to the partition of its remainder; in the end every partition must have its own, once and in order. */
async function produceNumbered(kafka, broker, topic, count, meanwhile) {
  const progress = { delivered: 0 };
  const plain = { bootstrapServers: broker.bootstrap };
  await withKafka(plain, (direct) => direct.admin().createTopics([{ name: topic, numPartitions: PARTITIONS }]));
  try {
    const producer = kafka.producer({ lingerMs: 2, bufferMemory: 1_000_000, deliveryTimeoutMs: 300_000 });
    let failure;
    const onDelivery = (error) => {
      failure ??= error;
      progress.delivered++;
    };
    const disturbance = meanwhile(progress);
    for (let n = 0; n < count; n++) {
      const record = { topic, partition: n % PARTITIONS, value: String(n) };
      if (!producer.write(record, onDelivery)) await producer.ready();
    }
    await producer.flush();
    await disturbance;
    if (failure !== undefined) throw failure;
  } finally {
    await kafka.close();
  }
  const found = await withKafka(plain, (direct) => readAll(direct, topic, PARTITIONS));
  for (const [partition, values] of found) {
    const expected = Math.ceil((count - partition) / PARTITIONS);
    expect(values.length === expected, `partition ${partition} has ${values.length} records, not ${expected}`);
    const wrong = values.findIndex((value, index) => value !== String(index * PARTITIONS + partition));
    expect(wrong < 0, `partition ${partition} has ${values[wrong]} at ${wrong}`);
  }
}

async function readAll(kafka, topic, partitions) {
  const consumer = kafka.consumer();
  await consumer.assign([{ topic, offset: "earliest", endOffset: "latest" }]);
  const found = new Map(Array.from({ length: partitions }, (_, partition) => [partition, []]));
  for await (const { partition, value } of consumer) found.get(partition).push(Buffer.from(value).toString());
  return found;
}

/** Every mechanism over TLS, and what a wrong password is told. Apache Kafka alone for now; our broker asks nobody who he is. */
async function authentication(check, scratch) {
  if (!hasProgram("keytool", ["-help"])) return;
  const dir = join(scratch, "sasl");
  mkdirSync(dir, { recursive: true });
  const port = await freePorts(4);
  const ca = makeKeystore(dir);
  const file = writeProperties(dir, singleNodeProperties(dir, port, securitySettings(dir, port)));
  const scram = SCRAM.flatMap((mechanism) => ["--add-scram", `${mechanism}=[name=ada,password=lovelace]`]);
  formatStorage(file, ["--standalone", ...scram]);
  const log = openSync(join(dir, "broker.log"), "a");
  const broker = spawn("java", serverArguments(file), { stdio: ["ignore", log, log] });
  closeSync(log);
  const ended = new Promise((resolve) => broker.once("exit", resolve));
  try {
    await until(async () => (await BareClient.connect(port)).close(), { limitMs: 60_000, pauseMs: 100 });
    await withSecuredBroker(check, port, ca);
  } finally {
    broker.kill();
    await ended;
  }
}

async function withSecuredBroker(check, port, ca) {
  const common = { bootstrapServers: `localhost:${port + 2}`, securityProtocol: "SASL_SSL", ssl: { ca } };
  const user = { username: "ada", password: "lovelace" };
  for (const mechanism of ["PLAIN", ...SCRAM]) {
    await check(`${mechanism} over TLS lets us in`, () => produceOne({ ...common, sasl: { mechanism, ...user } }));
    await check(`${mechanism} with a wrong password is refused at once`, () =>
      refused({ ...common, sasl: { mechanism, username: "ada", password: "byron" } }, "SASL_AUTHENTICATION_FAILED"),
    );
  }
  const token = () => ({ value: unsecuredToken("ada") });
  await check("OAUTHBEARER over TLS lets us in, and sessions are renewed", () =>
    throughSessions({ ...common, sasl: { mechanism: "OAUTHBEARER", token } }),
  );
  const none = { mechanism: "OAUTHBEARER", token: () => ({ value: "abc" }) };
  await check("OAUTHBEARER with what is no token is refused", () =>
    refused({ ...common, sasl: none }, "SASL_AUTHENTICATION_FAILED"),
  );
  const tls = { bootstrapServers: `127.0.0.1:${port + 3}`, securityProtocol: "SSL" };
  await check("TLS without SASL lets us in", () => produceOne({ ...tls, ssl: { ca } }));
  await check("a certificate that nobody vouches for is refused", () =>
    refused({ ...tls, bootstrapTimeoutMs: 1000 }, "BROKER_NOT_AVAILABLE"),
  );
}

/** A run of ports that are free, as far as anybody can tell. */
async function freePorts(count) {
  for (;;) {
    const first = await freePort(0);
    const others = Array.from({ length: count - 1 }, (_, i) => freePort(first + 1 + i));
    const found = await Promise.allSettled(others);
    if (found.every(({ status }) => status === "fulfilled")) return first;
  }
}

async function freePort(wanted) {
  const server = createServer();
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(wanted, "127.0.0.1", resolve);
  });
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** @returns the certificate as PEM */
function makeKeystore(dir) {
  const store = ["-keystore", join(dir, "keystore.p12"), "-storetype", "PKCS12", "-storepass", PASSWORD, "-alias", "b"];
  const who = ["-dname", "CN=localhost", "-ext", "SAN=DNS:localhost,IP:127.0.0.1"];
  const made = spawnSync("keytool", ["-genkeypair", "-keyalg", "EC", "-validity", "7", ...who, ...store]);
  if (made.status !== 0) throw new Error(`keytool: ${made.stdout}${made.stderr}`);
  return spawnSync("keytool", ["-exportcert", "-rfc", ...store], { encoding: "utf8" }).stdout;
}

function securitySettings(dir, port) {
  const modules = "org.apache.kafka.common.security";
  const scram = SCRAM.map((mechanism) => [
    `listener.name.sasl_ssl.${mechanism.toLowerCase()}.sasl.jaas.config`,
    `${modules}.scram.ScramLoginModule required;`,
  ]);
  const at = (name, host, offset) => `${name}://${host}:${port + offset}`;
  return {
    listeners: [
      at("PLAINTEXT", "127.0.0.1", 0),
      at("CONTROLLER", "127.0.0.1", 1),
      at("SASL_SSL", "127.0.0.1", 2),
      at("SSL", "127.0.0.1", 3),
    ].join(","),
    "advertised.listeners": [
      at("PLAINTEXT", "127.0.0.1", 0),
      at("SASL_SSL", "localhost", 2),
      at("SSL", "127.0.0.1", 3),
    ].join(","),
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
    "ssl.keystore.location": join(dir, "keystore.p12"),
    "ssl.keystore.type": "PKCS12",
    "ssl.keystore.password": PASSWORD,
    "sasl.enabled.mechanisms": ["PLAIN", ...SCRAM, "OAUTHBEARER"].join(","),
    "listener.name.sasl_ssl.plain.sasl.jaas.config": `${modules}.plain.PlainLoginModule required user_ada="lovelace";`,
    "listener.name.sasl_ssl.oauthbearer.sasl.jaas.config": `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";`,
    "listener.name.sasl_ssl.connections.max.reauth.ms": "3000",
    ...Object.fromEntries(scram),
  };
}

async function produceOne(options) {
  const sent = await withKafka(options, (kafka) => kafka.producer().send({ topic: "secured", value: "x" }));
  expect(sent.offset >= 0, `offset ${sent.offset}`);
}

async function throughSessions(options) {
  await withKafka(options, async (kafka) => {
    const producer = kafka.producer({ lingerMs: 0 });
    const end = Date.now() + 9000; // three sessions
    while (Date.now() < end) {
      await producer.send({ topic: "secured", value: "x" });
      await sleep(50);
    }
    expect(kafka.counters.connectionsClosed === 0, `${kafka.counters.connectionsClosed} connections were closed`);
  });
}

async function refused(options, codeName) {
  try {
    await produceOne(options);
  } catch (error) {
    expect(error.codeName === codeName, `${error.codeName}: ${error.message}`);
    return;
  }
  throw new Error("it was let in");
}

/** As the broker's own handler takes it for tests: a JWT without a signature. */
function unsecuredToken(subject) {
  const part = (json) => Buffer.from(JSON.stringify(json)).toString("base64url");
  const nowS = Math.floor(Date.now() / 1000);
  return `${part({ alg: "none" })}.${part({ sub: subject, iat: nowS, exp: nowS + 3600 })}.`;
}
