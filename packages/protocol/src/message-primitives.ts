/**
 * What the generated codecs call for everything that has a length: strings, bytes, arrays and tagged fields, in the plain
 * coding and in the compact one of flexible versions (KIP-482).
 *
 * Compact lengths are an unsigned varint of the length plus one, zero for null. As in Kafka, every negative plain length is null.
 */

import type { ByteReader, ByteWriter, Uuid } from "@samsa/base";
import { ErrorCode, KafkaError, ProtocolError, utf8Length } from "@samsa/base";
import type { UnknownTaggedField } from "./message-codec.ts";

const MAX_STRING_BYTES = 0x7fff;

export const EMPTY_BYTES = new Uint8Array(0);

/** @throws KafkaError UNSUPPORTED_VERSION */
export function checkVersion(message: string, version: number, lowest: number, highest: number): void {
  if (version >= lowest && version <= highest && Number.isInteger(version)) return;
  throw new KafkaError(
    ErrorCode.UNSUPPORTED_VERSION,
    `${message} has versions ${lowest} to ${highest}, and not ${version}`,
  );
}

// Strings

export function readString(reader: ByteReader, field: string): string {
  const length = reader.int16();
  if (length < 0) throw nullInPlace(field);
  return reader.utf8(length);
}

export function readNullableString(reader: ByteReader, _field: string): string | null {
  const length = reader.int16();
  return length < 0 ? null : reader.utf8(length);
}

export function readCompactString(reader: ByteReader, field: string): string {
  const length = reader.unsignedVarint() - 1;
  if (length < 0) throw nullInPlace(field);
  return compactText(reader, length, field);
}

export function readCompactNullableString(reader: ByteReader, field: string): string | null {
  const length = reader.unsignedVarint() - 1;
  return length < 0 ? null : compactText(reader, length, field);
}

function compactText(reader: ByteReader, length: number, field: string): string {
  if (length > MAX_STRING_BYTES) throw new ProtocolError(`${field} is announced with ${length} bytes`);
  return reader.utf8(length);
}

export function writeString(writer: ByteWriter, value: string, field: string): void {
  const length = stringLength(value, field);
  writer.int16(length);
  writer.utf8(value, length);
}

export function writeNullableString(writer: ByteWriter, value: string | null, field: string): void {
  if (value === null) writer.int16(-1);
  else writeString(writer, value, field);
}

export function writeCompactString(writer: ByteWriter, value: string, field: string): void {
  const length = stringLength(value, field);
  writer.unsignedVarint(length + 1);
  writer.utf8(value, length);
}

export function writeCompactNullableString(writer: ByteWriter, value: string | null, field: string): void {
  if (value === null) writer.unsignedVarint(0);
  else writeCompactString(writer, value, field);
}

function stringLength(value: string, field: string): number {
  const length = utf8Length(value);
  if (length > MAX_STRING_BYTES) {
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      `${field} takes ${length} bytes, and a string at most ${MAX_STRING_BYTES}`,
    );
  }
  return length;
}

// Bytes and records

export function readBytes(reader: ByteReader, field: string): Uint8Array {
  const length = reader.int32();
  if (length < 0) throw nullInPlace(field);
  return reader.view(length);
}

export function readNullableBytes(reader: ByteReader, _field: string): Uint8Array | null {
  const length = reader.int32();
  return length < 0 ? null : reader.view(length);
}

export function readCompactBytes(reader: ByteReader, field: string): Uint8Array {
  const length = reader.unsignedVarint() - 1;
  if (length < 0) throw nullInPlace(field);
  return reader.view(length);
}

export function readCompactNullableBytes(reader: ByteReader, _field: string): Uint8Array | null {
  const length = reader.unsignedVarint() - 1;
  return length < 0 ? null : reader.view(length);
}

export function writeBytes(writer: ByteWriter, value: Uint8Array): void {
  writer.int32(value.length);
  writer.raw(value);
}

export function writeNullableBytes(writer: ByteWriter, value: Uint8Array | null): void {
  if (value === null) writer.int32(-1);
  else writeBytes(writer, value);
}

export function writeCompactBytes(writer: ByteWriter, value: Uint8Array): void {
  writer.unsignedVarint(value.length + 1);
  writer.raw(value);
}

export function writeCompactNullableBytes(writer: ByteWriter, value: Uint8Array | null): void {
  if (value === null) writer.unsignedVarint(0);
  else writeCompactBytes(writer, value);
}

