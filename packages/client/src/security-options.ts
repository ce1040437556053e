import type { Random } from "@samsa/base";
import type { TlsClientOptions } from "@samsa/io";
import type { OAuthBearerToken, SaslClient } from "@samsa/security";
import { OAuthBearerClient, PlainClient, ScramClient, ScramKeyCache } from "@samsa/security";
import { ConfigurationError } from "./errors.ts";
import type { OptionRule } from "./options.ts";
import { anything, boolean, oneOf, optional, resolveOptions, text } from "./options.ts";

export const SECURITY_PROTOCOLS = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] as const;
export type SecurityProtocol = (typeof SECURITY_PROTOCOLS)[number];

/** How to say who we are. */
export type SaslOptions =
  | { readonly mechanism: "PLAIN"; readonly username: string; readonly password: string }
  | {
      readonly mechanism: "SCRAM-SHA-256" | "SCRAM-SHA-512";
      readonly username: string;
      readonly password: string;
      /** User name and password are id and HMAC of a delegation token (KIP-48). */
      readonly isDelegationToken?: boolean;
    }
  | {
      readonly mechanism: "OAUTHBEARER";
      /** Asked at every authentication, also when a session is renewed: it keeps the token until it is about to expire. */
      readonly token: () => OAuthBearerToken | Promise<OAuthBearerToken>;
    };

export interface SecurityOptions {
  readonly securityProtocol: SecurityProtocol;
  readonly ssl: TlsClientOptions | undefined;
  readonly sasl: SaslOptions | undefined;
}

export interface ResolvedSecurity {
  readonly tls: TlsClientOptions | undefined; // undefined for plain text
  readonly newSaslClient: ((random: Random) => () => SaslClient) | undefined;
}

const SSL_RULES: { readonly [Name in keyof TlsClientOptions]-?: OptionRule } = {
  ca: anything,
  cert: anything,
  key: anything,
  passphrase: optional(text),
  servername: optional(text),
  checkHostname: optional(boolean),
  rejectUnauthorized: optional(boolean),
  minVersion: optional(oneOf("TLSv1.2", "TLSv1.3")),
  ciphers: optional(text),
};

const password = { username: text, password: text };
const SASL_RULES: Readonly<Record<SaslOptions["mechanism"], Readonly<Record<string, OptionRule>>>> = {
  PLAIN: password,
  "SCRAM-SHA-256": { ...password, isDelegationToken: optional(boolean) },
  "SCRAM-SHA-512": { ...password, isDelegationToken: optional(boolean) },
  OAUTHBEARER: { token: (value) => (typeof value === "function" ? undefined : "a function that gives the token") },
};

/**
 * What of encryption and authentication was asked for.
 * @param hasTransport how bytes travel is the caller's affair
 * @throws ConfigurationError for what cannot be together
 */
export function resolveSecurity(who: string, options: SecurityOptions, hasTransport: boolean): ResolvedSecurity {
  const { securityProtocol, ssl, sasl } = options;
  const isEncrypted = securityProtocol === "SSL" || securityProtocol === "SASL_SSL";
  const isAuthenticated = securityProtocol === "SASL_PLAINTEXT" || securityProtocol === "SASL_SSL";
  const wrong = (message: string): ConfigurationError => new ConfigurationError(`${who}: ${message}`);
  if (ssl !== undefined && !isEncrypted) {
    throw wrong(`ssl is of no use with securityProtocol ${securityProtocol}; wanted is SSL or SASL_SSL`);
  }
  if (sasl !== undefined && !isAuthenticated) {
    throw wrong(`sasl is of no use with securityProtocol ${securityProtocol}; wanted is SASL_SSL or SASL_PLAINTEXT`);
  }
  if (sasl === undefined && isAuthenticated) throw wrong(`securityProtocol ${securityProtocol} needs sasl`);
  if (isEncrypted && hasTransport) throw wrong("a transport of your own does its own encryption; leave ssl to it");
  if (ssl !== undefined) checkSsl(`${who}: ssl`, ssl);
  if (sasl !== undefined) checkSasl(`${who}: sasl`, sasl);
  return {
    tls: isEncrypted ? (ssl ?? {}) : undefined,
    newSaslClient: sasl && ((random) => saslClientMaker(sasl, random)),
  };
}

function checkSsl(who: string, ssl: TlsClientOptions): void {
  const none = Object.fromEntries(Object.keys(SSL_RULES).map((name) => [name, undefined]));
  resolveOptions(who, ssl, none, SSL_RULES as Readonly<Record<string, OptionRule>>);
  if ((ssl.cert === undefined) !== (ssl.key === undefined)) {
    throw new ConfigurationError(`${who}: cert and key belong together`);
  }
}

function checkSasl(who: string, sasl: SaslOptions): void {
  const mechanisms = Object.keys(SASL_RULES);
  const wanted = oneOf(...mechanisms)(sasl.mechanism);
  if (wanted !== undefined) {
    throw new ConfigurationError(`${who}: mechanism is ${JSON.stringify(sasl.mechanism)}; wanted is ${wanted}`);
  }
  const rules: Readonly<Record<string, OptionRule>> = { mechanism: anything, ...SASL_RULES[sasl.mechanism] };
  const none = Object.fromEntries(Object.keys(rules).map((name) => [name, undefined]));
  const resolved: Readonly<Record<string, unknown>> = resolveOptions(who, sasl, none, rules);
  for (const [name, rule] of Object.entries(rules)) {
    const missing = rule(resolved[name]);
    if (missing !== undefined) throw new ConfigurationError(`${who}: ${name} is missing; wanted is ${missing}`);
  }
}

/** Keys that took long to compute are shared by all connections. */
function saslClientMaker(sasl: SaslOptions, random: Random): () => SaslClient {
  switch (sasl.mechanism) {
    case "PLAIN":
      return () => new PlainClient(sasl);
    case "OAUTHBEARER":
      return () => new OAuthBearerClient(sasl.token);
    default: {
      const keys = new ScramKeyCache();
      return () => new ScramClient(sasl.mechanism, sasl, random, keys);
    }
  }
}
