import assert from "node:assert/strict";
import { test } from "node:test";
import type { Random } from "@samsa/base";
import { SeededRandom } from "@samsa/simulation";
import fc from "fast-check";
import { OAuthBearerClient } from "./oauth-bearer-client.ts";
import { PlainClient } from "./plain-client.ts";
import { SaslError } from "./sasl-client.ts";
import { ScramClient } from "./scram-client.ts";

const encoder = new TextEncoder();
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

/** Makes the nonce what an example of an RFC has, as far as base64 can. */
function nonceOf(nonce: string): Random {
  const bytes = Buffer.from(nonce, "base64");
  return { uint32: () => 0, fill: (into) => into.set(bytes) };
}

const PENCIL = { username: "user", password: "pencil" };

/** Computed with Python's hashlib and hmac. */
const SHA_256 = {
  proof: "YBbd6aNpFh3ZnKe7rnOOM9SK5k52E36uaVuKHdQ2Izo=",
  signature: "/bQc2yPhi69AZ34//MrGq7VbnJC14YTu1ZQiiY34IJk=",
};
const SHA_512 = {
  proof: "rnHWhqWI0mhtN7sz1MD8rmu/l2STAcYCbK3ho2LfUIn0GoQdv2SVraYdEABk07wXfy/lU5Z3ze50cEeClOugHA==",
  signature: "nt3DpMbTkaMN4YdM2mOT8wUFUnHwnFwRhG3guIZSSrKgWo+R9QnKsE83IucI1JwKsB8pxG0XC/4XFfVtBM3p3A==",
};

test("SCRAM-SHA-256 is that of RFC 7677, with a nonce of our length", async () => {
  // The RFC's nonce is no base64 of 24 bytes, so the exchange was computed anew for this one with another implementation.
  const nonce = "rOprNGfwEbeRWgbNEkqOrOprNGfwEbeR";
  const client = new ScramClient("SCRAM-SHA-256", PENCIL, nonceOf(nonce));
  assert.equal(text(await client.initial()), `n,,n=user,r=${nonce}`);
  const first = `r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
  const proof = text(await client.step(encoder.encode(first)));
  assert.equal(proof, `c=biws,r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=${SHA_256.proof}`);
  assert.equal(client.isComplete, false);
  assert.equal(await client.step(encoder.encode(`v=${SHA_256.signature}`)), undefined);
  assert.ok(client.isComplete);
});

test("SCRAM-SHA-512 proves with a hash of its own", async () => {
  const nonce = "rOprNGfwEbeRWgbNEkqOrOprNGfwEbeR";
  const client = new ScramClient("SCRAM-SHA-512", PENCIL, nonceOf(nonce));
  await client.initial();
  const first = `r=${nonce}more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
  assert.equal(text(await client.step(encoder.encode(first))), `c=biws,r=${nonce}more,p=${SHA_512.proof}`);
  await client.step(encoder.encode(`v=${SHA_512.signature}`));
  assert.ok(client.isComplete);
});

test("names with commas and equals signs are written so that they are none", async () => {
  const client = new ScramClient("SCRAM-SHA-256", { username: "a=b,c", password: "" }, new SeededRandom(1));
  assert.match(text(await client.initial()), /^n,,n=a=3Db=2Cc,r=/);
});

test("a delegation token says that it is one", async () => {
  const credentials = { username: "id", password: "hmac", isDelegationToken: true };
  const client = new ScramClient("SCRAM-SHA-512", credentials, new SeededRandom(1));
  assert.match(text(await client.initial()), /,tokenauth=true$/);
});

