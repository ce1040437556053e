import type { Uuid } from "@samsa/base";
import type { ControllerRegistration, Endpoint, MetadataRecord } from "@samsa/metadata";
import { ConfigResourceType, controllerRecord, metadataRecord, SUPPORTED_FEATURES } from "@samsa/metadata";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";

const MIN_INSYNC_REPLICAS = "min.insync.replicas";

/**
 * What a controller writes when it becomes the active one: into an empty log the records that formatting left, and what its
 * features need.
 *
 * @param bootstrapRecords of formatting
 * @param openTransaction the name of a transaction that the controller before did not end
 */
export function activate(
  { image, config }: ControllerContext,
  bootstrapRecords: readonly MetadataRecord[],
  openTransaction: string | undefined,
): ControllerResult<undefined> {
  const records: MetadataRecord[] = [];
  if (openTransaction !== undefined) {
    const reason = "The active controller has changed.";
    records.push(metadataRecord("AbortTransactionRecord", { reason }));
  }
  if (image.features.metadataVersion.level > 0) return { records, response: undefined };

  records.push(metadataRecord("BeginTransactionRecord", { name: "Bootstrap records" }), ...bootstrapRecords);
  // With ELR the least ISR is the cluster's to know, not each broker's: it decides who may lead.
  const value = config.explicit.get(MIN_INSYNC_REPLICAS) ?? String(config.number(MIN_INSYNC_REPLICAS));
  records.push(
    metadataRecord("ConfigRecord", {
      resourceType: ConfigResourceType.BROKER,
      resourceName: "",
      name: MIN_INSYNC_REPLICAS,
      value,
    }),
    metadataRecord("EndTransactionRecord", {}),
  );
  return { records, response: undefined };
}

export interface ControllerRegistrationRequest {
  readonly controllerId: number;
  readonly incarnationId: Uuid;
  readonly listeners: readonly Endpoint[];
}

/** Tells the cluster where a controller is and what it supports. */
export function registerController(
  _context: ControllerContext,
  request: ControllerRegistrationRequest,
): ControllerResult<undefined> {
  const registration: ControllerRegistration = {
    id: request.controllerId,
    incarnationId: request.incarnationId,
    listeners: new Map(request.listeners.map((listener) => [listener.name, listener])),
    supportedFeatures: SUPPORTED_FEATURES,
    zkMigrationReady: false,
  };
  return { records: [controllerRecord(registration)], response: undefined };
}
