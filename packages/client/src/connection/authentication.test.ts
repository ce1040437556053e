import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import type { SaslAuthenticateRequest } from "@samsa/protocol/messages/sasl-authenticate-request";
import { SaslAuthenticateResponse } from "@samsa/protocol/messages/sasl-authenticate-response";
import { SaslHandshakeResponse } from "@samsa/protocol/messages/sasl-handshake-response";
import { BrokerError } from "../errors.ts";
import type { KafkaOptions } from "../kafka.ts";
import { Kafka } from "../kafka.ts";
import type { TestBed } from "../testing/client-test.ts";
import { testBed, text } from "../testing/client-test.ts";

const PLAIN = {
  securityProtocol: "SASL_PLAINTEXT",
  sasl: { mechanism: "PLAIN", username: "ada", password: "secret" },
} as const;

async function bedWithTopic(): Promise<TestBed> {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  return bed;
}

function names(bed: TestBed): readonly string[] {
  return bed.cluster.received.map(({ name }) => name.replace(/Request$/, ""));
}

test("a connection says who it is before anything is asked on it", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka(PLAIN);
  await bed.run(kafka.producer().send({ topic: "t", value: "1" }));
  assert.deepEqual(names(bed).slice(0, 4), ["ApiVersions", "SaslHandshake", "SaslAuthenticate", "Metadata"]);
  const [asked = assert.fail()] = bed.cluster.requests("SaslAuthenticateRequest");
  const { authBytes } = asked.request as SaslAuthenticateRequest;
  assert.equal(text(authBytes), "\0ada\0secret");
});

test("who is refused is refused at once, in the broker's words, and does not try elsewhere", async () => {
  const bed = await testBed([1, 2]);
  await using kafka = bed.kafka(PLAIN);
  const errorCode = ErrorCode.SASL_AUTHENTICATION_FAILED;
  bed.cluster.interceptNext("SaslAuthenticateRequest", {
    answer: SaslAuthenticateResponse.create({ errorCode, errorMessage: "wrong password" }),
  });
  await assert.rejects(bed.run(kafka.admin().describeCluster()), (error) => {
    assert.ok(error instanceof BrokerError);
    assert.equal(error.code, errorCode);
    assert.match(error.message, /SaslAuthenticate with PLAIN: wrong password \(127\.0\.0\.1:909\d\)/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
  assert.equal(bed.cluster.requests("SaslAuthenticateRequest").length, 1);
});

test("a mechanism that is not offered is told with those that are", async () => {
  const bed = await testBed();
  await using kafka = bed.kafka(PLAIN);
  bed.cluster.interceptNext("SaslHandshakeRequest", {
    answer: SaslHandshakeResponse.create({
      errorCode: ErrorCode.UNSUPPORTED_SASL_MECHANISM,
      mechanisms: ["SCRAM-SHA-512"],
    }),
  });
  await assert.rejects(bed.run(kafka.admin().describeCluster()), /PLAIN is not offered; SCRAM-SHA-512 is/);
});

test("a token that cannot be had for a moment is asked for again", async () => {
  const bed = await bedWithTopic();
  let asked = 0;
  const token = async (): Promise<{ value: string }> => {
    if (++asked === 1) throw new Error("the identity provider sleeps");
    return await Promise.resolve({ value: `token-${asked}` });
  };
  await using kafka = bed.kafka({ securityProtocol: "SASL_PLAINTEXT", sasl: { mechanism: "OAUTHBEARER", token } });
  assert.equal((await bed.run(kafka.producer().send({ topic: "t", value: "1" }))).offset, 0);
});

test("a session is renewed before it is over, and what is asked meanwhile waits", async () => {
  const bed = await bedWithTopic();
  bed.cluster.intercept(({ name }) =>
    name === "SaslAuthenticateRequest"
      ? { answer: SaslAuthenticateResponse.create({ sessionLifetimeMs: 10_000 }) }
      : undefined,
  );
  await using kafka = bed.kafka(PLAIN);
  const producer = kafka.producer();
  await bed.run(producer.send({ topic: "t", value: "1" }));
  const before = bed.cluster.requests("SaslAuthenticateRequest").length;
  await bed.clock.advance(5000);
  await bed.run(producer.send({ topic: "t", value: "2" }));
  assert.equal(bed.cluster.requests("SaslAuthenticateRequest").length, before);
  await bed.clock.advance(4600);
  await bed.run(Promise.all(["3", "4"].map((value) => producer.send({ topic: "t", value }))));
  assert.equal(bed.cluster.requests("SaslAuthenticateRequest").length, before + 1);
  assert.deepEqual(names(bed).slice(-3), ["SaslHandshake", "SaslAuthenticate", "Produce"]);
  assert.equal(bed.cluster.partition("t", 0).endOffset, 4);
});

const impossible: readonly { options: Partial<KafkaOptions>; why: RegExp }[] = [
  { options: { sasl: PLAIN.sasl }, why: /sasl is of no use with securityProtocol PLAINTEXT/ },
  { options: { securityProtocol: "SASL_SSL" }, why: /SASL_SSL needs sasl/ },
  { options: { ssl: {} }, why: /ssl is of no use with securityProtocol PLAINTEXT/ },
  { options: { securityProtocol: "SSL", ssl: { certs: "" } as never }, why: /no option certs; did you mean cert\?/ },
  { options: { securityProtocol: "SSL", ssl: { cert: "x" } }, why: /cert and key belong together/ },
  { options: { ...PLAIN, sasl: { mechanism: "PLAIN", username: "a" } as never }, why: /password is missing/ },
  { options: { ...PLAIN, sasl: { mechanism: "GSSAPI" } as never }, why: /wanted is one of PLAIN, SCRAM-SHA-256/ },
  { options: { securityProtocol: "TLS" as never }, why: /securityProtocol is "TLS"/ },
];
for (const { options, why } of impossible) {
  test(`refused at construction: ${String(why)}`, () => {
    assert.throws(() => new Kafka({ bootstrapServers: "localhost", ...options }), why);
  });
}
