import { handleRecords } from "../consumer/processing/worker-pool.ts";

/** A handler that does what the value of a record says. */
handleRecords(({ value, offset }) => {
  const said = new TextDecoder().decode(value ?? undefined);
  if (said === "throw") throw new RangeError(`no ${offset}`);
  if (said === "throw a function") throw Object.assign(new Error("with more"), { more: () => offset });
  if (said === "exit") process.exit(1);
});
