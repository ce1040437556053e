import assert from "node:assert/strict";
import { pbkdf2Sync } from "node:crypto";
import { test } from "node:test";
import { ScramMechanismCode, scramKeys } from "./scram-keys.ts";

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

test("the keys of the example of RFC 7677, user and pencil", () => {
  const saltedPassword = pbkdf2Sync("pencil", Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64"), 4096, 32, "sha256");
  const { storedKey, serverKey } = scramKeys(ScramMechanismCode.SCRAM_SHA_256, saltedPassword);
  assert.equal(base64(storedKey), "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
  assert.equal(base64(serverKey), "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
});

test("the longer hash makes longer keys", () => {
  const { storedKey, serverKey } = scramKeys(ScramMechanismCode.SCRAM_SHA_512, new Uint8Array(64));
  assert.deepEqual([storedKey.length, serverKey.length], [64, 64]);
});
