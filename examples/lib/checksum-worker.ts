import { createHash } from "node:crypto";
import { handleRecords } from "@samsa/client";

/** The thread of worker-threads.ts: work that would hold up everything else if the event loop did it. */
handleRecords(({ offset, value }) => {
  let digest = value ?? new Uint8Array();
  for (let i = 0; i < 1000; i++) digest = createHash("sha256").update(digest).digest();
  if (offset === 3) throw new Error("told by a thread");
});
