import { createHash, createHmac } from "node:crypto";

/** The mechanisms by the numbers that requests and records have for them (KIP-554). */
export const ScramMechanismCode = { SCRAM_SHA_256: 1, SCRAM_SHA_512: 2 } as const;
export type ScramMechanismCode = (typeof ScramMechanismCode)[keyof typeof ScramMechanismCode];

const HASHES: Readonly<Record<ScramMechanismCode, "sha256" | "sha512">> = { 1: "sha256", 2: "sha512" };

/** What a server keeps of a password: enough to check a proof, not enough to make one (RFC 5802). */
export interface ScramKeys {
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

export function scramKeys(mechanism: ScramMechanismCode, saltedPassword: Uint8Array): ScramKeys {
  const hash = HASHES[mechanism];
  const hmac = (text: string) => createHmac(hash, saltedPassword).update(text, "utf8").digest();
  const storedKey = createHash(hash).update(hmac("Client Key")).digest();
  return { storedKey: new Uint8Array(storedKey), serverKey: new Uint8Array(hmac("Server Key")) };
}
