// The project's own codecs by the names of the APIs, for suites that say themselves what they ask.

/** @returns by each name `{ request, response }` */
export async function loadCodecs(apis) {
  const codecs = {};
  for (const api of apis) {
    const file = api.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
    const { [`${api}Request`]: request } = await import(`@samsa/protocol/messages/${file}-request`);
    const { [`${api}Response`]: response } = await import(`@samsa/protocol/messages/${file}-response`);
    codecs[api] = { request, response };
  }
  return codecs;
}
