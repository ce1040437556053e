import { ByteWriter, uuidToBytes } from "@samsa/base";
import type { GroupTopic, GroupTopics } from "../group-topics.ts";
import { xxh3 } from "./xxh3.ts";

const TOPIC_HASH_VERSION = 0;
const topicHashes = new WeakMap<GroupTopic, bigint>();

/** Of all topics that a group reads and that exist; 0 for none. Another one means that its partitions must be assigned anew. */
export function metadataHash(names: Iterable<string>, topics: GroupTopics): bigint {
  const found = [...names].toSorted(compareText).flatMap((name) => topics.topic(name) ?? []);
  if (found.length === 0) return 0n;
  const bytes = new Uint8Array(8 * found.length);
  const view = new DataView(bytes.buffer);
  for (const [index, topic] of found.entries()) view.setBigInt64(8 * index, topicHash(topic), true);
  return xxh3(bytes);
}

/** Java's hash stream writes little-endian numbers, and text as UTF-16 with its length behind. */
function topicHash(topic: GroupTopic): bigint {
  const known = topicHashes.get(topic);
  if (known !== undefined) return known;
  const writer = new LittleEndianWriter();
  writer.int8(TOPIC_HASH_VERSION);
  const id = new Uint8Array(16);
  uuidToBytes(topic.id, id);
  writer.bytes(id.subarray(0, 8).toReversed());
  writer.bytes(id.subarray(8).toReversed());
  writer.text(topic.name);
  writer.int32(topic.partitionCount);
  for (let partition = 0; partition < topic.partitionCount; partition++) {
    writer.int32(partition);
    for (const rack of topic.racks(partition).toSorted(compareText)) {
      writer.int32(rack.length);
      writer.text(rack);
    }
  }
  const hash = xxh3(writer.toBytes());
  topicHashes.set(topic, hash);
  return hash;
}

class LittleEndianWriter {
  readonly #writer = new ByteWriter();

  int8(value: number): void {
    this.#writer.int8(value);
  }

  int32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.#writer.int8(((value >> shift) << 24) >> 24);
  }

  bytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#writer.int8((byte << 24) >> 24);
  }

  text(text: string): void {
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      this.#writer.int8((unit << 24) >> 24);
      this.#writer.int8((unit << 16) >> 24);
    }
    this.int32(text.length);
  }

  toBytes(): Uint8Array {
    return this.#writer.toBytes();
  }
}

/** As Java compares texts: by UTF-16 code units. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
