import { parentThread } from "../worker-threads.ts";

/** Posts back what it gets, or throws what it is told to. */
const parent = parentThread();
parent?.onMessage((message) => {
  const { fail } = message as { readonly fail?: string };
  if (fail !== undefined) throw new Error(fail);
  parent.post(message);
});
