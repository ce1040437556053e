import { readBuffers } from "@samsa/log";
import type { FrameMemory } from "@samsa/protocol";

/**
 * Where requests lie that came in several reads. Large ones share the memory of reads from disk while some of it is idle: more than
 * that is not made for them, for a buffer may be many times as large as the request (docs/decisions/0039).
 */
export const requestFrames: FrameMemory = {
  take: (bytes) => readBuffers.takeIdle(bytes) ?? new Uint8Array(bytes),
  giveBack: (frame) => readBuffers.giveBack(frame),
};
