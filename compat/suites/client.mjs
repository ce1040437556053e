// @samsa/client: the producer through lost connections and killed brokers, and authentication as Apache Kafka asks for it.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatStorage, serverArguments, singleNodeProperties, writeProperties } from "../apache-kafka/kafka.mjs";
import { BareClient, until } from "../lib/bare-client.mjs";
import {
  everyCompression,
  exactlyOnce,
  groupGoesOn,
  oneRun,
  ourDigest,
  sameAsJava,
  seeksByTime,
  transactional,
  withKafka,
} from "../lib/client-checks.mjs";
import { produceThroughFaults } from "../lib/client-faults.mjs";
import { digest, expectSameDigest, writeWithJava } from "../lib/directories.mjs";
import { freePorts } from "../lib/brokers.mjs";
import { expect } from "../lib/harness.mjs";
import { hasProgram } from "../lib/process.mjs";

const SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-512"];
const PASSWORD = "of-no-use";
const FULL_LIMIT_MS = 1_200_000;

export const suite = {
  title: "@samsa/client",
  needs: ["java"],

  async run({ check, startBroker, full, scratch, target }) {
    const broker = await startBroker();
    const plain = { bootstrapServers: broker.bootstrap };
    await check("what is produced in every compression is read back", () => withKafka(plain, everyCompression));
    await check("keys go where Java's producer sends them", () => withKafka(plain, sameAsJava));
    await check("reading begins at a time", () => withKafka(plain, seeksByTime));
    await check("a group goes on where it was", () => withKafka(plain, groupGoesOn));
    await check("transactions commit and abort records with offsets", () => withKafka(plain, transactional));
    await check("exactly once goes on where it was", () => withKafka(plain, exactlyOnce));
    await check("handlers that write exactly once go on where they were", () =>
      withKafka(plain, (kafka) => exactlyOnce(kafka, oneRun)),
    );
    await check("what Java wrote in every codec, with transactions, we read as Java reads it", () =>
      withKafka(plain, (kafka) => sameReading(kafka, broker)),
    );
    await check("cut, stalled and delayed connections lose, double and reorder nothing", () =>
      produceThroughFaults(broker, { topic: "client-cuts", records: 60_000, cuts: 40 }),
    );
    await check("killed brokers lose, double and reorder nothing", () =>
      produceThroughFaults(broker, { topic: "client-kills", records: 60_000, kills: 2, batchSize: 16_384 }),
    );
    if (full) {
      const all = { topic: "client-faults", records: 1_000_000, cuts: 500, kills: 20 };
      await check(
        "a million records come through hundreds of cuts and 20 kills, once each and in order",
        () => produceThroughFaults(broker, all),
        FULL_LIMIT_MS,
      );
    }
    if (target === "apache") await authentication(check, scratch);
  },
};

/** Committed and aborted transactions, one that is open, compaction, deleted records: every record of every partition, twice. */
async function sameReading(kafka, broker) {
  const prefix = "client-java-";
  await writeWithJava(broker, prefix);
  // What is compacted may be cleaned between the two readings.
  const comparable = (lines) => lines.filter((line) => !line.includes("compacted"));
  const theirs = comparable(await digest(broker, prefix));
  expect(theirs.length > 0, "there is nothing to read");
  expectSameDigest(theirs, comparable(await ourDigest(kafka, prefix)));
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
  await check("delegation tokens are made, let us in, are described, renewed and expired", () =>
    delegationTokens({ ...common, sasl: { mechanism: "SCRAM-SHA-256", ...user } }, common),
  );
  const tls = { bootstrapServers: `127.0.0.1:${port + 3}`, securityProtocol: "SSL" };
  await check("TLS without SASL lets us in", () => produceOne({ ...tls, ssl: { ca } }));
  await check("a certificate that nobody vouches for is refused", () =>
    refused({ ...tls, bootstrapTimeoutMs: 1000 }, "BROKER_NOT_AVAILABLE"),
  );
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
    "delegation.token.secret.key": PASSWORD,
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

/** Told to one broker only: a token is known a moment later. */
async function delegationTokens(options, common) {
  await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const { tokenId, hmac, owner, expiryTimestampMs } = await admin.createDelegationToken({ renewers: ["User:bob"] });
    expect(owner === "User:ada", owner);
    const described = async () =>
      (await admin.describeDelegationTokens(["User:ada"])).find((one) => one.tokenId === tokenId);
    await until(async () => expect((await described()) !== undefined, "it is not described"), {
      limitMs: 10_000,
      pauseMs: 100,
    });
    const { renewers, hmac: same } = await described();
    expect(`${renewers}` === "User:bob" && Buffer.compare(hmac, same) === 0, `renewers ${renewers}`);
    const password = Buffer.from(hmac).toString("base64");
    const sasl = { mechanism: "SCRAM-SHA-512", username: tokenId, password, isDelegationToken: true };
    await produceOne({ ...common, sasl });
    expect((await admin.renewDelegationToken(hmac, 3_600_000)) < expiryTimestampMs, "it is not renewed for an hour");
    await admin.expireDelegationToken(hmac);
    await until(async () => expect((await described()) === undefined, "it is still there"), {
      limitMs: 10_000,
      pauseMs: 100,
    });
  });
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
