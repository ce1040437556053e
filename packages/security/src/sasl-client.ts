import { ErrorCode, KafkaError } from "@samsa/base";

/** The client's side of one authentication: a machine that is fed what the server says. Used once. */
export interface SaslClient {
  /** The name that SaslHandshake is asked for. */
  readonly mechanism: string;
  /** The server has said all that it had to, and was right. */
  readonly isComplete: boolean;
  /** The first message. */
  initial(): Promise<Uint8Array>;
  /**
   * @returns the next message, or undefined when there is none
   * @throws SaslError when the server refuses, or does not prove that it is who it should be
   */
  step(challenge: Uint8Array): Promise<Uint8Array | undefined>;
}

/** An authentication that failed. No retry helps: the credentials are wrong, or the server is. */
export class SaslError extends KafkaError {
  override readonly name = "SaslError";

  constructor(message: string, options?: ErrorOptions) {
    super(ErrorCode.SASL_AUTHENTICATION_FAILED, message, options);
  }
}
