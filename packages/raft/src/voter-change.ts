import type { VoterNode } from "./voter-set.ts";

/** A change of the voters that is under way at the leader. There is one at a time. */
export type VoterChange =
  | {
      readonly kind: "add";
      readonly requestId: number;
      readonly deadlineMs: number;
      readonly voter: VoterNode;
      readonly ackWhenCommitted: boolean;
      /** Asks the new voter which kraft.version it knows; then waits for the record that adds it. */
      step:
        | { readonly kind: "api-versions"; readonly correlationId: number | undefined }
        | { readonly kind: "commit"; readonly offset: number; readonly isAnswered: boolean };
    }
  | {
      readonly kind: "remove";
      readonly requestId: number;
      readonly deadlineMs: number;
      readonly voterId: number;
      readonly offset: number;
    }
  | {
      readonly kind: "update";
      readonly requestId: number;
      readonly deadlineMs: number;
      readonly offset: number;
    };
