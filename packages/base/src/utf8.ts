const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
const SHORT = 32;

/**
 * Short texts that were read lately, by a hash of their bytes. The same few names come with every request: to find one here makes
 * no garbage, and a string that was a key before knows its own hash.
 */
const recentTexts: (string | undefined)[] = Array.from({ length: 1024 }, () => undefined);

/** Bytes the text takes in UTF-8; a lone surrogate takes three, as the replacement character does. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    length += unit < 0x800 ? 1 : 2;
    const isPair = unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (isPair) i++; // four bytes for two units
  }
  return length;
}

/** Writes the text at `offset`, where `length` bytes (its `utf8Length`) are free. */
export function encodeUtf8Into(text: string, into: Uint8Array, offset: number, length: number): void {
  if (length === text.length && length <= SHORT) {
    for (let i = 0; i < length; i++) into[offset + i] = text.charCodeAt(i);
    return;
  }
  encoder.encodeInto(text, into.subarray(offset, offset + length));
}

/** Reads text; invalid bytes become U+FFFD, as in Kafka. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  // Short names are most strings of the protocol, and for them the decoder's call costs more than the text.
  return (
    (end - start <= SHORT ? shortText(bytes, start, end) : undefined) ?? decoder.decode(bytes.subarray(start, end))
  );
}

/** Undefined when it is not ASCII. */
function shortText(bytes: Uint8Array, start: number, end: number): string | undefined {
  let hash = end - start;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    if (byte >= 0x80) return undefined;
    hash = Math.imul(hash ^ byte, 0x0100_0193); // FNV
  }
  const slot = (hash ^ (hash >>> 16)) & (recentTexts.length - 1);
  const recent = recentTexts[slot];
  if (recent !== undefined && isText(recent, bytes, start, end)) return recent;
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] ?? 0);
  recentTexts[slot] = text;
  return text;
}

function isText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
