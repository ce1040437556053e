import { SystemRandom } from "@samsa/io";
import type { MetadataRecord } from "@samsa/metadata";
import { metadataRecord } from "@samsa/metadata";
import type { ScramMechanism } from "@samsa/security";
import { saltedPassword, ScramMechanismCode, scramKeys } from "@samsa/security";
import { StartError } from "../server-error.ts";

const MECHANISMS: ReadonlyMap<string, ScramMechanismCode> = new Map([
  ["SCRAM-SHA-256", ScramMechanismCode.SCRAM_SHA_256],
  ["SCRAM-SHA-512", ScramMechanismCode.SCRAM_SHA_512],
]);
const FEWEST_ITERATIONS = 4096;
const MOST_ITERATIONS = 16_384;
const SALT_BYTES = 24;
/** 3.5-IV2, the first that has records for credentials. */
const LOWEST_METADATA_LEVEL = 11;
const KEYS = ["name", "password", "salt", "saltedpassword", "iterations"];

/**
 * The records for users that a new cluster knows from its first moment, so that its brokers can log in to each other (KIP-900).
 *
 * @param asked as `SCRAM-SHA-256=[name=ada,password=secret]`, or with `salt` and `saltedpassword` in Base64 in place of `password`
 * @throws StartError
 */
export async function scramRecords(
  asked: readonly string[],
  metadataLevel: number,
): Promise<readonly MetadataRecord[]> {
  if (asked.length > 0 && metadataLevel < LOWEST_METADATA_LEVEL) {
    throw new StartError("SCRAM is only supported in metadata.version 3.5-IV2 or later.");
  }
  return await Promise.all(asked.map((argument) => scramRecord(argument)));
}

async function scramRecord(argument: string): Promise<MetadataRecord> {
  const [, mechanismName = "", list = ""] = /^\s*([\w-]+)\s*=\s*\[(.*)\]\s*$/s.exec(argument) ?? [];
  const mechanism = MECHANISMS.get(mechanismName);
  if (mechanism === undefined) {
    throw new StartError(
      `--add-scram wants SCRAM-SHA-256=[name=ada,password=secret], or SCRAM-SHA-512, not ${JSON.stringify(argument)}`,
    );
  }
  const parts = partsOf(list);
  const name = parts.get("name");
  if (name === undefined) throw new StartError("You must supply 'name' to add-scram");
  const iterations = Number(parts.get("iterations") ?? FEWEST_ITERATIONS);
  if (!Number.isInteger(iterations) || iterations < FEWEST_ITERATIONS || iterations > MOST_ITERATIONS) {
    throw new StartError(`The 'iterations' of add-scram are ${FEWEST_ITERATIONS} to ${MOST_ITERATIONS}`);
  }
  const salt = saltOf(parts.get("salt"));
  const salted = await saltedOf(parts, mechanismName as ScramMechanism, salt, iterations);
  return metadataRecord("UserScramCredentialRecord", {
    name,
    mechanism,
    salt,
    iterations,
    ...scramKeys(mechanism, salted),
  });
}

/** `name=ada,password="with, commas"` */
function partsOf(list: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  const pattern = /\s*(\w+)\s*=\s*(?:"([^"]*)"|([^,]*?))\s*(?:,|$)/gy;
  while (pattern.lastIndex < list.length) {
    const [, key = "", quoted, bare = ""] = pattern.exec(list) ?? [];
    if (!KEYS.includes(key)) throw new StartError(`add-scram knows ${KEYS.join(", ")}, not ${JSON.stringify(list)}`);
    parts.set(key, quoted ?? bare);
  }
  return parts;
}

async function saltedOf(
  parts: ReadonlyMap<string, string>,
  mechanism: ScramMechanism,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array> {
  const [password, given] = [parts.get("password"), parts.get("saltedpassword")];
  if ((password === undefined) === (given === undefined)) {
    throw new StartError("You must supply one of 'password' or 'saltedpassword' to add-scram");
  }
  if (password !== undefined) return await saltedPassword(mechanism, password, salt, iterations);
  if (!parts.has("salt")) throw new StartError("You must supply 'salt' with 'saltedpassword' to add-scram");
  return base64("saltedpassword", given ?? "");
}

function saltOf(text: string | undefined): Uint8Array {
  if (text !== undefined) return base64("salt", text);
  const salt = new Uint8Array(SALT_BYTES);
  new SystemRandom().fill(salt);
  return salt;
}

function base64(key: string, text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text))
    throw new StartError(`The '${key}' of add-scram is Base64, not ${JSON.stringify(text)}`);
  return new Uint8Array(Buffer.from(text, "base64"));
}
