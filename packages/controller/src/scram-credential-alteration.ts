import { ErrorCode } from "@samsa/base";
import type { MetadataRecord } from "@samsa/metadata";
import { metadataRecord } from "@samsa/metadata";
import type {
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsRequestScramCredentialDeletion as Deletion,
  AlterUserScramCredentialsRequestScramCredentialUpsertion as Upsertion,
} from "@samsa/protocol/messages/alter-user-scram-credentials-request";
import { AlterUserScramCredentialsResponse } from "@samsa/protocol/messages/alter-user-scram-credentials-response";
import { ScramMechanismCode, scramKeys } from "@samsa/security";
import type { ApiError } from "./api-error.ts";
import { NO_ERROR } from "./api-error.ts";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";

const MIN_ITERATIONS = 4096;
const MAX_ITERATIONS = 16_384;

/**
 * Sets and removes what users log in with (KIP-554). A user changes once in a request: one that stands twice does not change.
 * The salted password is not kept, only the keys that a proof is checked with.
 */
export function alterUserScramCredentials(
  context: ControllerContext,
  { deletions, upsertions }: AlterUserScramCredentialsRequest,
): ControllerResult<AlterUserScramCredentialsResponse> {
  const changes = new Map<string, MetadataRecord>();
  const errors = new Map<string, ApiError>();
  const change = (name: string, check: () => ApiError | undefined, record: () => MetadataRecord): void => {
    if (errors.has(name)) return;
    const error = changes.delete(name) ? DUPLICATE : check();
    if (error === undefined) changes.set(name, record());
    else errors.set(name, error);
  };
  for (const deletion of deletions) {
    const { name, mechanism } = deletion;
    const record = () => metadataRecord("RemoveUserScramCredentialRecord", { name, mechanism });
    change(name, () => checkDeletion(context, deletion), record);
  }
  for (const upsertion of upsertions) {
    change(
      upsertion.name,
      () => checkUpsertion(context, upsertion),
      () => credentialRecord(upsertion),
    );
  }
  const changed = Array.from(changes.keys(), (user) => ({ user, ...NO_ERROR }));
  const refused = Array.from(errors, ([user, error]) => ({ user, ...error }));
  return {
    records: [...changes.values()],
    response: AlterUserScramCredentialsResponse.create({ results: [...changed, ...refused] }),
  };
}

function checkDeletion(context: ControllerContext, { name, mechanism }: Deletion): ApiError | undefined {
  const error = checkNameAndMechanism(context, name, mechanism);
  if (error !== undefined || context.image.scram.get(`${mechanism}:${name}`) !== undefined) return error;
  return refusal(ErrorCode.RESOURCE_NOT_FOUND, "Attempt to delete a user credential that does not exist");
}

function checkUpsertion(context: ControllerContext, { name, mechanism, iterations }: Upsertion): ApiError | undefined {
  const error = checkNameAndMechanism(context, name, mechanism);
  if (error !== undefined) return error;
  if (iterations < MIN_ITERATIONS) return refusal(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Too few iterations");
  if (iterations > MAX_ITERATIONS) return refusal(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Too many iterations");
  return undefined;
}

function checkNameAndMechanism({ image }: ControllerContext, name: string, mechanism: number): ApiError | undefined {
  if (!image.features.metadataVersion.isScramSupported) {
    return refusal(ErrorCode.UNSUPPORTED_VERSION, "The current metadata.version does not support SCRAM");
  }
  if (name === "") return refusal(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Username must not be empty");
  if (mechanismOf(mechanism) === undefined) {
    return refusal(ErrorCode.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism");
  }
  return undefined;
}

/** Of an upsertion that has been checked. */
function credentialRecord({ name, mechanism, salt, saltedPassword, iterations }: Upsertion): MetadataRecord {
  const keys = scramKeys(mechanismOf(mechanism) ?? ScramMechanismCode.SCRAM_SHA_256, saltedPassword);
  return metadataRecord("UserScramCredentialRecord", { name, mechanism, salt: salt.slice(), ...keys, iterations });
}

function mechanismOf(code: number): ScramMechanismCode | undefined {
  return Object.values(ScramMechanismCode).find((known) => known === code);
}

function refusal(errorCode: ErrorCode, errorMessage: string): ApiError {
  return { errorCode, errorMessage };
}

const DUPLICATE = refusal(
  ErrorCode.DUPLICATE_RESOURCE,
  "A user credential cannot be altered twice in the same request",
);
