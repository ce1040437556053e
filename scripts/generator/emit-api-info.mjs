/** Writes the table of the APIs: small, and without a codec, for those who only need numbers and versions. */

import { parseVersions } from "./schema.mjs";

/** @typedef {import("./schema.mjs").MessageSchema} MessageSchema */

/**
 * @param {readonly MessageSchema[]} schemas
 * @returns {string}
 */
export function emitApiInfo(schemas) {
  const apis = schemas
    .filter(({ kind, versions }) => kind === "request" && versions !== "none")
    .map((request) => ({ request, apiKey: request.apiKey ?? -1, name: request.name.replace(/Request$/, "") }))
    .sort((a, b) => a.apiKey - b.apiKey);
  for (const { request, name } of apis)
    checkPair(
      request,
      schemas.find((schema) => schema.name === `${name}Response`),
    );
  const keys = apis.map(({ name, apiKey }) => `  ${name}: ${apiKey},`);
  const rows = apis.map(({ request, apiKey, name }) => {
    const { lowest, highest } = parseVersions(request.versions);
    const firstFlexible =
      request.flexible === undefined || request.flexible === "none"
        ? "Infinity"
        : parseVersions(request.flexible).lowest;
    const listeners = (request.listeners ?? []).map((listener) => JSON.stringify(listener)).join(", ");
    return `  row(${apiKey}, ${JSON.stringify(name)}, ${lowest}, ${highest}, ${request.unstable === true}, ${firstFlexible}, [${listeners}]),`;
  });
  return `// Generated from schemas/ by scripts/generate-messages.mjs.

/** The keys of Kafka 4.4's APIs, named as their messages are: \`Fetch\` for FetchRequest and FetchResponse. */
export const ApiKey = {
${keys.join("\n")}
} as const;
export type ApiKey = (typeof ApiKey)[keyof typeof ApiKey];

export interface ApiInfo {
  readonly apiKey: ApiKey;
  readonly name: keyof typeof ApiKey;
  readonly lowestVersion: number;
  readonly highestVersion: number;
  /** The highest version may still change and is not for production. */
  readonly latestVersionUnstable: boolean;
  /** From this version on, request and response are flexible (KIP-482); infinite when never. */
  readonly firstFlexibleVersion: number;
  /** On which listeners the API is served. */
  readonly listeners: readonly ("broker" | "controller")[];
}

function row(
  apiKey: ApiKey,
  name: keyof typeof ApiKey,
  lowestVersion: number,
  highestVersion: number,
  latestVersionUnstable: boolean,
  firstFlexibleVersion: number,
  listeners: ApiInfo["listeners"],
): readonly [number, ApiInfo] {
  return [
    apiKey,
    { apiKey, name, lowestVersion, highestVersion, latestVersionUnstable, firstFlexibleVersion, listeners },
  ];
}

/** Every API that has versions, in order of the keys. */
export const API_INFO: ReadonlyMap<number, ApiInfo> = new Map([
${rows.join("\n")}
]);
`;
}

/**
 * One version is negotiated for both ways, so both must have it.
 *
 * @param {MessageSchema} request
 * @param {MessageSchema | undefined} response
 */
function checkPair(request, response) {
  const alike =
    response !== undefined &&
    request.apiKey === response.apiKey &&
    request.versions === response.versions &&
    request.flexible === response.flexible;
  if (!alike) throw new Error(`${request.name} has no response of the same versions`);
}
