import path from "node:path";
import process from "node:process";
import type { Admin } from "@samsa/client";
import type { Diagnosis } from "@samsa/server";
import {
  checkClock,
  checkCodecs,
  checkDataDirectory,
  checkDescriptors,
  checkFsync,
  checkLock,
  checkMemory,
  checkNode,
  checkSpace,
  portState,
} from "@samsa/server";
import type { ConnectOptions } from "../client.ts";
import { withKafka } from "../client.ts";
import { ExitCode } from "../exit-code.ts";
import { invocation } from "../invocation.ts";
import { bold, red } from "../talk.ts";

export interface DoctorOptions extends ConnectOptions {
  readonly port?: number;
  readonly host?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

const DEFAULT_PORT = 9092;
const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_DATA_DIR = "samsa-data";
const MOST_CLOCK_DIFFERENCE_MS = 5000;

/** Tells what it finds as it finds it, a line or an object each. */
export async function doctor(options: DoctorOptions): Promise<ExitCode> {
  let hasFailed = false;
  for await (const found of diagnoses(options)) {
    hasFailed ||= found.outcome === "fail";
    process.stdout.write(options.json === true ? `${JSON.stringify(found)}\n` : shown(found));
  }
  return hasFailed ? ExitCode.KAFKA_ERROR : ExitCode.DONE;
}

function shown({ check, outcome, message, advice }: Diagnosis): string {
  const mark = outcome.padEnd(6);
  const lines = [
    `${outcome === "fail" ? red(mark) : outcome === "warn" ? bold(mark) : mark}${check.padEnd(13)}${message}`,
  ];
  if (advice !== undefined) lines.push(`${" ".repeat(19)}${advice}`);
  return `${lines.join("\n")}\n`;
}

async function* diagnoses(options: DoctorOptions): AsyncGenerator<Diagnosis> {
  yield* [checkNode(), checkCodecs(), checkMemory(), checkDescriptors(), checkClock()];
  // Who names a port or a folder means this machine, whatever the environment says of brokers.
  const isHere = options.port !== undefined || options.host !== undefined || options.dataDir !== undefined;
  if (!isHere && options.bootstrapServer !== undefined && options.bootstrapServer !== "") {
    yield* await brokerChecks(options, options.bootstrapServer, undefined);
    return;
  }
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, dataDir = DEFAULT_DATA_DIR } = options;
  if (dataDir !== "memory") {
    const directory = path.resolve(dataDir);
    yield await checkDataDirectory(directory);
    yield checkLock(directory);
    yield await checkSpace(directory);
    yield await checkFsync(directory);
  }
  const state = await portState(host, port);
  switch (state.kind) {
    case "free":
      yield ok("port", `${host}:${port} is free; nothing runs there`);
      break;
    case "refused":
      yield { check: "port", outcome: "fail", message: state.reason, advice: "give another --host or --port" };
      break;
    case "taken":
      yield* await brokerChecks(options, `${host}:${port}`, state.holder ?? "another process");
  }
}

/** @param holder who has the port, where the port was looked at; then something that does not answer may be no broker at all */
async function brokerChecks(
  options: DoctorOptions,
  bootstrapServer: string,
  holder: string | undefined,
): Promise<readonly Diagnosis[]> {
  try {
    return await withKafka({ ...options, bootstrapServer }, async (kafka) => {
      const admin = kafka.admin();
      const { clusterId, controllerId, brokers } = await admin.describeCluster();
      const by = holder === undefined ? "" : `, ${holder}`;
      const ids = brokers.map(({ nodeId }) => nodeId).join(", ");
      return [
        ok(
          "broker",
          `cluster ${clusterId} answers at ${bootstrapServer}${by}: brokers ${ids}, controller ${controllerId}`,
        ),
        ...(await listenerChecks(admin, brokers)),
        ...(await clockChecks(admin)),
      ];
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (holder === undefined) {
      const advice = "is it running, are host and port right, and does it want -X security.protocol=…?";
      return [{ check: "broker", outcome: "fail", message, advice }];
    }
    const { port = DEFAULT_PORT } = options;
    return [
      {
        check: "port",
        outcome: "fail",
        message: `${bootstrapServer} is taken by ${holder}, which does not speak Kafka as we do: ${message}`,
        advice: `stop it, or take another port: ${invocation()} start --port ${port === 65_535 ? port - 1 : port + 1}`,
      },
    ];
  }
}

/** The first contact is an address that we know; all that follows goes where the brokers say. */
async function listenerChecks(
  admin: Admin,
  brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[],
): Promise<readonly Diagnosis[]> {
  const served = await admin.describeApiVersions(brokers.map(({ nodeId }) => nodeId));
  return brokers.map(({ nodeId, host, port }) => {
    const where = `broker ${nodeId} at ${host}:${port}`;
    const error = served.errors.get(String(nodeId));
    if (error === undefined) return ok("listeners", `${where}, as it announces itself, answers`);
    return {
      check: "listeners",
      outcome: "fail",
      message: `${where}, as it announces itself, does not answer: ${error.message}`,
      advice: "set its advertised.listeners to an address that can be reached from here",
    };
  });
}

/** The leader of the quorum tells its own time as that of its last fetch. Who may not ask is told nothing. */
async function clockChecks(admin: Admin): Promise<readonly Diagnosis[]> {
  try {
    const { leaderId, voters } = await admin.describeMetadataQuorum();
    const theirs = voters.find(({ replicaId }) => replicaId === leaderId)?.lastFetchTimestamp;
    if (theirs === undefined) return [];
    const differenceMs = Date.now() - theirs;
    if (Math.abs(differenceMs) < MOST_CLOCK_DIFFERENCE_MS)
      return [ok("time", "this machine and the controller agree on it")];
    const message = `this machine is ${Math.abs(differenceMs)} ms ${differenceMs > 0 ? "ahead of" : "behind"} the controller`;
    return [
      {
        check: "time",
        outcome: "warn",
        message,
        advice: "set both clocks with NTP: records carry the time of clients",
      },
    ];
  } catch {
    return [];
  }
}

function ok(check: string, message: string): Diagnosis {
  return { check, outcome: "ok", message };
}
