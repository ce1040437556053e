import { AlterUserScramCredentialsRequest } from "@samsa/protocol/messages/alter-user-scram-credentials-request";
import { AlterUserScramCredentialsResponse } from "@samsa/protocol/messages/alter-user-scram-credentials-response";
import type { ApiHandler } from "../api-handler.ts";

/** AlterUserScramCredentials 0 (KIP-554). */
export const alterUserScramCredentials: ApiHandler<
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse
> = {
  request: AlterUserScramCredentialsRequest,
  response: AlterUserScramCredentialsResponse,
  handle: (request, _context, { controller }) => controller.alterUserScramCredentials(request),
  refuse({ deletions, upsertions }, errorCode, errorMessage) {
    const users = new Set([...deletions, ...upsertions].map(({ name }) => name));
    const results = Array.from(users, (user) => ({ user, errorCode, errorMessage }));
    return AlterUserScramCredentialsResponse.create({ results });
  },
};
