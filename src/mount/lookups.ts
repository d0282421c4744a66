/**
 * What the kernel has looked up and not given back. With much memory it keeps millions of files,
 * and the tree must know each of them as long; so beyond a limit it is asked to prune the oldest
 * that nobody uses. Pure: session.ts sends the notice.
 */
import type { Ino } from "../base/ids.ts";

/** Of what may be known: from here on a long listing is of names alone. */
const unaskedShare = 1 / 4;

export class Lookups {
  /** Look-ups of each inode, the one that was told or asked for longest ago first. */
  readonly #counts = new Map<Ino, number>();
  readonly #knownMax: number;
  readonly #askedMax: number;
  #news = 0;

  constructor(options: { readonly knownMax: number; readonly askedMax: number }) {
    this.#knownMax = options.knownMax;
    this.#askedMax = options.askedMax;
  }

  get size(): number {
    return this.#counts.size;
  }

  /** Files that nobody asked for may be told as well: none that is in use must go for them. */
  get hasRoom(): boolean {
    return this.#counts.size < this.#knownMax * unaskedShare;
  }

  told(ino: Ino): void {
    this.#counts.set(ino, (this.#counts.get(ino) ?? 0) + 1);
    this.#news++;
  }

  forgot(ino: Ino, lookups: number): void {
    const left = (this.#counts.get(ino) ?? 0) - lookups;
    if (left > 0) this.#counts.set(ino, left);
    else this.#counts.delete(ino);
  }

  /**
   * Whom to ask for now: at most two for each that came, since those in use stay. They go to the
   * end of the line.
   */
  surplus(): readonly Ino[] {
    if (this.#counts.size <= this.#knownMax || this.#news * 2 < this.#askedMax) return [];
    this.#news = 0;
    const oldest: Ino[] = [];
    for (const ino of this.#counts.keys()) {
      if (oldest.length === this.#askedMax) break;
      oldest.push(ino);
    }
    for (const ino of oldest) {
      const count = this.#counts.get(ino) as number;
      this.#counts.delete(ino);
      this.#counts.set(ino, count);
    }
    return oldest;
  }
}
