/** A broker cannot start as it was asked to: what is wrong and what to do, in words for the operator. */
export class StartError extends Error {
  override readonly name = "StartError";
}
