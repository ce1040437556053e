/** Runs one of the examples: `npm run example -- promises`. Without a name it lists them. */
import { spawn } from "node:child_process";
import { examples } from "./lib/examples.mjs";

const [wanted] = process.argv.slice(2);
const all = examples();
const found = all.find(({ name }) => name === wanted);
if (found === undefined) {
  if (wanted !== undefined) process.stderr.write(`samsa: there is no example named ${wanted}\n`);
  for (const { name, about } of all) process.stdout.write(`npm run example -- ${name.padEnd(14)} ${about}\n`);
  process.exitCode = wanted === undefined ? 0 : 2;
} else {
  const child = spawn(process.execPath, ["--enable-source-maps", found.program], { stdio: "inherit" });
  child.on("exit", (code) => (process.exitCode = code ?? 1));
}
