import type { SimulatedContent } from "./simulated-content.ts";

export type SimulatedNode = SimulatedFolder | SimulatedContent;

interface FolderEdit {
  readonly folder: SimulatedFolder;
  readonly name: string;
  readonly node: SimulatedNode | undefined; // undefined: the name goes
}

/** Names that change together or not at all: one name made or removed, or both of a rename. */
type FolderChange = readonly FolderEdit[];

/**
 * The names of one folder, twice: as the process sees them, and as they are on the platter. What lies between is a list of
 * changes, of which a loss of power keeps the first ones: any number of them for each folder. That is less than any journal
 * keeps (ext4 and XFS order the changes of all folders together), so nothing that holds here fails there.
 */
export class SimulatedFolder {
  readonly kind = "folder";
  entries: ReadonlyMap<string, SimulatedNode> = new Map();
  #durable = new Map<string, SimulatedNode>();
  #changes: FolderChange[] = [];

  /** How many changes a sync that begins now would make safe. */
  get changes(): readonly FolderChange[] {
    return this.#changes;
  }

  /** Makes changes that go together, in one folder or two. */
  static change(edits: FolderChange): void {
    for (const { folder, name, node } of edits) {
      const entries = new Map(folder.entries);
      if (node === undefined) entries.delete(name);
      else entries.set(name, node);
      folder.entries = entries;
      if (folder.#changes.at(-1) !== edits) folder.#changes.push(edits);
    }
  }

  /** Makes safe the changes up to this one, and in the other folder of a rename what came before it. */
  settle(last: FolderChange | undefined): void {
    const count = last === undefined ? 0 : this.#changes.indexOf(last) + 1;
    for (const change of this.#changes.splice(0, count)) {
      for (const { folder, name, node } of change) {
        if (folder !== this) folder.settle(change);
        else if (node === undefined) this.#durable.delete(name);
        else this.#durable.set(name, node);
      }
    }
  }

  /** The power goes: the folder has the names that are safe. */
  loseCache(): void {
    this.#changes = [];
    this.entries = new Map(this.#durable);
  }
}
