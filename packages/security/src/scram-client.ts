import { createHash, createHmac, pbkdf2, timingSafeEqual } from "node:crypto";
import type { Random } from "@samsa/base";
import type { SaslClient } from "./sasl-client.ts";
import { SaslError } from "./sasl-client.ts";

export type ScramMechanism = "SCRAM-SHA-256" | "SCRAM-SHA-512";

export interface ScramCredentials {
  readonly username: string;
  readonly password: string;
  /** User name and password are id and HMAC of a delegation token (KIP-48). */
  readonly isDelegationToken?: boolean | undefined;
}

interface Algorithm {
  readonly hash: "sha256" | "sha512";
  readonly bytes: number;
}

const ALGORITHMS: Readonly<Record<ScramMechanism, Algorithm>> = {
  "SCRAM-SHA-256": { hash: "sha256", bytes: 32 },
  "SCRAM-SHA-512": { hash: "sha512", bytes: 64 },
};
/** RFC 7677; a server that asks for fewer makes the password cheap to guess. */
const LEAST_ITERATIONS = 4096;
/** A second or so of a core. More is a server that means harm. */
const MOST_ITERATIONS = 2_000_000;
const NONCE_BYTES = 24;
const HEADER = "n,,"; // no channel binding, nobody else's name

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Salted passwords by salt: thousands of hashes each, and the same for every connection of a client, since a broker keeps the salt of a
 * user.
 */
export class ScramKeyCache {
  readonly #keys = new Map<string, Promise<Uint8Array>>();

  get(algorithm: Algorithm, password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array> {
    const name = `${algorithm.hash},${iterations},${Buffer.from(salt).toString("base64")},${password}`;
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const made = derive(algorithm, password, salt, iterations);
    this.#keys.clear(); // one user has one salt; an old one is of no use
    this.#keys.set(name, made);
    return made;
  }
}

/** What a broker keeps in place of a password, or derives its keys from: for who sets the password of a user (KIP-554). */
export function saltedPassword(
  mechanism: ScramMechanism,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array> {
  return derive(ALGORITHMS[mechanism], password, salt, iterations);
}

function derive(
  { hash, bytes }: Algorithm,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    pbkdf2(encoder.encode(password), salt, iterations, bytes, hash, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/**
 * SCRAM (RFC 5802): both sides prove that they know the password, and it does not travel.
 *
 *   client  n,,n=user,r=nonce                      server  r=nonce+more,s=salt,i=iterations
 *   client  c=biws,r=nonce+more,p=proof            server  v=signature
 */
export class ScramClient implements SaslClient {
  readonly mechanism: ScramMechanism;
  readonly #algorithm: Algorithm;
  readonly #credentials: ScramCredentials;
  readonly #nonce: string;
  readonly #keys: ScramKeyCache;
  #state: "initial" | "challenged" | "proven" | "complete" = "initial";
  #firstBare = "";
  #serverSignature: Uint8Array | undefined;

  /** @param keys shared by the connections of one client */
  constructor(
    mechanism: ScramMechanism,
    credentials: ScramCredentials,
    random: Random,
    keys: ScramKeyCache = new ScramKeyCache(),
  ) {
    this.mechanism = mechanism;
    this.#algorithm = ALGORITHMS[mechanism];
    this.#credentials = credentials;
    this.#keys = keys;
    const nonce = new Uint8Array(NONCE_BYTES);
    random.fill(nonce);
    this.#nonce = base64(nonce);
  }

  get isComplete(): boolean {
    return this.#state === "complete";
  }

  async initial(): Promise<Uint8Array> {
    const { username, isDelegationToken = false } = this.#credentials;
    const name = username.replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.#firstBare = `n=${name},r=${this.#nonce}${isDelegationToken ? ",tokenauth=true" : ""}`;
    this.#state = "challenged";
    return await Promise.resolve(encoder.encode(`${HEADER}${this.#firstBare}`));
  }

  async step(challenge: Uint8Array): Promise<Uint8Array | undefined> {
    const text = this.#decode(challenge);
    const attributes = attributesOf(text);
    const refusal = attributes.get("e");
    if (refusal !== undefined) throw this.#failure(`the server says ${refusal}`);
    if (this.#state === "challenged") return await this.#prove(text, attributes);
    if (this.#state === "proven") return this.#verify(attributes);
    throw this.#failure("the server goes on talking");
  }

  async #prove(serverFirst: string, attributes: ReadonlyMap<string, string>): Promise<Uint8Array> {
    const nonce = attributes.get("r") ?? "";
    const salt = Buffer.from(attributes.get("s") ?? "", "base64");
    const iterationText = attributes.get("i") ?? "";
    const iterations = Number(iterationText);
    if (attributes.has("m")) throw this.#failure("the server wants an extension that nobody knows");
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) throw this.#failure("the server has another nonce");
    if (salt.length === 0) throw this.#failure("the server names no salt");
    if (!/^\d{1,10}$/.test(iterationText) || iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS) {
      throw this.#failure(`${iterationText} iterations, where ${LEAST_ITERATIONS} to ${MOST_ITERATIONS} are wanted`);
    }
    const salted = await this.#keys.get(this.#algorithm, this.#credentials.password, salt, iterations);
    const withoutProof = `c=${base64(encoder.encode(HEADER))},r=${nonce}`;
    const authMessage = `${this.#firstBare},${serverFirst},${withoutProof}`;
    const clientKey = this.#hmac(salted, "Client Key");
    const storedKey = createHash(this.#algorithm.hash).update(clientKey).digest();
    const proof = xor(clientKey, this.#hmac(storedKey, authMessage));
    this.#serverSignature = this.#hmac(this.#hmac(salted, "Server Key"), authMessage);
    this.#state = "proven";
    return encoder.encode(`${withoutProof},p=${base64(proof)}`);
  }

  #verify(attributes: ReadonlyMap<string, string>): undefined {
    const signature = Buffer.from(attributes.get("v") ?? "", "base64");
    const expected = this.#serverSignature;
    const isRight = signature.length === expected?.length && timingSafeEqual(signature, expected);
    if (!isRight) throw this.#failure("the server does not know the password");
    this.#state = "complete";
  }

  #hmac(key: Uint8Array, message: string): Uint8Array {
    return createHmac(this.#algorithm.hash, key).update(message).digest();
  }

  #decode(bytes: Uint8Array): string {
    try {
      return decoder.decode(bytes);
    } catch (error) {
      throw this.#failure("the server does not speak UTF-8", { cause: error });
    }
  }

  #failure(message: string, options?: ErrorOptions): SaslError {
    return new SaslError(`${this.mechanism}: ${message}`, options);
  }
}

/** `a=1,b=2`; what comes after the first `=` belongs to the value. */
function attributesOf(text: string): ReadonlyMap<string, string> {
  return new Map(text.split(",").map((pair) => [pair.slice(0, 1), pair.slice(1, 2) === "=" ? pair.slice(2) : ""]));
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, index) => byte ^ (b[index] ?? 0));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
