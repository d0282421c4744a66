/**
 * What the kernel has looked up and not given back. With much memory it keeps millions of files,
 * and the tree must know each of them as long; so beyond a limit it is asked to prune the oldest
 * that nobody uses. Pure: session.ts sends the notice.
 */
import type { Ino } from "../../base/ids.ts";

/** Of what may be known: from here on a long listing is of names alone. */
const unaskedShare = 1 / 4;
/** Whoever asks for this share of the names that were listed alone looks at files ... */
const lookingShare = 1 / 4;
/** ... as far as the last so many names tell. */
const aloneMax = 4096;
/** Of listings that might bring all files along: one does not, to see whether they are wanted. */
const listingsPerTrial = 8;

export class Lookups {
  /** Look-ups of each inode, the one that was told or asked for longest ago first. */
  readonly #counts = new Map<Ino, number>();
  readonly #knownMax: number;
  readonly #askedMax: number;
  #news = 0;
  /** Names that were listed without their files, and files that programs asked for, of late. */
  #alone = 0;
  #asked = 0;
  #listings = 0;

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

  /**
   * Whether a new listing shall bring all its files along, though many are known: when programs
   * have asked for most that came without. Those that only want names are not given any.
   */
  wantsFiles(): boolean {
    if (this.hasRoom) return true;
    const looks = this.#alone > 0 && this.#asked > this.#alone * lookingShare;
    return looks && ++this.#listings % listingsPerTrial !== 0;
  }

  listedAlone(names: number): void {
    this.#alone += names;
    if (this.#alone <= aloneMax) return;
    this.#alone /= 2;
    this.#asked /= 2;
  }

  /** A program wants this file, and had to ask for it. */
  asked(): void {
    if (this.#asked <= this.#alone) this.#asked++;
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
