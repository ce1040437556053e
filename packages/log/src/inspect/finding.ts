/**
 * Something that a check of files came across, at a place as precise as can be told.
 *
 * - `damage`: data is lost or cannot be trusted.
 * - `repairable`: an index, a snapshot or a checkpoint is wrong; a broker makes it anew when it starts.
 * - `note`: worth knowing and nothing wrong, such as what an unclean stop leaves behind.
 */
export interface Finding {
  readonly severity: "damage" | "repairable" | "note";
  readonly file: string; // below the data directory
  readonly position?: number | undefined; // in bytes from the start of the file
  readonly offset?: number | undefined; // of the record or batch that is meant
  readonly message: string;
}

export type Report = (finding: Finding) => void;
