/** A promise of our own code was broken. Never caused by a peer, a disk or an operator: the node stops. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Asserts what only our own mistake could make false. Input is refused with a KafkaError instead. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Closes a switch that names every case: the compiler refuses it when a case is missing. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable value: ${String(value)}`);
}
