import { ErrorCode } from "@samsa/base";
import { DescribeUserScramCredentialsRequest } from "@samsa/protocol/messages/describe-user-scram-credentials-request";
import type { DescribeUserScramCredentialsResponseCredentialInfo as CredentialInfo } from "@samsa/protocol/messages/describe-user-scram-credentials-response";
import { DescribeUserScramCredentialsResponse } from "@samsa/protocol/messages/describe-user-scram-credentials-response";
import type { ApiHandler } from "../api-handler.ts";

/** DescribeUserScramCredentials 0 (KIP-554): which mechanisms users may log in by. No names are all users. */
export const describeUserScramCredentials: ApiHandler<
  DescribeUserScramCredentialsRequest,
  DescribeUserScramCredentialsResponse
> = {
  request: DescribeUserScramCredentialsRequest,
  response: DescribeUserScramCredentialsResponse,

  handle({ users }, _context, { metadata }) {
    const byUser = new Map<string, CredentialInfo[]>();
    for (const { name, mechanism, iterations } of metadata.image.scram.values()) {
      const infos = byUser.get(name) ?? [];
      byUser.set(name, infos);
      infos.push({ mechanism, iterations });
    }
    const asked = users?.map(({ name }) => name) ?? [];
    const counts = new Map<string, number>();
    for (const name of asked.length > 0 ? asked : byUser.keys()) counts.set(name, (counts.get(name) ?? 0) + 1);
    const results = Array.from(counts, ([user, count]) => {
      const credentialInfos = byUser.get(user);
      if (count > 1) return refused(user, ErrorCode.DUPLICATE_RESOURCE, `${DESCRIBED_TWICE}${user}`);
      if (credentialInfos === undefined) return refused(user, ErrorCode.RESOURCE_NOT_FOUND, `${UNKNOWN_USER}${user}`);
      return { user, errorCode: ErrorCode.NONE, errorMessage: null, credentialInfos };
    });
    return DescribeUserScramCredentialsResponse.create({ results });
  },

  refuse: (_request, errorCode, errorMessage) =>
    DescribeUserScramCredentialsResponse.create({ errorCode, errorMessage }),
};

const DESCRIBED_TWICE = "Cannot describe SCRAM credentials for the same user twice in a single request: ";
const UNKNOWN_USER = "Attempt to describe a user credential that does not exist: ";

function refused(user: string, errorCode: ErrorCode, errorMessage: string) {
  return { user, errorCode, errorMessage, credentialInfos: [] };
}
