import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { KafkaOptions, SaslOptions, TlsClientOptions } from "@samsa/client";
import { CONSUMER_OPTION_NAMES, KAFKA_OPTION_NAMES, nearestName, PRODUCER_OPTION_NAMES } from "@samsa/client";
import { UsageError } from "./exit-code.ts";
import { addPairs, readPropertiesFile } from "./properties.ts";

/** What `-X` and a file of properties say, for the client and for the producer or consumer of the command. */
export interface ClientProperties {
  readonly kafkaProperties: Partial<KafkaOptions>;
  readonly otherProperties: Readonly<Record<string, unknown>>;
  /** Keys of the file that mean nothing to any of our clients: the file may be one of Java's. */
  readonly unusedKeys: readonly string[];
}

type Properties = ReadonlyMap<string, string>;

/** Numbers and yes or no are written as text; these are text even when they look like a number. */
const TEXTS: ReadonlySet<string> = new Set([
  "bootstrapServers",
  "clientId",
  "clientRack",
  "groupId",
  "groupInstanceId",
  "transactionalId",
]);
/** What only a program can give. */
const NOT_AS_TEXT: ReadonlySet<string> = new Set([
  ..."ssl sasl transport clock random onRetry openTelemetry".split(" "),
  ..."keySerializer valueSerializer keyDeserializer valueDeserializer".split(" "),
]);

const SECURITY_KEYS = [
  "ssl.truststore.location",
  "ssl.truststore.certificates",
  "ssl.truststore.type",
  "ssl.ca.location",
  "ssl.ca.pem",
  "ssl.keystore.location",
  "ssl.keystore.type",
  "ssl.keystore.certificate.chain",
  "ssl.keystore.key",
  "ssl.certificate.location",
  "ssl.certificate.pem",
  "ssl.key.location",
  "ssl.key.pem",
  "ssl.key.password",
  "ssl.endpoint.identification.algorithm",
  "ssl.enabled.protocols",
  "ssl.cipher.suites",
  "enable.ssl.certificate.verification",
  "sasl.mechanism",
  "sasl.mechanisms",
  "sasl.username",
  "sasl.password",
  "sasl.jaas.config",
  "sasl.oauthbearer.token.endpoint.url",
] as const;
type SecurityKey = (typeof SECURITY_KEYS)[number];

const names = (some: readonly string[]): readonly string[] => some.filter((name) => !NOT_AS_TEXT.has(name));
const ALL_NAMES = names([...KAFKA_OPTION_NAMES, ...PRODUCER_OPTION_NAMES, ...CONSUMER_OPTION_NAMES]);

/**
 * Reads `-X linger.ms=50` as the option `lingerMs: 50`, and what Java and librdkafka say of `ssl` and `sasl` as the options of that name.
 *
 * @param pairs go before the file
 * @param otherNames options of the producer or consumer that the command uses
 * @throws UsageError for a key of a pair that means nothing here, with the nearest that does
 */
export function clientProperties(
  pairs: readonly string[],
  file?: string,
  otherNames: readonly string[] = [],
): ClientProperties {
  const given = new Map<string, string>();
  addPairs(given, pairs, "-X");
  const filed = file === undefined ? new Map<string, string>() : readPropertiesFile(file);
  const kafkaProperties: Record<string, unknown> = {};
  const otherProperties: Record<string, unknown> = {};
  const security = new Map<string, string>();
  const unusedKeys: string[] = [];
  const isSecurity = (key: string): boolean => (SECURITY_KEYS as readonly string[]).includes(key);
  for (const [key, text] of new Map([...filed, ...given])) {
    const name = optionName(key);
    const isOther = names(otherNames).includes(name);
    if (isSecurity(key)) security.set(key, text);
    else if (names(KAFKA_OPTION_NAMES).includes(name)) kafkaProperties[name] = valueOf(name, text);
    else if (isOther) otherProperties[name] = valueOf(name, text);
    else if (given.has(key)) throw unknownKey(key, otherNames);
    else if (!ALL_NAMES.includes(name)) unusedKeys.push(key);
    // A client's retry and rack are the producer's and consumer's, too, and these have them from the client.
  }
  const ssl = sslOf(security);
  const sasl = saslOf(security);
  if (ssl !== undefined) kafkaProperties["ssl"] = ssl;
  if (sasl !== undefined) kafkaProperties["sasl"] = sasl;
  return { kafkaProperties, otherProperties, unusedKeys };
}

/** `linger.ms` is `lingerMs`. */
function optionName(key: string): string {
  return key.replaceAll(/[.-]([a-z0-9])/gu, (_, letter: string) => letter.toUpperCase());
}

/** `lingerMs` is `linger.ms`. */
function keyOf(name: string): string {
  return name.replaceAll(/[A-Z]/gu, (letter) => `.${letter.toLowerCase()}`);
}

function unknownKey(key: string, otherNames: readonly string[]): UsageError {
  if (ALL_NAMES.includes(optionName(key))) return new UsageError(`-X ${key} means nothing to this command`);
  const known = [...names([...KAFKA_OPTION_NAMES, ...otherNames]).map((name) => keyOf(name)), ...SECURITY_KEYS];
  const nearest = nearestName(key, known);
  return new UsageError(
    `-X ${key}: there is no such key; ${nearest === undefined ? `there are ${known.join(", ")}` : `did you mean ${nearest}?`}`,
  );
}

