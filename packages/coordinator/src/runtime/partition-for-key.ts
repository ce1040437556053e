/** Java's String.hashCode: UTF-16 code units, base 31, in 32 bits. */
export function javaHashCode(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}

/** The partition of the coordinator's topic that a group or a transactional id belongs to, as Kafka has it. */
export function partitionForKey(key: string, partitionCount: number): number {
  const hash = javaHashCode(key);
  // The least int32 has no positive counterpart; Kafka's Utils.abs says 0.
  return (hash === -0x8000_0000 ? 0 : Math.abs(hash)) % partitionCount;
}