// Arrays: the length has been checked against the bytes that remain before elements are read.

export function readArrayLength(reader: ByteReader, minimumSize: number, field: string): number {
  const length = reader.int32();
  if (length < 0) throw nullInPlace(field);
  return reader.checkCount(length, minimumSize);
}

/** -1 for null. */
export function readNullableArrayLength(reader: ByteReader, minimumSize: number, _field: string): number {
  const length = reader.int32();
  return length < 0 ? -1 : reader.checkCount(length, minimumSize);
}

export function readCompactArrayLength(reader: ByteReader, minimumSize: number, field: string): number {
  const length = reader.unsignedVarint() - 1;
  if (length < 0) throw nullInPlace(field);
  return reader.checkCount(length, minimumSize);
}

/** -1 for null. */
export function readCompactNullableArrayLength(reader: ByteReader, minimumSize: number, _field: string): number {
  const length = reader.unsignedVarint() - 1;
  return length < 0 ? -1 : reader.checkCount(length, minimumSize);
}

export function readNullableArray<T>(
  reader: ByteReader,
  length: number,
  version: number,
  readElements: (reader: ByteReader, count: number, version: number) => T[],
): T[] | null {
  return length < 0 ? null : readElements(reader, length, version);
}

export function readInt8s(reader: ByteReader, count: number, _version: number): number[] {
  const elements: number[] = [];
  for (let i = 0; i < count; i++) elements.push(reader.int8());
  return elements;
}

export function readInt16s(reader: ByteReader, count: number, _version: number): number[] {
  const elements: number[] = [];
  for (let i = 0; i < count; i++) elements.push(reader.int16());
  return elements;
}

export function readInt32s(reader: ByteReader, count: number, _version: number): number[] {
  const elements: number[] = [];
  for (let i = 0; i < count; i++) elements.push(reader.int32());
  return elements;
}

export function readInt64s(reader: ByteReader, count: number, _version: number): number[] {
  const elements: number[] = [];
  for (let i = 0; i < count; i++) elements.push(reader.int64());
  return elements;
}

export function readUuids(reader: ByteReader, count: number, _version: number): Uuid[] {
  const elements: Uuid[] = [];
  for (let i = 0; i < count; i++) elements.push(reader.uuid());
  return elements;
}

export function readStrings(reader: ByteReader, count: number, _version: number): string[] {
  const elements: string[] = [];
  for (let i = 0; i < count; i++) elements.push(readString(reader, "an element"));
  return elements;
}

export function readCompactStrings(reader: ByteReader, count: number, _version: number): string[] {
  const elements: string[] = [];
  for (let i = 0; i < count; i++) elements.push(readCompactString(reader, "an element"));
  return elements;
}

export function writeArrayLength(writer: ByteWriter, length: number): void {
  writer.int32(length);
}

export function writeCompactArrayLength(writer: ByteWriter, length: number): void {
  writer.unsignedVarint(length + 1);
}

export function writeInt8s(writer: ByteWriter, elements: readonly number[], _version: number): void {
  for (const element of elements) writer.int8(element);
}

export function writeInt16s(writer: ByteWriter, elements: readonly number[], _version: number): void {
  for (const element of elements) writer.int16(element);
}

export function writeInt32s(writer: ByteWriter, elements: readonly number[], _version: number): void {
  for (const element of elements) writer.int32(element);
}

export function writeInt64s(writer: ByteWriter, elements: readonly number[], _version: number): void {
  for (const element of elements) writer.int64(element);
}

export function writeUuids(writer: ByteWriter, elements: readonly Uuid[], _version: number): void {
  for (const element of elements) writer.uuid(element);
}

export function writeStrings(writer: ByteWriter, elements: readonly string[], _version: number): void {
  for (const element of elements) writeString(writer, element, "an element");
}

export function writeCompactStrings(writer: ByteWriter, elements: readonly string[], _version: number): void {
  for (const element of elements) writeCompactString(writer, element, "an element");
}

// Tagged fields: a count, then tag, size and bytes of each, tags ascending

/** Each takes two bytes at least. */
export function readTagCount(reader: ByteReader): number {
  return reader.checkCount(reader.unsignedVarint(), 2);
}

/**
 * The next tag, which must be above the one before. Kafka's own reader takes any order and lets the last of two equal tags
 * win; no writer does either, and a message with them would not be written again as it came.
 */
