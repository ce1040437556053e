import type { SaslClient } from "./sasl-client.ts";
import { SaslError } from "./sasl-client.ts";

export interface PlainCredentials {
  readonly username: string;
  readonly password: string;
}

const encoder = new TextEncoder();

/** PLAIN (RFC 4616): `NUL user NUL password`. The password goes as it is, so it wants TLS around it. */
export class PlainClient implements SaslClient {
  readonly mechanism = "PLAIN";
  readonly #credentials: PlainCredentials;
  #isComplete = false;

  constructor(credentials: PlainCredentials) {
    this.#credentials = credentials;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  async initial(): Promise<Uint8Array> {
    const { username, password } = this.#credentials;
    if (`${username}${password}`.includes("\0")) throw new SaslError("PLAIN: a NUL in user name or password");
    return await Promise.resolve(encoder.encode(`\0${username}\0${password}`));
  }

  async step(challenge: Uint8Array): Promise<undefined> {
    if (challenge.length > 0) throw new SaslError("PLAIN: the server goes on talking");
    this.#isComplete = true;
    return await Promise.resolve(undefined);
  }
}
