import { ByteReader, ByteWriter, KafkaError, ProtocolError, utf8Length } from "@samsa/base";
import { flattened, groupedByTopic } from "./consumer-protocol.ts";
import type { TopicPartitions } from "./consumer-protocol.ts";
import type { Claim } from "./ownership.ts";
import type { LastAssignment } from "./partition-assignor.ts";
import { UNKNOWN_GENERATION } from "./partition-assignor.ts";

/**
 * What the sticky assignor sends along: what the member was given last, and in which generation (version 1; version 0 is without).
 *
 *   previous_assignment => count:int32 [ topic:string partitions:count:int32 [int32] ]   generation => int32
 */
export function encodeStickyUserData({ partitions, generationId }: LastAssignment): Uint8Array {
  const writer = new ByteWriter();
  const topics = groupedByTopic(partitions);
  writer.int32(topics.length);
  for (const { topic, partitions: numbers } of topics) {
    const length = utf8Length(topic);
    writer.int16(length);
    writer.utf8(topic, length);
    writer.int32(numbers.length);
    for (const number of numbers) writer.int32(number);
  }
  writer.int32(generationId);
  return writer.toBytes();
}

/** Bytes that are not ours are no claim: other clients' assignors may have the same name. */
export function decodeStickyUserData(bytes: Uint8Array | null): Claim {
  if (bytes === null || bytes.length === 0) return { partitions: [], generation: undefined };
  try {
    const reader = new ByteReader(bytes);
    const topics: TopicPartitions[] = [];
    for (let left = reader.checkCount(reader.int32(), 6); left > 0; left--) {
      const topic = reader.utf8(stringLength(reader));
      const count = reader.checkCount(reader.int32(), 4);
      topics.push({ topic, partitions: Array.from({ length: count }, () => reader.int32()) });
    }
    return { partitions: flattened(topics), generation: reader.remaining >= 4 ? reader.int32() : undefined };
  } catch (error) {
    if (error instanceof KafkaError) return { partitions: [], generation: UNKNOWN_GENERATION };
    throw error;
  }
}

function stringLength(reader: ByteReader): number {
  const length = reader.int16();
  if (length < 0) throw new ProtocolError(`a string of ${length} bytes`);
  return length;
}

/** What the cooperative sticky assignor sends along: the generation, which newer subscriptions have a field for. */
export function encodeGeneration(generationId: number): Uint8Array {
  const writer = new ByteWriter(4);
  writer.int32(generationId);
  return writer.toBytes();
}

/** Undefined when the member says nothing. */
export function decodeGeneration(bytes: Uint8Array | null): number | undefined {
  if (bytes === null) return undefined;
  return bytes.length < 4 ? UNKNOWN_GENERATION : new ByteReader(bytes).int32();
}
