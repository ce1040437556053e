import type { SaslClient } from "./sasl-client.ts";
import { SaslError } from "./sasl-client.ts";

export interface OAuthBearerToken {
  /** The token as it goes on the wire, mostly a JWT. */
  readonly value: string;
  /** SASL extensions (KIP-342), such as `logicalCluster`. */
  readonly extensions?: Readonly<Record<string, string>> | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const SEPARATOR = "\u0001";
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
const EXTENSION_NAME = /^[A-Za-z]+$/;
const EXTENSION_VALUE = /^[\u0021-\u007e \t\r\n]+$/;

/** OAUTHBEARER (RFC 7628, KIP-255): the token in one message. A server that refuses says why in JSON first. */
export class OAuthBearerClient implements SaslClient {
  readonly mechanism = "OAUTHBEARER";
  readonly #token: () => Promise<OAuthBearerToken>;
  #isComplete = false;
  #refusal: string | undefined;

  /** @param token asked at every authentication: the callback keeps and renews it */
  constructor(token: () => OAuthBearerToken | Promise<OAuthBearerToken>) {
    this.#token = async () => await token();
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  async initial(): Promise<Uint8Array> {
    const { value, extensions = {} } = await this.#token();
    if (!TOKEN.test(value)) throw new SaslError("OAUTHBEARER: the callback gave what is no bearer token");
    let message = `n,,${SEPARATOR}auth=Bearer ${value}${SEPARATOR}`;
    for (const [name, text] of Object.entries(extensions)) {
      const isUsable = EXTENSION_NAME.test(name) && name !== "auth" && EXTENSION_VALUE.test(text);
      if (!isUsable) throw new SaslError(`OAUTHBEARER: the extension ${JSON.stringify(name)} is impossible`);
      message += `${name}=${text}${SEPARATOR}`;
    }
    return encoder.encode(message + SEPARATOR);
  }

  async step(challenge: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#refusal !== undefined) throw new SaslError(`OAUTHBEARER: the server says ${this.#refusal}`);
    if (challenge.length === 0) {
      this.#isComplete = true;
      return await Promise.resolve(undefined);
    }
    this.#refusal = decoder.decode(challenge.subarray(0, 1000));
    return encoder.encode(SEPARATOR); // after it the server fails the authentication
  }
}
