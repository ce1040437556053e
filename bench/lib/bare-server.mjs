// The least that can answer a request: a server of Node that cuts frames and sends the same answer to each, without a look at what was
// asked. What a latency is here is the machine's, the generator's and Node's, and no broker in Node can be below it. Tells its port.
import { createServer } from "node:net";
import process from "node:process";

/** Zeros are an answer to Produce that has no error, for any topic of a short name. */
const ANSWER = Buffer.alloc(128);
ANSWER.writeInt32BE(ANSWER.length - 4, 0);

const server = createServer({ noDelay: true }, (socket) => {
  let pending = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    let bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      bytes = bytes.subarray(4 + bytes.readInt32BE(0));
      socket.write(ANSWER);
    }
    pending = bytes;
  });
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.once("disconnect", () => process.exit());