export function readTag(reader: ByteReader, previous: number): number {
  const tag = reader.unsignedVarint();
  if (tag <= previous) throw new ProtocolError(`tag ${tag} follows tag ${previous}`);
  return tag;
}

/** Reads the size of a tagged field and returns the offset at which the field ends. */
export function readTaggedFieldEnd(reader: ByteReader): number {
  const size = reader.unsignedVarint();
  if (size > reader.remaining) throw new ProtocolError(`${size} bytes are wanted where ${reader.remaining} remain`);
  return reader.offset + size;
}

/** The tagged fields of a struct that knows none. */
export function readTaggedFields(reader: ByteReader): readonly UnknownTaggedField[] | undefined {
  let fields: readonly UnknownTaggedField[] | undefined;
  for (let tag = -1, tagsLeft = readTagCount(reader); tagsLeft > 0; tagsLeft--) {
    tag = readTag(reader, tag);
    const end = readTaggedFieldEnd(reader);
    fields = keepTaggedField(fields, tag, reader.view(end - reader.offset));
  }
  return fields;
}

export function keepTaggedField(
  fields: readonly UnknownTaggedField[] | undefined,
  tag: number,
  bytes: Uint8Array,
): readonly UnknownTaggedField[] {
  if (fields === undefined) return [{ tag, bytes }];
  // The list is ours until the message is returned.
  (fields as UnknownTaggedField[]).push({ tag, bytes });
  return fields;
}

export function hasTaggedFields(fields: readonly UnknownTaggedField[] | undefined): boolean {
  return fields !== undefined && fields.length > 0;
}

/** @param knownTags tags from 0 on that the struct knows: an unknown field may not have one of them */
export function countTaggedFields(fields: readonly UnknownTaggedField[] | undefined, knownTags: number): number {
  if (fields === undefined) return 0;
  let previous = knownTags - 1;
  for (const { tag } of fields) {
    if (tag <= previous) {
      throw new KafkaError(ErrorCode.INVALID_REQUEST, `unknown tag ${tag} follows tag ${previous}`);
    }
    previous = tag;
  }
  return fields.length;
}

/** The tagged fields of a struct that knows none. */
export function writeTaggedFields(writer: ByteWriter, fields: readonly UnknownTaggedField[] | undefined): void {
  writer.unsignedVarint(countTaggedFields(fields, 0));
  writeUnknownTaggedFields(writer, fields);
}

export function writeUnknownTaggedFields(writer: ByteWriter, fields: readonly UnknownTaggedField[] | undefined): void {
  if (fields === undefined) return;
  for (const { tag, bytes } of fields) {
    writeTagHeader(writer, tag, bytes.length);
    writer.raw(bytes);
  }
}

export function writeTagHeader(writer: ByteWriter, tag: number, size: number): void {
  writer.unsignedVarint(tag);
  writer.unsignedVarint(size);
}

export function writeSizedTaggedField(writer: ByteWriter, tag: number, field: ByteWriter): void {
  writeTagHeader(writer, tag, field.length);
  for (const chunk of field.toChunks()) writer.raw(chunk);
}

/** @throws KafkaError UNSUPPORTED_VERSION when there are some: a version that is not flexible has no room for them */
export function refuseTaggedFields(
  fields: readonly UnknownTaggedField[] | undefined,
  message: string,
  version: number,
): void {
  if (hasTaggedFields(fields)) throw unsupportedField(`${message}.unknownTaggedFields`, version);
}

// Errors

export function unsupportedField(field: string, version: number): KafkaError {
  return new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `${field} is set, and version ${version} does not have it`);
}

/** @throws KafkaError UNSUPPORTED_VERSION when it is null */
export function notNull<T>(value: T | null, field: string, version: number): T {
  if (value !== null) return value;
  throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `${field} is null, and version ${version} does not allow it`);
}

export function tagOfLaterVersion(tag: number, message: string, version: number): ProtocolError {
  return new ProtocolError(`tag ${tag} of ${message} is unknown to version ${version}`);
}

export function wrongTagSize(tag: number): ProtocolError {
  return new ProtocolError(`tagged field ${tag} has another size than announced`);
}

function nullInPlace(field: string): ProtocolError {
  return new ProtocolError(`${field} is null, which its version does not allow`);
}
