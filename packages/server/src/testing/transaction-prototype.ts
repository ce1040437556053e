import { ByteWriter } from "@samsa/base";
import { encodeRequest, RecordBatchBuilder } from "@samsa/protocol";
import {
  createCreateTopicsRequestCreatableTopic,
  CreateTopicsRequest,
} from "@samsa/protocol/messages/create-topics-request";
import { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import { FindCoordinatorResponse } from "@samsa/protocol/messages/find-coordinator-response";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import { TransactionLogKey } from "@samsa/protocol/messages/transaction-log-key";
import { TransactionLogValue } from "@samsa/protocol/messages/transaction-log-value";
import { SeededRandom, SimulatedDisk } from "@samsa/simulation";
import { produceRequest } from "./produce-and-fetch.ts";
import type { RawClient } from "./raw-client.ts";
import { BrokerLife } from "./simulated-broker.ts";
import { PARTITIONS, TOPIC } from "./transaction-processes.ts";
import { TurningClock } from "./turning-clock.ts";

const STATE_TOPIC = "__transaction_state";

/**
 * A broker that has the topic, and transactional ids that have had so many epochs, as the files of its disk.
 * @param epochs the last one of each id
 */
export async function makePrototype(
  epochs: ReadonlyMap<string, number>,
  properties: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const disk = new SimulatedDisk();
  const life = new BrokerLife(disk, new TurningClock());
  await life.start(new SeededRandom(1), properties);
  const client = await life.connect();
  const topics = [
    createCreateTopicsRequestCreatableTopic({ name: TOPIC, numPartitions: PARTITIONS, replicationFactor: 1 }),
  ];
  await client.request(CreateTopicsRequest, CreateTopicsResponse, 7, CreateTopicsRequest.create({ topics }));
  for (const keyType of [0, 1]) {
    const find = FindCoordinatorRequest.create({ keyType, coordinatorKeys: ["a"] });
    await client.request(FindCoordinatorRequest, FindCoordinatorResponse, 6, find);
  }
  for (const [id, producerEpoch] of epochs) {
    const producerId = await newProducerId(client);
    const request = produceRequest(stateRecord(id, producerId, producerEpoch), { topic: STATE_TOPIC });
    client.sendBytes(...encodeRequest(ProduceRequest, request, 12, 0, "__admin_client"));
    await client.nextFrame();
  }
  await life.stop();
  return disk.files();
}

async function newProducerId(client: RawClient): Promise<number> {
  const body = InitProducerIdRequest.create({ transactionalId: null });
  return (await client.request(InitProducerIdRequest, InitProducerIdResponse, 5, body)).producerId;
}

/** As Kafka writes it: an id that has had so many epochs. */
function stateRecord(transactionalId: string, producerId: number, producerEpoch: number): Uint8Array {
  const key = new ByteWriter();
  key.int16(0);
  TransactionLogKey.write(key, { transactionalId }, 0);
  const value = new ByteWriter();
  value.int16(1);
  const state = { producerId, producerEpoch, transactionTimeoutMs: 60_000, transactionPartitions: null };
  const times = { transactionLastUpdateTimestampMs: 1_700_000_000_000, transactionStartTimestampMs: -1 };
  TransactionLogValue.write(value, TransactionLogValue.create({ ...state, ...times }), 1);
  const batch = new RecordBatchBuilder();
  batch.append({ timestamp: 1_700_000_000_000, key: key.toBytes(), value: value.toBytes() });
  return batch.build();
}
