import { CreateDelegationTokenRequest } from "@samsa/protocol/messages/create-delegation-token-request";
import { CreateDelegationTokenResponse } from "@samsa/protocol/messages/create-delegation-token-response";
import { DescribeDelegationTokenRequest } from "@samsa/protocol/messages/describe-delegation-token-request";
import { DescribeDelegationTokenResponse } from "@samsa/protocol/messages/describe-delegation-token-response";
import { ExpireDelegationTokenRequest } from "@samsa/protocol/messages/expire-delegation-token-request";
import { ExpireDelegationTokenResponse } from "@samsa/protocol/messages/expire-delegation-token-response";
import { RenewDelegationTokenRequest } from "@samsa/protocol/messages/renew-delegation-token-request";
import { RenewDelegationTokenResponse } from "@samsa/protocol/messages/renew-delegation-token-response";
import { api } from "../connection/api.ts";
import { ConfigurationError } from "../errors.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { throwCode } from "./admin-driver.ts";

const CREATE = api(CreateDelegationTokenRequest, CreateDelegationTokenResponse);
const RENEW = api(RenewDelegationTokenRequest, RenewDelegationTokenResponse);
const EXPIRE = api(ExpireDelegationTokenRequest, ExpireDelegationTokenResponse);
const DESCRIBE = api(DescribeDelegationTokenRequest, DescribeDelegationTokenResponse);
/** The broker's own. */
const BROKER_DEFAULT = -1;
const FIRST_VERSION_WITH_OWNER = 3;

export interface DelegationToken {
  readonly tokenId: string;
  readonly hmac: Uint8Array;
  readonly owner: string; // as in User:ada
  readonly requester: string;
  readonly issueTimestampMs: number;
  readonly expiryTimestampMs: number;
  readonly maxTimestampMs: number;
  readonly renewers: readonly string[];
}

export interface NewDelegationToken {
  /** Default: whoever asks (KIP-373). */
  readonly owner?: string;
  readonly renewers?: readonly string[];
  readonly maxLifetimeMs?: number;
}

/** KIP-48. */
export async function createDelegationToken(
  driver: AdminDriver,
  { owner, renewers = [], maxLifetimeMs = BROKER_DEFAULT }: NewDelegationToken,
): Promise<DelegationToken> {
  const ownedBy = owner === undefined ? undefined : principal(owner);
  const request = CreateDelegationTokenRequest.create({
    ownerPrincipalType: ownedBy?.principalType ?? null,
    ownerPrincipalName: ownedBy?.principalName ?? null,
    renewers: renewers.map((renewer) => principal(renewer)),
    maxLifetimeMs,
  });
  const which = owner === undefined ? CREATE : { ...CREATE, lowestVersion: FIRST_VERSION_WITH_OWNER };
  const made = await driver.one(which, request, ({ errorCode }) => throwCode(errorCode, "CreateDelegationToken"));
  return {
    tokenId: made.tokenId,
    hmac: made.hmac,
    owner: `${made.principalType}:${made.principalName}`,
    requester: `${made.tokenRequesterPrincipalType}:${made.tokenRequesterPrincipalName}`,
    issueTimestampMs: made.issueTimestampMs,
    expiryTimestampMs: made.expiryTimestampMs,
    maxTimestampMs: made.maxTimestampMs,
    renewers,
  };
}

/** @returns when it expires now */
export async function renewDelegationToken(
  driver: AdminDriver,
  hmac: Uint8Array,
  renewPeriodMs = BROKER_DEFAULT,
): Promise<number> {
  const request = RenewDelegationTokenRequest.create({ hmac, renewPeriodMs });
  const response = await driver.one(RENEW, request, ({ errorCode }) => throwCode(errorCode, "RenewDelegationToken"));
  return response.expiryTimestampMs;
}

/** @param expiryTimePeriodMs from now; -1 is at once @returns when it expires now */
export async function expireDelegationToken(
  driver: AdminDriver,
  hmac: Uint8Array,
  expiryTimePeriodMs = -1,
): Promise<number> {
  const request = ExpireDelegationTokenRequest.create({ hmac, expiryTimePeriodMs });
  const response = await driver.one(EXPIRE, request, ({ errorCode }) => throwCode(errorCode, "ExpireDelegationToken"));
  return response.expiryTimestampMs;
}

/** @param owners all when left out */
export async function describeDelegationTokens(
  driver: AdminDriver,
  owners: readonly string[] | undefined,
): Promise<readonly DelegationToken[]> {
  const request = DescribeDelegationTokenRequest.create({ owners: owners?.map((owner) => principal(owner)) ?? null });
  const response = await driver.one(DESCRIBE, request, ({ errorCode }) =>
    throwCode(errorCode, "DescribeDelegationToken"),
  );
  return response.tokens.map((token) => ({
    tokenId: token.tokenId,
    hmac: token.hmac,
    owner: `${token.principalType}:${token.principalName}`,
    requester: `${token.tokenRequesterPrincipalType}:${token.tokenRequesterPrincipalName}`,
    issueTimestampMs: token.issueTimestamp,
    expiryTimestampMs: token.expiryTimestamp,
    maxTimestampMs: token.maxTimestamp,
    renewers: token.renewers.map(({ principalType, principalName }) => `${principalType}:${principalName}`),
  }));
}

/** @throws ConfigurationError */
function principal(text: string): { principalType: string; principalName: string } {
  const at = text.indexOf(":");
  if (at <= 0)
    throw new ConfigurationError(`${JSON.stringify(text)} is no principal: type:name is wanted, as in User:ada`);
  return { principalType: text.slice(0, at), principalName: text.slice(at + 1) };
}