const lies = [
  { first: (nonce: string) => `r=x${nonce},s=AAAA,i=4096`, why: /another nonce/ },
  { first: (nonce: string) => `r=${nonce},s=AAAA,i=4096`, why: /another nonce/ },
  { first: (nonce: string) => `r=${nonce}y,s=AAAA,i=4095`, why: /4095 iterations/ },
  { first: (nonce: string) => `r=${nonce}y,s=AAAA,i=9999999`, why: /9999999 iterations/ },
  { first: (nonce: string) => `r=${nonce}y,s=AAAA,i=1e4`, why: /1e4 iterations/ },
  { first: (nonce: string) => `r=${nonce}y,s=,i=4096`, why: /no salt/ },
  { first: (nonce: string) => `m=x,r=${nonce}y,s=AAAA,i=4096`, why: /extension/ },
  { first: () => "e=unknown-user", why: /unknown-user/ },
  { first: () => "", why: /another nonce/ },
];
for (const { first, why } of lies) {
  test(`a server that says ${first("…")} is refused: ${String(why)}`, async () => {
    const client = new ScramClient("SCRAM-SHA-256", PENCIL, new SeededRandom(1));
    const nonce = text(await client.initial()).replace(/.*r=/, "");
    await assert.rejects(client.step(encoder.encode(first(nonce))), (error) => {
      assert.ok(error instanceof SaslError);
      assert.match(error.message, why);
      assert.equal(error.isRetriable, false);
      return true;
    });
  });
}

test("a server that does not know the password is refused, though it took ours", async () => {
  for (const last of ["v=AAAA", "v=", "", "v=" + Buffer.alloc(32).toString("base64")]) {
    const client = new ScramClient("SCRAM-SHA-256", PENCIL, new SeededRandom(1));
    const nonce = text(await client.initial()).replace(/.*r=/, "");
    await client.step(encoder.encode(`r=${nonce}y,s=AAAA,i=4096`));
    await assert.rejects(client.step(encoder.encode(last)), /does not know the password/);
    assert.equal(client.isComplete, false);
  }
});

test("whatever a server says, SCRAM answers, or fails with a SaslError", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 3 }), async (challenges) => {
      const client = new ScramClient("SCRAM-SHA-256", PENCIL, new SeededRandom(1));
      await client.initial();
      try {
        for (const challenge of challenges) await client.step(challenge);
      } catch (error) {
        assert.ok(error instanceof SaslError);
      }
      assert.equal(client.isComplete, false);
    }),
  );
});

test("PLAIN says user and password, and is content with nothing", async () => {
  const client = new PlainClient({ username: "ada", password: "pässword" });
  assert.equal(text(await client.initial()), "\0ada\0pässword");
  assert.equal(await client.step(new Uint8Array(0)), undefined);
  assert.ok(client.isComplete);
  await assert.rejects(new PlainClient({ username: "a\0b", password: "" }).initial(), SaslError);
});

test("OAUTHBEARER sends token and extensions", async () => {
  const token = { value: "abc.def-_", extensions: { logicalCluster: "lkc-1" } };
  const client = new OAuthBearerClient(() => token);
  assert.equal(text(await client.initial()), "n,,\u0001auth=Bearer abc.def-_\u0001logicalCluster=lkc-1\u0001\u0001");
  await client.step(new Uint8Array(0));
  assert.ok(client.isComplete);
});

test("OAUTHBEARER hears a refusal out, and says what it was", async () => {
  const client = new OAuthBearerClient(() => Promise.resolve({ value: "abc" }));
  await client.initial();
  assert.equal(text(await client.step(encoder.encode('{"status":"invalid_token"}'))), "\u0001");
  await assert.rejects(client.step(new Uint8Array(0)), /invalid_token/);
  assert.equal(client.isComplete, false);
});

const impossible = [
  { value: "a b", extensions: {} },
  { value: "", extensions: {} },
  { value: "a\u0001auth=Bearer b", extensions: {} },
  { value: "a", extensions: { auth: "x" } },
  { value: "a", extensions: { "two words": "x" } },
  { value: "a", extensions: { name: "\u0001" } },
];
for (const token of impossible) {
  test(`OAUTHBEARER refuses ${JSON.stringify(token)}`, async () => {
    await assert.rejects(new OAuthBearerClient(() => token).initial(), SaslError);
  });
}
