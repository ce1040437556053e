const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
const SHORT = 32;

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
  if (end - start <= SHORT) {
    // Short names are most strings of the protocol, and for them the decoder's call costs more than the text.
    let text = "";
    for (let i = start; i < end; i++) {
      const byte = bytes[i] ?? 0;
      if (byte >= 0x80) return decoder.decode(bytes.subarray(start, end));
      text += String.fromCharCode(byte);
    }
    return text;
  }
  return decoder.decode(bytes.subarray(start, end));
}
