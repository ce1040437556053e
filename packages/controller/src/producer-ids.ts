import { metadataRecord } from "@samsa/metadata";
import { checkBrokerEpoch } from "./broker-lifecycle.ts";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";

/** Ids of one block. A broker that stops leaves the rest of its block unused. */
export const PRODUCER_ID_BLOCK_SIZE = 1000;

export interface ProducerIdsBlock {
  readonly firstProducerId: number;
  readonly length: number;
}

/** Gives a broker producer ids that nobody else has or will have. */
export function allocateProducerIds(
  context: ControllerContext,
  brokerId: number,
  brokerEpoch: number,
): ControllerResult<ProducerIdsBlock> {
  checkBrokerEpoch(context, brokerId, brokerEpoch);
  const firstProducerId = Math.max(0, context.image.producerIds.nextProducerId);
  const nextProducerId = firstProducerId + PRODUCER_ID_BLOCK_SIZE;
  return {
    records: [metadataRecord("ProducerIdsRecord", { brokerId, brokerEpoch, nextProducerId })],
    response: { firstProducerId, length: PRODUCER_ID_BLOCK_SIZE },
  };
}
