import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { TransportError } from "@samsa/base";
import { TcpTransport } from "@samsa/io";

/** How a port stands: nobody has it, somebody has it, or it is not for us. */
export type PortState =
  | { readonly kind: "free" }
  | { readonly kind: "taken"; readonly holder: string | undefined } // "process 42 (node …)", where the system tells
  | { readonly kind: "refused"; readonly reason: string };

/** Listens there for a moment. */
export async function portState(host: string, port: number): Promise<PortState> {
  try {
    const nobody = { onData() {}, onDrain() {}, onClose() {} };
    const listener = await new TcpTransport().listen({ host, port }, () => nobody);
    await listener.close();
    return { kind: "free" };
  } catch (error) {
    const code = error instanceof TransportError ? error.code : undefined;
    if (code === "EADDRINUSE") return { kind: "taken", holder: portHolder(port) };
    return { kind: "refused", reason: error instanceof Error ? error.message : String(error) };
  }
}

const LISTENING = "0A";

/** Who listens on a port, as /proc tells it; undefined elsewhere, and for processes of other users. */
function portHolder(port: number): string | undefined {
  const inodes = new Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => listeningInodes(readText(file), port)));
  if (inodes.size === 0) return undefined;
  for (const pid of entries("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of entries(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkTo(`/proc/${pid}/fd/${descriptor}`))?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      const command = readText(`/proc/${pid}/cmdline`).split("\0").filter(Boolean).slice(0, 3).join(" ");
      return `process ${pid} (${command})`;
    }
  }
  return undefined;
}

/** @param table the text of /proc/net/tcp: sl, local address:port in hex, remote, state … inode */
export function listeningInodes(table: string, port: number): readonly string[] {
  return table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, local = "", , state]) => state === LISTENING && Number.parseInt(local.split(":").at(-1) ?? "", 16) === port,
    )
    .map((columns) => columns[9] ?? "");
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkTo(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return "";
  }
}
