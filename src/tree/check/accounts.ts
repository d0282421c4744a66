/**
 * What a check must remember of a whole drive: which inode numbers it met, and how many names each
 * linked file has. A bit for a number, thirteen bytes for a linked file; no names, no contents.
 */
import { limits } from "../../base/limits.ts";

const segmentInos = 2 ** 20;

export class InoSet {
  readonly #segments = new Map<number, Uint8Array>();

  /** False when it was there already. Beyond the limit of memory it believes every number new. */
  add(ino: number): boolean {
    const number = Math.floor(ino / segmentInos);
    const segment = this.#segments.get(number) ?? this.#begin(number);
    if (segment === undefined) return true;
    const at = ino % segmentInos;
    const byte = segment[at >> 3] as number;
    const bit = 1 << (at & 7);
    segment[at >> 3] = byte | bit;
    return (byte & bit) === 0;
  }

  #begin(number: number): Uint8Array | undefined {
    const full = this.#segments.size >= limits.tree.checkedSegmentsMax;
    if (full) return undefined;
    const fresh = new Uint8Array(segmentInos / 8);
    this.#segments.set(number, fresh);
    return fresh;
  }
}

/** Linked files, by number. */
export class LinkCounts {
  #inos = new Float64Array(64);
  #told = new Uint32Array(64);
  #seen = new Uint32Array(64);
  #types = new Uint8Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Cheap in ascending order. `type` is the mode's type bits. */
  add(file: { readonly ino: number; readonly links: number; readonly type: number }): void {
    if (this.#length === this.#inos.length) this.#grow();
    const at = this.#lowerBound(file.ino);
    for (const column of [this.#inos, this.#told, this.#seen, this.#types]) {
      column.copyWithin(at + 1, at, this.#length);
    }
    this.#inos[at] = file.ino;
    this.#told[at] = file.links;
    this.#seen[at] = 0;
    this.#types[at] = file.type >> 12;
    this.#length++;
  }

  /** Counts one name of this file; its type bits, or undefined when there is no such file. */
  name(ino: number): number | undefined {
    const at = this.#find(ino);
    if (at === undefined) return undefined;
    this.#seen[at] = (this.#seen[at] as number) + 1;
    return (this.#types[at] as number) << 12;
  }

  /** Files whose names are not as many as their inode tells. */
  *wrong(): Generator<{ readonly ino: number; readonly told: number; readonly seen: number }> {
    for (let at = 0; at < this.#length; at++) {
      const told = this.#told[at] as number;
      const seen = this.#seen[at] as number;
      if (told !== seen) yield { ino: this.#inos[at] as number, told, seen };
    }
  }

  #find(ino: number): number | undefined {
    const at = this.#lowerBound(ino);
    return at < this.#length && this.#inos[at] === ino ? at : undefined;
  }

  #lowerBound(ino: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#inos[middle] as number) < ino) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    const grown = this.#inos.length * 2;
    this.#inos = copied(this.#inos, new Float64Array(grown));
    this.#told = copied(this.#told, new Uint32Array(grown));
    this.#seen = copied(this.#seen, new Uint32Array(grown));
    this.#types = copied(this.#types, new Uint8Array(grown));
  }
}

function copied<T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
