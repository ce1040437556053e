import type { KafkaError } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import { AlterUserScramCredentialsRequest } from "@samsa/protocol/messages/alter-user-scram-credentials-request";
import { AlterUserScramCredentialsResponse } from "@samsa/protocol/messages/alter-user-scram-credentials-response";
import { DescribeUserScramCredentialsRequest } from "@samsa/protocol/messages/describe-user-scram-credentials-request";
import { DescribeUserScramCredentialsResponse } from "@samsa/protocol/messages/describe-user-scram-credentials-response";
import type { ScramMechanism } from "@samsa/security";
import { saltedPassword } from "@samsa/security";
import { api } from "../connection/api.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf, throwCode } from "./admin-driver.ts";
import { ItemResults } from "./item-results.ts";
import type { NameOf } from "./names.ts";
import { nameOf, SCRAM_MECHANISMS } from "./names.ts";
import { toController } from "./routes.ts";
import { byName } from "./topics.ts";

const DESCRIBE_USERS = api(DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse);
const ALTER_USERS = api(AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse);
const DEFAULT_ITERATIONS = 4096;
const SALT_BYTES = 24;

export interface ScramCredential {
  readonly mechanism: NameOf<typeof SCRAM_MECHANISMS>;
  readonly iterations: number;
}

export type ScramAlteration =
  | { readonly user: string; readonly mechanism: ScramMechanism; readonly delete: true }
  | {
      readonly user: string;
      readonly mechanism: ScramMechanism;
      readonly password: string;
      readonly iterations?: number; // default 4096, the least a broker takes
      readonly salt?: Uint8Array; // default: drawn
    };

/** KIP-554. Named by user. */
export async function describeUserScramCredentials(
  driver: AdminDriver,
  users: readonly string[] | undefined,
): Promise<ItemResults<readonly ScramCredential[]>> {
  const request = DescribeUserScramCredentialsRequest.create({ users: users?.map((name) => ({ name })) ?? null });
  const response = await driver.one(DESCRIBE_USERS, request, ({ errorCode, errorMessage }) =>
    throwCode(errorCode, "DescribeUserScramCredentials", errorMessage),
  );
  return new ItemResults(
    new Map(
      response.results.map(({ user, errorCode, errorMessage, credentialInfos }) => [
        user,
        errorCode === ErrorCode.NONE
          ? credentialInfos.map(({ mechanism, iterations }) => ({
              mechanism: nameOf(SCRAM_MECHANISMS, mechanism),
              iterations,
            }))
          : (errorOf(errorCode, `user ${user}`, errorMessage) as KafkaError),
      ]),
    ),
  );
}

/** The password does not leave this process: brokers keep what is derived from it. */
export async function alterUserScramCredentials(
  driver: AdminDriver,
  alterations: readonly ScramAlteration[],
): Promise<void> {
  const upsertions: {
    name: string;
    mechanism: number;
    iterations: number;
    salt: Uint8Array;
    saltedPassword: Uint8Array;
  }[] = [];
  for (const alteration of alterations) {
    if ("delete" in alteration) continue;
    const { user, mechanism, password, iterations = DEFAULT_ITERATIONS } = alteration;
    const salt = alteration.salt ?? randomSalt(driver);
    const derived = await saltedPassword(mechanism, password, salt, iterations);
    upsertions.push({ name: user, mechanism: SCRAM_MECHANISMS[mechanism], iterations, salt, saltedPassword: derived });
  }
  const deletions = alterations.flatMap((alteration) =>
    "delete" in alteration ? [{ name: alteration.user, mechanism: SCRAM_MECHANISMS[alteration.mechanism] }] : [],
  );
  // The answer speaks of users, not of their credentials one by one.
  const users = [...new Set(alterations.map(({ user }) => user))];
  const results = await driver.items<string, true>({
    what: "AlterUserScramCredentials",
    items: users,
    nameOf: (user) => user,
    route: toController,
    ask: async (connection, some) => {
      const request = AlterUserScramCredentialsRequest.create({
        deletions: deletions.filter(({ name }) => some.includes(name)),
        upsertions: upsertions.filter(({ name }) => some.includes(name)),
      });
      const { results: told } = await connection.send(ALTER_USERS, request);
      const answers = told.map(({ user, errorCode, errorMessage }): [string, true | KafkaError] => [
        user,
        errorOf(errorCode, `user ${user}`, errorMessage) ?? true,
      ]);
      return byName(some, (user) => user, answers);
    },
  });
  results.all();
}

function randomSalt({ cluster }: AdminDriver): Uint8Array {
  const salt = new Uint8Array(SALT_BYTES);
  cluster.options.random.fill(salt);
  return salt;
}
