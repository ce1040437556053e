import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRORS } from "@samsa/base";
import {
  createAlterUserScramCredentialsRequestScramCredentialDeletion as deletionOf,
  createAlterUserScramCredentialsRequestScramCredentialUpsertion as upsertionOf,
  AlterUserScramCredentialsRequest,
} from "@samsa/protocol/messages/alter-user-scram-credentials-request";
import { alterUserScramCredentials } from "./scram-credential-alteration.ts";
import { DecidedCluster } from "./testing/contexts.ts";

const upsertion = (name: string, mechanism = 1, iterations = 4096) =>
  upsertionOf({ name, mechanism, iterations, salt: Uint8Array.of(1), saltedPassword: new Uint8Array(32) });
const deletion = (name: string, mechanism = 1) => deletionOf({ name, mechanism });

function alter(cluster: DecidedCluster, request: Partial<AlterUserScramCredentialsRequest>): readonly string[] {
  const asked = AlterUserScramCredentialsRequest.create(request);
  const { results } = cluster.apply((context) => alterUserScramCredentials(context, asked));
  return results.map(({ user, errorCode }) => `${user} ${ERRORS.get(errorCode as never)?.name}`);
}

test("a credential is kept by its keys, not by the salted password, and is removed again", () => {
  const cluster = new DecidedCluster();
  assert.deepEqual(alter(cluster, { upsertions: [upsertion("ann")] }), ["ann NONE"]);
  const kept = cluster.image.scram.get("1:ann");
  assert.deepEqual([kept?.iterations, kept?.storedKey.length, kept?.serverKey.length], [4096, 32, 32]);
  assert.deepEqual(alter(cluster, { deletions: [deletion("ann")] }), ["ann NONE"]);
  assert.equal(cluster.image.scram.size, 0);
});

const refused = [
  { what: "no name", request: { upsertions: [upsertion("")] }, error: " UNACCEPTABLE_CREDENTIAL" },
  {
    what: "a mechanism that is none",
    request: { upsertions: [upsertion("a", 3)] },
    error: "a UNSUPPORTED_SASL_MECHANISM",
  },
  {
    what: "too few iterations",
    request: { upsertions: [upsertion("a", 1, 4095)] },
    error: "a UNACCEPTABLE_CREDENTIAL",
  },
  {
    what: "too many iterations",
    request: { upsertions: [upsertion("a", 2, 16_385)] },
    error: "a UNACCEPTABLE_CREDENTIAL",
  },
  { what: "a credential that is not there", request: { deletions: [deletion("a")] }, error: "a RESOURCE_NOT_FOUND" },
  { what: "a user twice", request: { upsertions: [upsertion("a"), upsertion("a", 2)] }, error: "a DUPLICATE_RESOURCE" },
];
for (const { what, request, error } of refused) {
  test(`${what} is refused, and nothing changes`, () => {
    const cluster = new DecidedCluster();
    const before = cluster.records.length;
    assert.deepEqual(alter(cluster, request), [error]);
    assert.equal(cluster.records.length, before);
  });
}

test("one user's mistake is not in the way of another", () => {
  const cluster = new DecidedCluster();
  assert.deepEqual(alter(cluster, { upsertions: [upsertion("a", 9), upsertion("b")] }), [
    "b NONE",
    "a UNSUPPORTED_SASL_MECHANISM",
  ]);
});
