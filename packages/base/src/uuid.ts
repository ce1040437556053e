import { assert } from "./assert.ts";
import { ErrorCode } from "./error-code.ts";
import { KafkaError } from "./kafka-error.ts";
import type { Random } from "./ports.ts";

/**
 * A 128-bit id in Kafka's text form: 22 characters of URL-safe base64 without padding. A branded string: equal ids are equal
 * values, so they serve as map keys.
 */
export type Uuid = string & { readonly __brand: "Uuid" };

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES = new Int8Array(128).fill(-1);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

/** All zero: "no id". */
export const ZERO_UUID = "AAAAAAAAAAAAAAAAAAAAAA" as Uuid;
/** The id of `__cluster_metadata` (KIP-516). */
export const METADATA_TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAQ" as Uuid;

/** The ids that were read last, each where its bits say: nearly all requests and answers speak of the same few topics. */
const SLOT_BITS = 9;
const slotTexts = Array.from<Uuid>({ length: 1 << SLOT_BITS }).fill(ZERO_UUID);
const slotWords = new Int32Array(4 << SLOT_BITS);

/** Reads the 16 bytes at `offset`; the caller has checked that they are there. */
export function uuidFromBytes(bytes: Uint8Array, offset = 0): Uuid {
  const a = int32(bytes, offset);
  const b = int32(bytes, offset + 4);
  const c = int32(bytes, offset + 8);
  const d = int32(bytes, offset + 12);
  const slot = Math.imul(a ^ b ^ c ^ d, 0x9e3779b1) >>> (32 - SLOT_BITS);
  const at = 4 * slot;
  const isKnown = slotWords[at] === a && slotWords[at + 1] === b && slotWords[at + 2] === c && slotWords[at + 3] === d;
  if (isKnown) return slotTexts[slot] as Uuid;
  const uuid = textOf(bytes, offset);
  slotTexts[slot] = uuid;
  slotWords[at] = a;
  slotWords[at + 1] = b;
  slotWords[at + 2] = c;
  slotWords[at + 3] = d;
  return uuid;
}

function textOf(bytes: Uint8Array, offset: number): Uuid {
  let text = "";
  for (let i = 0; i < 15; i += 3) {
    const word = ((bytes[offset + i] ?? 0) << 16) | ((bytes[offset + i + 1] ?? 0) << 8) | (bytes[offset + i + 2] ?? 0);
    text += sextet(word >> 18) + sextet(word >> 12) + sextet(word >> 6) + sextet(word);
  }
  const last = bytes[offset + 15] ?? 0;
  return (text + sextet(last >> 2) + sextet(last << 4)) as Uuid;
}

/** Writes the 16 bytes of the id at `offset`. */
export function uuidToBytes(uuid: Uuid, into: Uint8Array, offset = 0): void {
  let out = offset;
  for (let i = 0; i < 20; i += 4) {
    const word = (value(uuid, i) << 18) | (value(uuid, i + 1) << 12) | (value(uuid, i + 2) << 6) | value(uuid, i + 3);
    into[out++] = word >> 16;
    into[out++] = word >> 8;
    into[out++] = word;
  }
  into[out] = (value(uuid, 20) << 2) | (value(uuid, 21) >> 4);
}

/**
 * Reads Kafka's text form.
 * @throws KafkaError INVALID_REQUEST for anything else, also for a last character with stray bits
 */
export function parseUuid(text: string): Uuid {
  const isUuid = /^[A-Za-z0-9_-]{21}[AQgw]$/.test(text);
  if (!isUuid)
    throw new KafkaError(ErrorCode.INVALID_REQUEST, `not a UUID in Kafka's form: ${JSON.stringify(text.slice(0, 64))}`);
  return text as Uuid;
}

/** A version 4 id, never a reserved one and never one that a command line would take for an option. */
export function randomUuid(random: Random): Uuid {
  const bytes = new Uint8Array(16);
  for (let attempt = 0; attempt < 1000; attempt++) {
    random.fill(bytes);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const uuid = uuidFromBytes(bytes);
    if (!uuid.startsWith("-")) return uuid;
  }
  throw new Error("the source of randomness repeats itself");
}

function int32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
}

function sextet(value: number): string {
  return ALPHABET.charAt(value & 63);
}

function value(uuid: Uuid, index: number): number {
  const found = VALUES[uuid.charCodeAt(index)] ?? -1;
  assert(found >= 0, "a Uuid is made by parseUuid, uuidFromBytes or randomUuid");
  return found;
}
