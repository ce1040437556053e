import path from "node:path";
import process from "node:process";

/** How this program was called, so that the commands we suggest can be pasted. */
export function invocation(): string {
  const script = process.argv[1] ?? "samsa";
  // npm sets this for `npx samsa` and `npm start`; in both places `npx samsa` finds us.
  if (process.env["npm_command"] !== undefined) return "npx samsa";
  if (path.basename(script) !== "main.js") return "samsa";
  const fromHere = path.relative(process.cwd(), script);
  return `node ${fromHere.length < script.length ? fromHere : script}`;
}
