import type { KafkaError } from "@samsa/base";
import { CreateAclsRequest } from "@samsa/protocol/messages/create-acls-request";
import { CreateAclsResponse } from "@samsa/protocol/messages/create-acls-response";
import { DeleteAclsRequest } from "@samsa/protocol/messages/delete-acls-request";
import { DeleteAclsResponse } from "@samsa/protocol/messages/delete-acls-response";
import { DescribeAclsRequest } from "@samsa/protocol/messages/describe-acls-request";
import { DescribeAclsResponse } from "@samsa/protocol/messages/describe-acls-response";
import { api } from "../connection/api.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf, throwCode } from "./admin-driver.ts";
import type { ItemResults } from "./item-results.ts";
import type { AclOperation, NameOf } from "./names.ts";
import { ACL_OPERATIONS, ACL_PATTERN_TYPES, ACL_PERMISSIONS, ACL_RESOURCE_TYPES, nameOf } from "./names.ts";
import { anyBroker } from "./routes.ts";

const DESCRIBE_ACLS = api(DescribeAclsRequest, DescribeAclsResponse);
const CREATE_ACLS = api(CreateAclsRequest, CreateAclsResponse);
const DELETE_ACLS = api(DeleteAclsRequest, DeleteAclsResponse);

export interface AclBinding {
  readonly resourceType: NameOf<typeof ACL_RESOURCE_TYPES>;
  readonly resourceName: string;
  readonly patternType: NameOf<typeof ACL_PATTERN_TYPES>;
  readonly principal: string; // as in User:ada
  readonly host: string; // * for all
  readonly operation: AclOperation;
  readonly permissionType: NameOf<typeof ACL_PERMISSIONS>;
}

/** What is left out matches all. */
export type AclFilter = Partial<AclBinding>;

export async function describeAcls(driver: AdminDriver, filter: AclFilter): Promise<readonly AclBinding[]> {
  const response = await driver.one(
    DESCRIBE_ACLS,
    DescribeAclsRequest.create(wire(filter)),
    ({ errorCode, errorMessage }) => throwCode(errorCode, "DescribeAcls", errorMessage),
  );
  return response.resources.flatMap(({ resourceType, resourceName, patternType, acls }) =>
    acls.map((acl) => binding({ resourceType, resourceName, patternType, ...acl })),
  );
}

export async function createAcls(driver: AdminDriver, bindings: readonly AclBinding[]): Promise<void> {
  const results = await driver.items<AclBinding, true>({
    what: "CreateAcls",
    items: bindings,
    nameOf: nameOfBinding,
    route: anyBroker,
    ask: async (connection, some) => {
      const request = CreateAclsRequest.create({
        creations: some.map((one) => ({
          resourceType: ACL_RESOURCE_TYPES[one.resourceType],
          resourceName: one.resourceName,
          resourcePatternType: ACL_PATTERN_TYPES[one.patternType],
          principal: one.principal,
          host: one.host,
          operation: ACL_OPERATIONS[one.operation],
          permissionType: ACL_PERMISSIONS[one.permissionType],
        })),
      });
      const { results: told } = await connection.send(CREATE_ACLS, request);
      return inOrder(
        some,
        told,
        (one, { errorCode, errorMessage }) =>
          errorOf(errorCode, `ACL ${nameOfBinding(one)}`, errorMessage) ?? (true as const),
      );
    },
  });
  results.all();
}

/** Named by the place of the filter, from 0; the answers are what was deleted. */
export async function deleteAcls(
  driver: AdminDriver,
  filters: readonly AclFilter[],
): Promise<ItemResults<readonly AclBinding[]>> {
  return await driver.items<AclFilter, readonly AclBinding[]>({
    what: "DeleteAcls",
    items: filters,
    nameOf: (filter) => String(filters.indexOf(filter)),
    route: anyBroker,
    ask: async (connection, some) => {
      const request = DeleteAclsRequest.create({ filters: some.map((filter) => wire(filter)) });
      const { filterResults } = await connection.send(DELETE_ACLS, request);
      return inOrder(some, filterResults, (_, { errorCode, errorMessage, matchingAcls }) => {
        const failed = matchingAcls.find((acl) => acl.errorCode !== 0);
        const error = errorOf(errorCode, "DeleteAcls", errorMessage);
        if (error !== undefined) return error;
        if (failed !== undefined) {
          return errorOf(failed.errorCode, `ACL ${nameOfBinding(binding(failed))}`, failed.errorMessage) as KafkaError;
        }
        return matchingAcls.map((acl) => binding(acl));
      });
    },
  });
}

/** Answers that have no names and come in the order of the request. */
function inOrder<Item, Answer, T>(
  items: readonly Item[],
  answers: readonly Answer[],
  read: (item: Item, answer: Answer) => T,
): ReadonlyMap<Item, T> {
  const found = new Map<Item, T>();
  for (const [index, item] of items.entries()) {
    const answer = answers[index];
    if (answer !== undefined) found.set(item, read(item, answer));
  }
  return found;
}

interface WireBinding {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly patternType: number;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}

function binding(acl: WireBinding): AclBinding {
  return {
    resourceType: nameOf(ACL_RESOURCE_TYPES, acl.resourceType),
    resourceName: acl.resourceName,
    patternType: nameOf(ACL_PATTERN_TYPES, acl.patternType),
    principal: acl.principal,
    host: acl.host,
    operation: nameOf(ACL_OPERATIONS, acl.operation),
    permissionType: nameOf(ACL_PERMISSIONS, acl.permissionType),
  };
}

function wire(filter: AclFilter): {
  resourceTypeFilter: number;
  resourceNameFilter: string | null;
  patternTypeFilter: number;
  principalFilter: string | null;
  hostFilter: string | null;
  operation: number;
  permissionType: number;
} {
  return {
    resourceTypeFilter: ACL_RESOURCE_TYPES[filter.resourceType ?? "any"],
    resourceNameFilter: filter.resourceName ?? null,
    patternTypeFilter: ACL_PATTERN_TYPES[filter.patternType ?? "any"],
    principalFilter: filter.principal ?? null,
    hostFilter: filter.host ?? null,
    operation: ACL_OPERATIONS[filter.operation ?? "any"],
    permissionType: ACL_PERMISSIONS[filter.permissionType ?? "any"],
  };
}

function nameOfBinding(one: AclBinding): string {
  const { permissionType, principal, operation, resourceType, patternType, resourceName, host } = one;
  return `${permissionType} ${principal} ${operation} ${resourceType} ${patternType} ${resourceName} from ${host}`;
}
