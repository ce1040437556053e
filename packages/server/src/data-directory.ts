import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { StartError } from "./server-error.ts";

/** What a start that was cut off leaves behind before there is a meta.properties, and what file systems put into a folder. */
const OUR_OWN =
  /^(?:\..*|__cluster_metadata-0|bootstrap\.checkpoint|meta\.properties.*|.*-checkpoint(?:\.tmp)?|lost\+found)$/;

/**
 * Refuses a folder with other things in it, before anything is written there: someone's home, or the records of a broker whose
 * meta.properties is gone. Its topics would be unknown to new metadata, and so be taken for what is left of deleted ones.
 * @throws StartError naming one of these things
 */
export function refuseForeignDirectory(directory: string): void {
  if (existsSync(path.join(directory, "meta.properties"))) return;
  const names = readdirSync(directory);
  const foreign = names.find((name) => !OUR_OWN.test(name));
  if (foreign === undefined) return;
  if (names.includes("__cluster_metadata-0")) {
    throw new StartError(
      `${directory}/meta.properties is gone, and records of topics are there, such as ${JSON.stringify(foreign)}: put the file back, ` +
        "or give another folder as --data-dir",
    );
  }
  throw new StartError(
    `${directory} has no meta.properties, so no broker kept its records there, and it holds ${JSON.stringify(foreign)}; ` +
      "give a new or an empty folder as --data-dir",
  );
}
