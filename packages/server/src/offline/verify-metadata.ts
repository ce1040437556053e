import type { Disk } from "@samsa/base";
import { KafkaError } from "@samsa/base";
import type { Report } from "@samsa/log";
import { metadataRecordToJson, readWholeFile, scanSegment } from "@samsa/log";
import { parseSnapshotFileName } from "@samsa/metadata";
import type { RecordBatch } from "@samsa/protocol";
import { ControlRecordType, readControlRecord } from "@samsa/protocol";

/** What a `quorum-state` has in every version, as numbers. */
const QUORUM_STATE_FIELDS = ["leaderId", "leaderEpoch", "votedId"];
const MOST_QUORUM_STATE_BYTES = 64 * 1024;

/**
 * The records of the metadata log and its snapshots, each decoded; batches and their CRCs have been looked at where they lie
 * in the log.
 */
export async function verifyMetadata(disk: Disk, folder: string, report: Report): Promise<void> {
  const files = (await disk.list(folder)).filter(({ isDirectory }) => !isDirectory).map(({ name }) => name);
  for (const name of files.toSorted()) {
    const file = `${folder}/${name}`;
    if (/^\d{20}\.log$/.test(name)) await verifyRecords(disk, file, report);
    else if (name.endsWith(".checkpoint")) {
      if (parseSnapshotFileName(name) === undefined) {
        report({ severity: "note", file, message: "the name is none of a snapshot" });
      }
      await verifySnapshot(disk, file, report);
    } else if (name === "quorum-state") await verifyQuorumState(disk, file, report);
  }
}

/** A file in the form of a snapshot, such as `bootstrap.checkpoint`: header, records, footer. */
export async function verifySnapshot(disk: Disk, file: string, report: Report): Promise<void> {
  const control: number[] = [];
  let lastIsFooter = false;
  await forEachBatch(disk, file, report, (batch, position) => {
    batch.ensureValid();
    lastIsFooter = false;
    if (!batch.isControlBatch) return checkRecords(batch, position, file, report);
    for (const record of batch.records()) {
      const type = readControlRecord(record)?.type;
      if (type !== undefined) control.push(type);
      lastIsFooter = type === ControlRecordType.SNAPSHOT_FOOTER;
    }
  });
  if (control[0] !== ControlRecordType.SNAPSHOT_HEADER) {
    report({ severity: "damage", file, position: 0, message: "a snapshot begins with its header, and there is none" });
  }
  if (!lastIsFooter)
    report({ severity: "damage", file, message: "a snapshot ends with its footer, and there is none" });
}

async function verifyRecords(disk: Disk, file: string, report: Report): Promise<void> {
  await forEachBatch(disk, file, undefined, (batch, position) => {
    // What is wrong with the batch itself has been told by whoever verified the log.
    if (batch.isValid() && !batch.isControlBatch) checkRecords(batch, position, file, report);
  });
}

function checkRecords(batch: RecordBatch, position: number, file: string, report: Report): void {
  for (const { value, offset } of batch.records()) {
    try {
      if (value === null)
        report({ severity: "damage", file, position, offset, message: "a metadata record without a value" });
      else metadataRecordToJson(value);
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      report({
        severity: "damage",
        file,
        position,
        offset,
        message: `no metadata record that is known: ${error.message}`,
      });
    }
  }
}

/** @param report told where the batches end before the file does; undefined when that is told elsewhere */
async function forEachBatch(
  disk: Disk,
  path: string,
  report: Report | undefined,
  visit: (batch: RecordBatch, position: number) => void,
): Promise<void> {
  const file = await disk.open(path);
  try {
    const scan = scanSegment(file);
    let next = await scan.next();
    for (; next.done !== true; next = await scan.next()) {
      for (const { batch, position } of next.value) {
        try {
          visit(batch, position);
        } catch (error) {
          if (!(error instanceof KafkaError)) throw error;
          report?.({ severity: "damage", file: path, position, offset: batch.baseOffset, message: error.message });
        }
      }
    }
    const { state, validBytes, problem } = next.value;
    if (state === "complete") return;
    report?.({ severity: "damage", file: path, position: validBytes, message: problem ?? "no batch begins here" });
  } finally {
    await file.close();
  }
}

async function verifyQuorumState(disk: Disk, file: string, report: Report): Promise<void> {
  const text = new TextDecoder().decode(await readWholeFile(disk, file, MOST_QUORUM_STATE_BYTES));
  const wrong = (message: string): void => report({ severity: "damage", file, message });
  try {
    const json: unknown = JSON.parse(text);
    const fields = new Map<string, unknown>(typeof json === "object" && json !== null ? Object.entries(json) : []);
    const missing = QUORUM_STATE_FIELDS.find((name) => !Number.isSafeInteger(fields.get(name) ?? -1));
    if (fields.size === 0) wrong("no object of JSON");
    else if (missing !== undefined) wrong(`${missing} is no number`);
    else if (![0, 1].includes(Number(fields.get("data_version")))) wrong("data_version is neither 0 nor 1");
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    wrong(`no JSON: ${error.message}`);
  }
}
