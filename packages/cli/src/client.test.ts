import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { CONSUMER_OPTION_NAMES, PRODUCER_OPTION_NAMES } from "@samsa/client";
import { clientProperties } from "./client-properties.ts";
import { UsageError } from "./exit-code.ts";
import { table } from "./table.ts";

const folder = mkdtempSync(path.join(tmpdir(), "samsa-client-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function fileWith(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

test("-X takes Kafka's names, and each goes where it belongs", () => {
  const pairs = ["linger.ms=50", "client.id=7", "compression.type=zstd", "requestTimeoutMs=7"];
  assert.deepEqual(clientProperties(pairs, undefined, PRODUCER_OPTION_NAMES), {
    kafkaProperties: { clientId: "7", requestTimeoutMs: 7 },
    otherProperties: { lingerMs: 50, compressionType: "zstd" },
    unusedKeys: [],
  });
});

test("-X goes before the file, and a file may hold keys of other programs", () => {
  const file = fileWith("a.properties", "linger.ms=1\ncheck.crcs=false\nkey.serializer=x.Y\nclient.id=file\n");
  assert.deepEqual(clientProperties(["client.id=pair"], file, CONSUMER_OPTION_NAMES), {
    kafkaProperties: { clientId: "pair" },
    otherProperties: { checkCrcs: false },
    unusedKeys: ["key.serializer"],
  });
});

const unknown = [
  { pair: "lingerrr.ms=1", says: /did you mean linger\.ms\?/ },
  { pair: "sasl.mechansim=PLAIN", says: /did you mean sasl\.mechanism\?/ },
  { pair: "check.crcs=false", says: /means nothing to this command/ },
  { pair: "sasl.username=ada", says: /sasl\.mechanism is missing/ },
  { pair: "sasl.mechanism=GSSAPI", says: /is not spoken here/ },
  { pair: "ssl.ca.location=/nowhere/ca.pem", says: /ssl\.ca\.location: \/nowhere\/ca\.pem cannot be read/ },
  { pair: "ssl.truststore.location=trust.jks", says: /key store of Java's; wanted is PEM/ },
];
for (const { pair, says } of unknown) {
  test(`-X ${pair} is refused in a line: ${says.source}`, () => {
    const refused = (error: unknown): boolean => error instanceof UsageError && says.test(error.message);
    assert.throws(() => clientProperties([pair], undefined, PRODUCER_OPTION_NAMES), refused);
  });
}

test("the security of a file for Kafka's tools becomes that of our client", () => {
  const ca = fileWith("ca.pem", "a certificate");
  const file = fileWith(
    "secure.properties",
    `security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\
  username="ada" password="s;3\\\\"cret";
ssl.truststore.type=PEM
ssl.truststore.location=${ca}
ssl.endpoint.identification.algorithm=
`,
  );
  const { kafkaProperties } = clientProperties([], file);
  const { ssl, sasl, securityProtocol } = kafkaProperties;
  assert.equal(securityProtocol, "SASL_SSL");
  const password = 's;3"cret';
  assert.deepEqual(sasl, { mechanism: "SCRAM-SHA-512", username: "ada", password, isDelegationToken: false });
  assert.equal(Buffer.from(ssl?.ca as Uint8Array).toString(), "a certificate");
  assert.equal(ssl?.checkHostname, false);
});

test("a user and a password may stand as librdkafka has them", () => {
  const pairs = ["security.protocol=SASL_PLAINTEXT", "sasl.mechanisms=PLAIN", "sasl.username=ada", "sasl.password=007"];
  assert.deepEqual(clientProperties(pairs).kafkaProperties, {
    securityProtocol: "SASL_PLAINTEXT",
    sasl: { mechanism: "PLAIN", username: "ada", password: "007" },
  });
});

test("a token for OAUTHBEARER is read from its file each time it is wanted", async () => {
  const file = fileWith("token", "first\n");
  const pairs = ["sasl.mechanism=OAUTHBEARER", `sasl.oauthbearer.token.endpoint.url=${pathToFileURL(file).href}`];
  const { sasl } = clientProperties(pairs).kafkaProperties;
  assert.equal(sasl?.mechanism, "OAUTHBEARER");
  const token = sasl.token;
  assert.equal((await token()).value, "first");
  writeFileSync(file, "second");
  assert.equal((await token()).value, "second");
});

test("a table has its columns one below the other, and nothing after the last", () => {
  assert.equal(
    table(
      ["A", "LONG"],
      [
        ["wide one", "1"],
        ["b", ""],
      ],
    ),
    "A         LONG\nwide one  1\nb\n",
  );
});
