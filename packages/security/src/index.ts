export { OAuthBearerClient } from "./oauth-bearer-client.ts";
export type { OAuthBearerToken } from "./oauth-bearer-client.ts";
export { PlainClient } from "./plain-client.ts";
export type { PlainCredentials } from "./plain-client.ts";
export { SaslError } from "./sasl-client.ts";
export type { SaslClient } from "./sasl-client.ts";
export { saltedPassword, ScramClient, ScramKeyCache } from "./scram-client.ts";
export type { ScramCredentials, ScramMechanism } from "./scram-client.ts";
