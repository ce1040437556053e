import { statSync } from "node:fs";
import process from "node:process";
import type { DumpItem, DumpSink, RecordDecoder } from "@samsa/server";
import { canDump, dumpFiles, dumpItemText, jsonText } from "@samsa/server";
import { CommandError, ExitCode, UsageError } from "../exit-code.ts";
import { Output } from "../output.ts";

export interface DumpCommandOptions {
  readonly files?: string;
  readonly printDataLog?: boolean;
  readonly deepIteration?: boolean;
  readonly verifyIndexOnly?: boolean;
  readonly indexSanityCheck?: boolean;
  readonly skipRecordMetadata?: boolean;
  readonly maxBytes?: number;
  readonly offsetsDecoder?: boolean;
  readonly transactionLogDecoder?: boolean;
  readonly clusterMetadataDecoder?: boolean;
  readonly shareGroupStateDecoder?: boolean;
  readonly json?: boolean;
}

/** Writes what files of a data directory hold, in the words of Kafka's DumpLogSegments. */
export async function dumpLog(names: readonly string[], options: DumpCommandOptions): Promise<ExitCode> {
  const files = [...names, ...(options.files ?? "").split(",").filter((name) => name !== "")];
  if (files.length === 0) throw new UsageError("which file? For example: samsa log dump samsa-data/orders-0/*.log");
  for (const file of files) checkFile(file);
  const decoder = decoderOf(options);
  const printDataLog = options.printDataLog === true || decoder !== "string";
  const isSound = await dumpFiles(
    files,
    {
      isDeep: printDataLog || options.deepIteration === true,
      printDataLog,
      decoder,
      skipRecordMetadata: options.skipRecordMetadata === true,
      maxBytes: options.maxBytes ?? Infinity,
      verifyIndexOnly: options.verifyIndexOnly === true,
      indexSanityCheck: options.indexSanityCheck === true,
    },
    options.json === true ? jsonSink() : textSink(options.skipRecordMetadata === true),
  );
  return isSound ? ExitCode.DONE : ExitCode.KAFKA_ERROR;
}

/** @throws CommandError, UsageError saying what is there instead */
function checkFile(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) throw new CommandError(ExitCode.KAFKA_ERROR, `${file}: no such file`);
  if (stats.isDirectory()) {
    throw new CommandError(ExitCode.KAFKA_ERROR, `${file} is a folder; a dump is of files`, [
      `its segments:  samsa log segments ${file}`,
      `its records:   samsa log dump ${file.replace(/\/$/u, "")}/*.log --print-data-log`,
    ]);
  }
  const name = file.slice(file.lastIndexOf("/") + 1);
  if (canDump(name)) return;
  throw new CommandError(ExitCode.KAFKA_ERROR, `${file}: the name says nothing of what is in the file`, [
    "files of a partition:  .log .index .timeindex .txnindex .snapshot leader-epoch-checkpoint partition.metadata",
    "of the metadata:       .checkpoint quorum-state meta.properties",
  ]);
}

function decoderOf(options: DumpCommandOptions): RecordDecoder {
  const asked = (
    [
      ["offsets", options.offsetsDecoder],
      ["transaction-log", options.transactionLogDecoder],
      ["cluster-metadata", options.clusterMetadataDecoder],
      ["share-group-state", options.shareGroupStateDecoder],
    ] as const
  ).filter(([, isAsked]) => isAsked === true);
  if (asked.length > 1) throw new UsageError("records are decoded in one way: name one of the decoders");
  return asked[0]?.[0] ?? "string";
}

/** As Kafka does: what was found to stdout, what is wrong to stderr. */
function textSink(skipRecordMetadata: boolean): DumpSink {
  const output = new Output();
  const encoder = new TextEncoder();
  return {
    put(item) {
      const text = `${dumpItemText(item, { skipRecordMetadata })}\n`;
      if (item.kind === "problem") process.stderr.write(text);
      else output.put(encoder.encode(text));
    },
    drain: () => output.drain(),
  };
}

function jsonSink(): DumpSink {
  const output = new Output();
  const encoder = new TextEncoder();
  return {
    put: (item) => output.put(encoder.encode(`${jsonText(asJson(item))}\n`)),
    drain: () => output.drain(),
  };
}

function asJson(item: DumpItem): object {
  if (item.kind !== "record" || item.control === undefined) return item;
  const { control, ...record } = item;
  return { ...record, control: { type: control.type, value: control.value ?? null } };
}
