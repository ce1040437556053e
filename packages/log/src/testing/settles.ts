const HANGS_AFTER_TURNS = 20_000;

/** Settles as the promise does; what has not after very many turns of the event loop never will, and is an error. */
export async function settles<T>(promise: Promise<T>, isOver: () => boolean = () => false): Promise<T | "over"> {
  let isSettled = false;
  const settled = promise.finally(() => (isSettled = true));
  settled.catch(() => undefined);
  for (let turn = 0; turn < HANGS_AFTER_TURNS; turn++) {
    await new Promise(setImmediate);
    if (isOver()) return "over";
    if (isSettled) return await settled;
  }
  throw new Error("it hangs");
}
