/**
 * Bugs that implementations of transactions have had, each as a small change of what is built. `mutate-transactions.mjs` makes one
 * after the other, and the simulation has to find it.
 */

/**
 * @typedef {object} Patch
 * @property {string} file under packages/
 * @property {string} from there once
 * @property {string} to
 */

/**
 * @typedef {object} Mutation
 * @property {string} name
 * @property {string} like where it has been seen
 * @property {string} what
 * @property {readonly Patch[]} patches
 */

const DECISIONS = "coordinator/dist/transaction/transaction-decisions.js";
const METADATA = "coordinator/dist/transaction/transaction-metadata.js";
const SHARD = "coordinator/dist/transaction/transaction-coordinator-shard.js";
const STATE = "coordinator/dist/transaction/transaction-state.js";
const CONTEXT = "coordinator/dist/runtime/coordinator-context.js";
const PRODUCERS = "log/dist/producer-state-manager.js";
const ENTRY = "log/dist/producer-state-entry.js";
const LOADER = "log/dist/producer-state-loader.js";
const INDEX = "log/dist/transaction-index.js";
const PRODUCE = "broker/dist/handlers/produce.js";
const PARTITION = "replication/dist/partition.js";
const VERIFICATION = "broker/dist/transaction-verification.js";

const DECIDED = `            onCommitted: (later) => {
                later.reply(reply, { errorCode, producer });
                this.#onMoved(later, transactionalId, next);
            },`;
const REPLY_WHEN_COMMITTED = `(isOutcome && this.#lastWrite === writesBefore ? answer() : this.#answer(answer))`;
const EXACT_EPOCH_V2 = `refuse(ErrorCode.INVALID_TXN_STATE);
    if (current.producerEpoch !== producerEpoch)`;
const EXACT_EPOCH_V1 = `(KAFKA-9600).
    if (current.producerEpoch !== producerEpoch)`;