function valueOf(name: string, text: string): string | number | boolean {
  if (TEXTS.has(name)) return text;
  if (/^-?\d+$/u.test(text)) return Number(text);
  return text === "true" || text === "false" ? text === "true" : text;
}

/** PEM throughout; Java's key stores are another format. */
function sslOf(properties: Properties): TlsClientOptions | undefined {
  const say = (key: SecurityKey): string | undefined => properties.get(key);
  for (const which of ["truststore", "keystore"] as const) {
    const type = say(`ssl.${which}.type`);
    const location = say(`ssl.${which}.location`);
    const isStore = type === undefined ? /\.(?:jks|p12|pfx|pkcs12)$/iu.test(location ?? "") : type !== "PEM";
    if (location !== undefined && isStore) {
      throw new UsageError(
        `ssl.${which}.location=${location} is a key store of Java's; wanted is PEM: keytool -importkeystore -srckeystore ${location} -destkeystore store.p12 -deststoretype PKCS12, then openssl pkcs12 -in store.p12 -out store.pem`,
      );
    }
  }
  const read = (...keys: readonly SecurityKey[]): Uint8Array | undefined => {
    const key = keys.find((one) => properties.has(one));
    return key === undefined ? undefined : fileOf(key, say(key) ?? "");
  };
  const keyStore = read("ssl.keystore.location");
  const protocols = say("ssl.enabled.protocols")?.split(",");
  const algorithm = say("ssl.endpoint.identification.algorithm");
  const options: TlsClientOptions = {
    ca: say("ssl.truststore.certificates") ?? say("ssl.ca.pem") ?? read("ssl.truststore.location", "ssl.ca.location"),
    cert:
      say("ssl.keystore.certificate.chain") ??
      say("ssl.certificate.pem") ??
      read("ssl.certificate.location") ??
      keyStore,
    key: say("ssl.keystore.key") ?? say("ssl.key.pem") ?? read("ssl.key.location") ?? keyStore,
    passphrase: say("ssl.key.password"),
    ciphers: say("ssl.cipher.suites")?.replaceAll(",", ":"),
    checkHostname: algorithm === undefined ? undefined : algorithm !== "" && algorithm !== "none",
    rejectUnauthorized: say("enable.ssl.certificate.verification") === "false" ? false : undefined,
    minVersion: protocols?.every((one) => one.trim() === "TLSv1.3") === true ? "TLSv1.3" : undefined,
  };
  return Object.values(options).every((value) => value === undefined) ? undefined : options;
}

function fileOf(key: string, file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${key}: ${file} cannot be read: ${reason}`, { cause: error });
  }
}

function saslOf(properties: Properties): SaslOptions | undefined {
  const say = (key: SecurityKey): string | undefined => properties.get(key);
  const jaas = jaasOptions(say("sasl.jaas.config"));
  const mechanism = say("sasl.mechanism") ?? say("sasl.mechanisms");
  const username = say("sasl.username") ?? jaas.get("username");
  const password = say("sasl.password") ?? jaas.get("password");
  const tokenUrl = say("sasl.oauthbearer.token.endpoint.url");
  if (mechanism === undefined) {
    if (username === undefined && password === undefined && tokenUrl === undefined) return undefined;
    throw new UsageError("sasl.mechanism is missing: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER");
  }
  switch (mechanism) {
    case "PLAIN":
    case "SCRAM-SHA-256":
    case "SCRAM-SHA-512": {
      if (username === undefined || password === undefined) {
        throw new UsageError(`${mechanism} needs sasl.username and sasl.password, or sasl.jaas.config`);
      }
      if (mechanism === "PLAIN") return { mechanism, username, password };
      return { mechanism, username, password, isDelegationToken: jaas.get("tokenauth") === "true" };
    }
    case "OAUTHBEARER":
      return { mechanism, token: () => ({ value: tokenOf(tokenUrl) }) };
    default:
      throw new UsageError(
        `sasl.mechanism=${mechanism} is not spoken here: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER`,
      );
  }
}

/** Read at every authentication, for somebody may renew it. */
function tokenOf(url: string | undefined): string {
  if (url?.startsWith("file:") !== true) {
    throw new UsageError("OAUTHBEARER needs sasl.oauthbearer.token.endpoint.url=file:///where/the/token/is");
  }
  return Buffer.from(fileOf("sasl.oauthbearer.token.endpoint.url", fileURLToPath(url)))
    .toString()
    .trim();
}

/** `org.apache…ScramLoginModule required username="ada" password="s3\"cret";` */
function jaasOptions(config: string | undefined): Properties {
  const options = new Map<string, string>();
  const pattern = /([\w.]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([^\s;"']+))/gu;
  for (const [, key = "", double, single, bare = ""] of (config ?? "").matchAll(pattern)) {
    options.set(key, (double ?? single)?.replaceAll(/\\(.)/gu, "$1") ?? bare);
  }
  return options;
}
