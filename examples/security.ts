/**
 * Encryption and authentication. The broker of the examples has neither yet: set BOOTSTRAP_SERVERS, CA_FILE, KAFKA_USERNAME and
 * KAFKA_PASSWORD to try the first of these on one of yours.
 */
import { readFile } from "node:fs/promises";
import type { KafkaOptions } from "@samsa/client";
import { ConfigurationError, Kafka } from "@samsa/client";

const { BOOTSTRAP_SERVERS = "", CA_FILE, KAFKA_USERNAME = "ada", KAFKA_PASSWORD = "secret" } = process.env;
const hasBrokers = BOOTSTRAP_SERVERS !== "";
const bootstrapServers = hasBrokers ? BOOTSTRAP_SERVERS : "kafka.example.com:9093";

const settings: Readonly<Record<string, KafkaOptions>> = {
  "TLS, and a password that never travels": {
    bootstrapServers,
    securityProtocol: "SASL_SSL",
    ...(CA_FILE !== undefined && { ssl: { ca: await readFile(CA_FILE) } }), // else the authorities that Node knows
    sasl: { mechanism: "SCRAM-SHA-512", username: KAFKA_USERNAME, password: KAFKA_PASSWORD },
  },
  "TLS, and an API key as managed services hand them out": {
    bootstrapServers,
    securityProtocol: "SASL_SSL",
    sasl: { mechanism: "PLAIN", username: KAFKA_USERNAME, password: KAFKA_PASSWORD },
  },
  "TLS, and a token that is asked for when it is needed": {
    bootstrapServers,
    securityProtocol: "SASL_SSL",
    sasl: { mechanism: "OAUTHBEARER", token: () => fetchToken() },
  },
  "TLS, with the oldest version that is accepted": {
    bootstrapServers,
    securityProtocol: "SSL",
    ssl: { minVersion: "TLSv1.3" },
  },
};

for (const [title, options] of Object.entries(settings)) {
  await using kafka = new Kafka(options); // nothing is opened yet, but nonsense would be refused here
  console.log(`${title}: fine`);
  if (hasBrokers && options === Object.values(settings)[0]) {
    const { clusterId, brokers } = await kafka.admin().describeCluster();
    console.log(`  cluster ${clusterId}, ${brokers.length} brokers`);
  }
}

try {
  await using _kafka = new Kafka({ bootstrapServers, sasl: { mechanism: "PLAIN", username: "ada", password: "x" } });
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  console.log(error.message);
}

/** Stands for a request to an identity provider; keep the token until it is about to expire. */
async function fetchToken(): Promise<{ readonly value: string }> {
  return await Promise.resolve({ value: "a signed token" });
}

// TLS, and a password that never travels: fine
// TLS, and an API key as managed services hand them out: fine
// TLS, and a token that is asked for when it is needed: fine
// TLS, with the oldest version that is accepted: fine
// new Kafka(): sasl is of no use with securityProtocol PLAINTEXT; wanted is SASL_SSL or SASL_PLAINTEXT
