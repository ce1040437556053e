import { ListGroupsRequest } from "@samsa/protocol/messages/list-groups-request";
import { ListGroupsResponse } from "@samsa/protocol/messages/list-groups-response";
import type { ApiHandler } from "../api-handler.ts";

/**
 * ListGroups 0-5. v3 is flexible; v4 filters by state (KIP-518); v5 filters by type (KIP-848). Names of states and types count in
 * any case; a name that nobody has finds nothing.
 */
export const listGroups: ApiHandler<ListGroupsRequest, ListGroupsResponse> = {
  request: ListGroupsRequest,
  response: ListGroupsResponse,
  async handle({ statesFilter, typesFilter }, _context, { groups }) {
    const isWanted = (filter: readonly string[], value: string): boolean =>
      filter.length === 0 || filter.some((name) => name.toLowerCase() === value.toLowerCase());
    const found = await groups.listGroups();
    return ListGroupsResponse.create({
      groups: found
        .filter(({ state, type }) => isWanted(statesFilter, state) && isWanted(typesFilter, type))
        .map(({ groupId, protocolType, state, type }) => ({
          groupId,
          protocolType,
          groupState: state,
          groupType: type,
        })),
    });
  },
  refuse: (_request, errorCode) => ListGroupsResponse.create({ errorCode }),
};
