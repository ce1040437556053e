// The least that can answer transactions: a server of Node that cuts frames and has the same answer to each request of an API, with a
// look at nothing but its key and its number. What a commit takes here is the machine's, the generator's and Node's. Tells its port.
import { createServer } from "node:net";
import process from "node:process";
import { encodeResponse, FrameDecoder } from "@samsa/protocol";
import { EndTxnResponse } from "@samsa/protocol/messages/end-txn-response";
import {
  createFindCoordinatorResponseCoordinator as coordinatorOf,
  FindCoordinatorResponse,
} from "@samsa/protocol/messages/find-coordinator-response";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import {
  createProduceResponsePartitionProduceResponse as partitionOf,
  createProduceResponseTopicProduceResponse as topicOf,
  ProduceResponse,
} from "@samsa/protocol/messages/produce-response";

const MAX_FRAME_BYTES = 100 * 1024 * 1024;
const CORRELATION_ID_AT = 4; // in a request, and in an answer behind its length

/** By API key, in the versions that the generator speaks: one topic of one partition, one transactional id. */
const ANSWERS = new Map([
  answerOf(ProduceResponse, 12, { responses: [topicOf({ partitionResponses: [partitionOf()] })] }),
  answerOf(FindCoordinatorResponse, 4, { coordinators: [coordinatorOf()] }),
  answerOf(InitProducerIdResponse, 4, { producerId: 1 }),
  answerOf(EndTxnResponse, 5, { producerId: 1, producerEpoch: 1 }),
]);

function answerOf(codec, version, fields) {
  return [codec.apiKey, Buffer.concat(encodeResponse(codec, codec.create(fields), version, 0))];
}

const server = createServer({ noDelay: true }, (socket) => {
  const frames = new FrameDecoder(MAX_FRAME_BYTES);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    for (const frame of frames.push(chunk)) {
      const request = new DataView(frame.buffer, frame.byteOffset);
      const answer = Buffer.from(ANSWERS.get(request.getInt16(0)));
      answer.writeInt32BE(request.getInt32(CORRELATION_ID_AT), CORRELATION_ID_AT);
      socket.write(answer);
    }
  });
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.once("disconnect", () => process.exit());
