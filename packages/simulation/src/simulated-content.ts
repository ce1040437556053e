import type { Random } from "@samsa/base";

/** A change of a file that no sync has made safe yet. */
type ContentChange =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly size: number };

/**
 * What the loss of power makes of the changes since the last sync. `kept`, `dropped`: all or none of them. `prefix`: the first
 * ones, the last of these torn at any byte. `zeros`: the size is recorded, the content is not. `sectors`: each sector, and the
 * size, as at some moment since the sync, independently.
 */
export type ContentFate = "kept" | "dropped" | "prefix" | "zeros" | "sectors";

export const CONTENT_FATES: readonly ContentFate[] = ["kept", "dropped", "prefix", "zeros", "sectors"];

const SECTOR_SIZES = [16, 512, 4096];

/**
 * The content of one file, twice: as the process sees it (the page cache), and as the last sync left it on the platter. What
 * lies between is a list of changes, from which a loss of power makes its choice.
 */
export class SimulatedContent {
  readonly kind = "file";
  /** Taken for durable at once: a file system that lost it would only make the file look older. */
  modifiedMs = 0;
  #cached = new Uint8Array(0); // may be longer than the file
  #size = 0;
  #durable: Uint8Array = new Uint8Array(0);
  #changes: ContentChange[] = [];
  #changeCount = 0; // since the file was made
  #settled = 0; // how many of those are no longer in the list

  static of(bytes: Uint8Array): SimulatedContent {
    const content = new SimulatedContent();
    content.#become(bytes.slice());
    return content;
  }

  get size(): number {
    return this.#size;
  }

  /** For `settle`: how many changes have been made so far. */
  get changeCount(): number {
    return this.#changeCount;
  }

  /** A copy of what the process sees. */
  bytes(): Uint8Array {
    return this.#cached.slice(0, this.#size);
  }

  read(position: number, into: Uint8Array): number {
    const end = Math.min(this.#size, position + into.length);
    if (end <= position) return 0;
    into.set(this.#cached.subarray(position, end));
    return end - position;
  }

  write(position: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#note({ kind: "write", position, bytes: bytes.slice() });
    const end = position + bytes.length;
    if (end > this.#cached.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#cached.length));
      grown.set(this.#cached.subarray(0, this.#size));
      this.#cached = grown;
    }
    this.#cached.set(bytes, position);
    this.#size = Math.max(this.#size, end);
  }

  truncate(size: number): void {
    if (size === this.#size) return;
    this.#note({ kind: "truncate", size });
    const resized = new Uint8Array(size);
    resized.set(this.#cached.subarray(0, Math.min(size, this.#size)));
    this.#cached = resized;
    this.#size = size;
  }

  /** A sync has succeeded: it makes safe what had been changed when it was called. */
  settle(changeCount: number): void {
    const count = Math.max(0, changeCount - this.#settled);
    for (const change of this.#changes.splice(0, count)) this.#durable = applied(this.#durable, change);
    this.#settled += count;
  }

  /**
   * A sync has failed. As on Linux, the pages that could not be written count as clean: the process goes on reading them, and no
   * later sync writes them. What reached the platter is decided here.
   */
  lose(random: Random): void {
    this.#durable = this.#survivor(pick(random, CONTENT_FATES), random);
    this.#settled += this.#changes.length;
    this.#changes = [];
  }

  /** The power goes: the file is what has survived. */
  loseCache(fate: ContentFate, random: Random): void {
    this.#become(this.#survivor(fate, random));
  }

  /** The process ends and the system goes on: nothing is lost. */
  keepCache(): void {
    this.#become(this.bytes());
  }

  #become(bytes: Uint8Array): void {
    this.#durable = bytes;
    this.#cached = bytes.slice();
    this.#size = bytes.length;
    this.#settled += this.#changes.length;
    this.#changes = [];
  }

  #note(change: ContentChange): void {
    this.#changes.push(change);
    this.#changeCount++;
  }

  #survivor(fate: ContentFate, random: Random): Uint8Array {
    const changes = this.#changes;
    if (changes.length === 0 || fate === "dropped") return this.#durable;
    switch (fate) {
      case "kept":
        return this.#after(changes.length);
      case "prefix":
        return this.#tornPrefix(random);
      case "zeros": {
        const size = this.#after(changes.length).length;
        return applied(this.#durable, { kind: "truncate", size });
      }
      case "sectors":
        return this.#mixedSectors(random);
    }
  }

  #after(count: number): Uint8Array {
    return this.#changes.slice(0, count).reduce(applied, this.#durable);
  }

  #tornPrefix(random: Random): Uint8Array {
    const count = random.uint32() % this.#changes.length;
    const before = this.#after(count);
    const torn = this.#changes[count];
    if (torn?.kind !== "write") return before;
    const bytes = torn.bytes.subarray(0, random.uint32() % (torn.bytes.length + 1));
    return applied(before, { kind: "write", position: torn.position, bytes });
  }

  #mixedSectors(random: Random): Uint8Array {
    const sectorBytes = pick(random, SECTOR_SIZES);
    const versions: Uint8Array[] = [this.#durable];
    for (const change of this.#changes) versions.push(applied(versions.at(-1) ?? this.#durable, change));
    const survivor = new Uint8Array(pick(random, versions).length);
    for (let at = 0; at < survivor.length; at += sectorBytes) {
      const end = Math.min(at + sectorBytes, survivor.length);
      const version = pick(random, versions); // beyond its end there are zeros
      if (version.length > at) survivor.set(version.subarray(at, Math.min(end, version.length)), at);
    }
    return survivor;
  }
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.uint32() % choices.length] as T;
}

function applied(content: Uint8Array, change: ContentChange): Uint8Array {
  const isWrite = change.kind === "write" && change.bytes.length > 0;
  const size =
    change.kind === "truncate" ? change.size : Math.max(content.length, change.position + change.bytes.length);
  if (change.kind === "write" && !isWrite) return content;
  const result = new Uint8Array(size);
  result.set(content.subarray(0, Math.min(size, content.length)));
  if (change.kind === "write") result.set(change.bytes, change.position);
  return result;
}