/** @type {readonly Mutation[]} */
export const TRANSACTION_MUTATIONS = [
  {
    name: "late-write",
    like: "KIP-890, KAFKA-14402",
    what: "a write of an epoch that is over begins a transaction that nobody ends",
    patches: [
      {
        file: VERIFICATION,
        from: "return code === ErrorCode.NONE ? verdict : refusal(code, support);",
        to: "return code === ErrorCode.NONE || code === ErrorCode.PRODUCER_FENCED ? verdict : refusal(code, support);",
      },
    ],
  },
  {
    name: "late-end",
    like: "KIP-890, KAFKA-14402",
    what: "an end that comes late ends the next transaction",
    patches: [{ file: DECISIONS, from: EXACT_EPOCH_V2, to: EXACT_EPOCH_V2.replace("!==", "<") }],
  },
  {
    name: "one-epoch",
    like: "KIP-890",
    what: "transactions V2 go on under the epoch they had",
    patches: [
      {
        file: METADATA,
        from: "const isBumped = hasEpochBump(clientTransactionVersion);",
        to: "const isBumped = false;",
      },
    ],
  },
  {
    name: "higher-epoch",
    like: "KAFKA-9600",
    what: "an end is taken under an epoch above that of the transaction",
    patches: [
      { file: DECISIONS, from: EXACT_EPOCH_V1, to: EXACT_EPOCH_V1.replace("!==", ">") },
      { file: DECISIONS, from: EXACT_EPOCH_V2, to: EXACT_EPOCH_V2.replace("!==", ">") },
    ],
  },
  {
    name: "epochs-without-end",
    like: "KAFKA-9666",
    what: "nobody notices that the epochs of a producer id are used up: the last one is given again",
    patches: [{ file: METADATA, from: "return epoch >= LAST_EPOCH_OF_A_PRODUCER;", to: "return false;" }],
  },
  {
    name: "epoch-overflow",
    like: "KAFKA-18660",
    what: "after the last epoch comes the first, of the same producer id",
    patches: [
      { file: METADATA, from: "return epoch >= LAST_EPOCH_OF_A_PRODUCER;", to: "return false;" },
      {
        file: METADATA,
        from: "Math.min(current.producerEpoch + 1, MAX_EPOCH)",
        to: "(current.producerEpoch + 1) % MAX_EPOCH",
      },
    ],
  },
  {
    name: "prepared-forgotten",
    like: "KAFKA-16352",
    what: "what was decided before a crash is not carried out after it",
    patches: [
      {
        file: SHARD,
        from: `            if (isPrepared(metadata.state))
                this.#writeMarkers(step, transactionalId, metadata);`,
        to: "",
      },
    ],
  },
  {
    name: "completion-leaves-state",
    like: "KAFKA-16352",
    what: "the list of what is left to be marked outlives its transaction",
    patches: [{ file: SHARD, from: "        this.#unmarked.delete(transactionalId);", to: "" }],
  },
  {
    name: "markers-once",
    like: "KAFKA-16352",
    what: "a marker that could not be written is not tried again",
    patches: [
      {
        file: SHARD,
        from: `        else
            this.#writeMarkersLater(step, transactionalId, prepared);`,
        to: "",
      },
    ],
  },
  {
    name: "fenced-in-flight",
    like: "KAFKA-16352",
    what: "a second producer takes over while the markers of the first are in flight",
    patches: [
      {
        file: DECISIONS,
        from: `    if (isPrepared(state))
        return refuse(ErrorCode.CONCURRENT_TRANSACTIONS);
    if (expected`,
        to: "    if (expected",
      },
      { file: STATE, from: `PrepareCommit: ["CompleteCommit"]`, to: `PrepareCommit: ["CompleteCommit", "Empty"]` },
      { file: STATE, from: `PrepareAbort: ["CompleteAbort"]`, to: `PrepareAbort: ["CompleteAbort", "Empty"]` },
    ],
  },
  {
    name: "open-expires",
    like: "KAFKA-9144, KIP-854",
    what: "a producer is forgotten while it has a transaction open",
    patches: [
      {
        file: PRODUCERS,
        from: "if (!isOpen && nowMs - entry.lastTimestamp >= expirationMs)",
        to: "if (nowMs - entry.lastTimestamp >= expirationMs)",
      },
    ],
  },
  {
    name: "markers-not-replayed",
    like: "KAFKA-7190",
    what: "producers that are made anew from the log know nothing of markers",
    patches: [
      {
        file: LOADER,
        from: `const marker = "records" in batch ? endMarkerOf(batch) : undefined;`,
        to: "const marker = undefined;",
      },
    ],
  },
  {
    name: "snapshot-without-open",
    like: "KAFKA-9144",
    what: "a snapshot of the producers leaves out what is open",
    patches: [
      {
        file: ENTRY,
        from: "currentTxnFirstOffset: this.#currentTxnFirstOffset,",
        to: "currentTxnFirstOffset: NO_TRANSACTION,",
      },
    ],
  },
  {
    name: "stable-offset-of-newest",
    like: "KAFKA-9807, Redpanda #10671",
    what: "the last stable offset is that of the newest open transaction",
    patches: [
      {
        file: PRODUCERS,
        from: `            first = offset;
            break;`,
        to: "            first = offset;",
      },
    ],
  },
  {
    name: "stable-offset-apart",
    like: "KAFKA-9807",
    what: "records are read up to the high watermark, whatever the last stable offset says",
    patches: [
      {
        file: PARTITION,
        from: "const upToOffset = isCommitted ? lastStableOffset : highWatermark;",
        to: "const upToOffset = highWatermark;",
      },
    ],
  },
  {
    name: "aborted-beyond",
    like: "KAFKA-9807",
    what: "the list of the aborted leaves out those whose marker is beyond what is read",
    patches: [
      {
        file: INDEX,
        from: "transaction.lastOffset >= startOffset && transaction.firstOffset < endOffset",
        to: "transaction.lastOffset >= startOffset && transaction.lastOffset < endOffset",
      },
    ],
  },
  {
    name: "begun-in-memory",
    like: "Redpanda #6018",
    what: "a transaction that has begun is written down when it ends",
    patches: [
      {
        file: SHARD,
        from: "        step.append([{ transactionalId, metadata: next }], {\n            onCommitted: (later) => {\n                later.reply",
        to: `        if (next.state === "Ongoing") {
            this.#transactions.set(transactionalId, next);
            step.reply(reply, { errorCode, producer });
            return;
        }
        step.append([{ transactionalId, metadata: next }], {\n            onCommitted: (later) => {\n                later.reply`,
      },
    ],
  },
  {
    name: "duplicates-across-transactions",
    like: "Redpanda #5026",
    what: "a batch is a duplicate when the transaction before had one of the same sequences",
    patches: [
      {
        file: ENTRY,
        from: `        if (producerEpoch !== this.#producerEpoch)
            return undefined;
        for`,
        to: "        for",
      },
      { file: ENTRY, from: "        this.#batches = [];\n    }", to: "    }" },
    ],
  },
  {
    name: "commit-retry-refused",
    like: "Redpanda #3501",
    what: "who asks again whether the commit was taken hears that there is nothing to commit",
    patches: [
      {
        file: DECISIONS,
        from: "return isEndedSo(current, isCommit) ? told(current) : refuse(ErrorCode.INVALID_TXN_STATE);",
        to: "return refuse(ErrorCode.INVALID_TXN_STATE);",
      },
    ],
  },
  {
    name: "write-told-early",
    like: "Redpanda #14794",
    what: "a write is told to its producer before it is safe, and may be gone when the transaction is committed",
    patches: [
      {
        file: PRODUCE,
        from: `        if (append !== undefined)
            await beforeDeadline(append.written, deadline, services);`,
        to: "",
      },
    ],
  },
  {
    name: "end-told-early",
    like: "Redpanda #6018",
    what: "a commit is told to its producer before it is written",
    patches: [
      { file: CONTEXT, from: REPLY_WHEN_COMMITTED, to: "answer()" },
      {
        file: SHARD,
        from: DECIDED,
        to: `            onCommitted: (later) => this.#onMoved(later, transactionalId, next),`,
      },
      {
        file: SHARD,
        from: "            onFailed: (later, error) => later.fail(reply, error),\n        });\n    }\n    #context",
        to: "        });\n        step.reply(reply, { errorCode, producer });\n    }\n    #context",
      },
    ],
  },
  {
    name: "markers-early",
    like: "KIP-98's first rule",
    what: "markers leave before the decision is written",
    patches: [
      {
        file: SHARD,
        from: DECIDED,
        to: `            onCommitted: (later) => later.reply(reply, { errorCode, producer }),`,
      },
      {
        file: SHARD,
        from: "            onFailed: (later, error) => later.fail(reply, error),\n        });\n    }\n    #context",
        to: `            onFailed: (later, error) => later.fail(reply, error),
        });
        step.setTimer(\`early \${transactionalId}\`, 0, (later) => this.#onMoved(later, transactionalId, next));
    }
    #context`,
      },
    ],
  },
];

/**
 * @param {string} text
 * @param {Patch} patch
 * @returns {string}
 * @throws {Error} when what it changes is not there, or there twice
 */
export function applyPatch(text, { file, from, to }) {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times, not once:\n${from}`);
  return parts.join(to);
}
