/**
 * Copies of what a folder was, with the holders, after somebody was shut out of it and all of it
 * was sealed anew: which segments have some, however full they are of other things, and who has
 * confirmed by a signed word that they are gone. The reclaimer finds and moves, outgoing.ts and
 * surplus.ts let go; here it is kept what all that is for. Keys of the KeyValue:
 *
 *   x/clear        varint era | varint when all below its folders was sealed anew, or 0
 *   k/SEGMENT      it was there then: nothing that came later has old copies
 *   y/SEGMENT      something in it was found to be garbage since
 *   e/ERA/PEER     varint segments that it was to let go of | varint that it confirmed
 *   z/ERA/PEER/SEGMENT  its word (crypt/records/deletions.ts)
 */
import type { KeyChange, KeyValue } from "../../base/blocks.ts";
import { transferKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import { isFault } from "../../base/errors.ts";
import { type PeerId, type SegmentId, parsePeerId, parseSegmentId } from "../../base/ids.ts";
import type { Release } from "../../base/records.ts";
import type { SealedEra } from "../../base/sharing.ts";
import type { HolderWord } from "../../base/views/sharing.ts";
import { parseDeletion } from "../../crypt/records/deletions.ts";
import type { SegmentBooks } from "../books.ts";

/** What the newest era is waited for, if anything. */
export interface Clearance {
  readonly era: number;
  /** All of it is sealed anew: what is garbage from here on is all that there was. */
  readonly isSealed: boolean;
  /** All that is garbage was found; snapshots from before still name more. */
  readonly isHeld: boolean;
  /** Segments that still have something of it. */
  readonly segments: number;
}

export interface ClearingNeeds {
  readonly books: KeyValue;
  readonly segments: Pick<SegmentBooks, "all" | "get">;
}

interface Count {
  readonly asked: number;
  readonly confirmed: number;
}

interface Leaving {
  readonly era: number;
  readonly changes: readonly KeyChange[];
}

const none = Buffer.alloc(0);
const { clearing: clearingKey, oldSegment: oldKeys, doomedSegment: doomedKeys } = transferKeys;
const { clearedCount: countKeys, clearedWord: wordKeys } = transferKeys;

export class Clearing {
  readonly #needs: ClearingNeeds;
  #era = 0;
  #sealedAtMs = 0;
  /** A count of this life was of all that there was. */
  #isCounted = false;
  /** Something that is kept of the past is older than what was sealed anew. */
  #isHeld = false;
  /** Those that may have old copies, once that is known. */
  readonly #old = new Set<SegmentId>();
  readonly #marked = new Set<SegmentId>();
  readonly #counts = new Map<number, Map<PeerId, Count>>();

  constructor(needs: ClearingNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    const { books } = this.#needs;
    const value = await books.get(clearingKey);
    if (value !== undefined) {
      const reader = new Reader(value, "transfer.clear");
      this.#era = reader.varint();
      this.#sealedAtMs = reader.varint();
      reader.end();
    }
    const sets = [[doomedKeys, this.#marked], [oldKeys, this.#old]] as const;
    for (const [keys, set] of sets) {
      for await (const [key] of books.list(keys)) set.add(parseSegmentId(key.slice(keys.length)));
    }
    for await (const [key, counted] of books.list(countKeys)) {
      const [, era, peer = ""] = key.split("/");
      const reader = new Reader(counted, "transfer.clear");
      const count = { asked: reader.varint(), confirmed: reader.varint() };
      this.#of(Number(era)).set(parsePeerId(peer), count);
    }
  }

  /** Undefined while nothing is to be cleared. */
  get wanted(): Clearance | undefined {
    if (this.#era === 0) return undefined;
    const isHeld = this.#isCounted && this.#isHeld;
    return { era: this.#era, isSealed: this.#isSealed, isHeld, segments: this.#marked.size };
  }

  /** A count is due, which no other has made needless. */
  get isDue(): boolean {
    return this.#isSealed && !this.#isCounted;
  }

  get #isSealed(): boolean {
    return this.#sealedAtMs > 0;
  }

  /** From now on it is remembered where garbage is found. */
  async begin(era: number): Promise<void> {
    [this.#era, this.#sealedAtMs, this.#isCounted] = [era, 0, false];
    await this.#letGoOfOld();
    await this.#keep();
  }

  /** All that the folders were is garbage now. */
  async sealed({ era, atMs }: SealedEra): Promise<void> {
    if (this.#era === 0 || era < this.#era || this.#isSealed) return;
    const { books, segments } = this.#needs;
    const those = segments.all().map(({ segment }) => segment);
    const olds = those.map((one): KeyChange => ({ type: "put", key: oldKeys + one, value: none }));
    await books.batch(olds);
    for (const segment of those) this.#old.add(segment);
    this.#sealedAtMs = atMs;
    await this.#keep();
  }

  /** Before the catalog forgets some of what lies in these. */
  async mark(segments: Iterable<SegmentId>): Promise<void> {
    if (this.#era === 0) return;
    const fresh = [...segments].filter((segment) => {
      return !this.#marked.has(segment) && (!this.#isSealed || this.#old.has(segment));
    });
    if (fresh.length === 0) return;
    await this.#needs.books.batch(fresh.map((segment) => {
      return { type: "put", key: doomedKeys + segment, value: none };
    }));
    for (const segment of fresh) this.#marked.add(segment);
  }

  /** It goes, however full it is: not before all is known that it has. */
  hasToGo(segment: SegmentId): boolean {
    return this.#isSealed && this.#marked.has(segment);
  }

  /** All garbage was found; the oldest of the past that is kept is from then. */
  counted(oldestMs: number): void {
    this.#isCounted = this.#isSealed;
    this.#isHeld = oldestMs < this.#sealedAtMs;
  }

  /** Too little of it could be moved: again at the next count. */
  missed(): void {
    this.#isCounted = false;
  }

  /** It goes now: what is to be written with that, and the era that its holders' drops are for. */
  leaving(segment: SegmentId, holders: readonly PeerId[]): Leaving {
    const out: KeyChange[] = this.#old.delete(segment)
      ? [{ type: "delete", key: oldKeys + segment }] : [];
    if (!this.#marked.delete(segment)) return { era: 0, changes: out };
    const era = this.#era;
    const asked = holders.map((peer) => this.#count(era, peer, { asked: 1, confirmed: 0 }));
    return { era, changes: [...out, { type: "delete", key: doomedKeys + segment }, ...asked] };
  }

  /** What a holder answered to a release: its word is kept if it is one. */
  answered(era: number, peer: PeerId, release: Release, answer: Uint8Array): readonly KeyChange[] {
    if (era === 0 || !isWordOf(peer, release, answer)) return [];
    const key = `${wordKeys}${era}/${peer}/${release.segment}`;
    return [
      { type: "put", key, value: Buffer.from(answer) },
      this.#count(era, peer, { asked: 0, confirmed: 1 }),
    ];
  }

  /** Is over once nothing is left to be found or moved. */
  async settle(): Promise<void> {
    if (this.#era === 0) return;
    const { books, segments } = this.#needs;
    for (const segment of this.#marked) {
      if (segments.get(segment) !== undefined) continue;
      await books.delete(doomedKeys + segment);
      this.#marked.delete(segment);
    }
    if (!this.#isCounted || this.#isHeld || this.#marked.size > 0) return;
    [this.#era, this.#sealedAtMs, this.#isCounted] = [0, 0, false];
    await this.#letGoOfOld();
    await books.delete(clearingKey);
  }

  async #letGoOfOld(): Promise<void> {
    const those = [...this.#old];
    this.#old.clear();
    await this.#needs.books.batch(those.map((one) => ({ type: "delete", key: oldKeys + one })));
  }

  /** What holders said of an era. */
  words(era: number): readonly HolderWord[] {
    return [...this.#counts.get(era) ?? []].map(([peer, count]) => ({ peer, ...count }));
  }

  /** Nobody asks any more. */
  async forget(era: number): Promise<void> {
    this.#counts.delete(era);
    for (const prefix of [`${countKeys}${era}/`, `${wordKeys}${era}/`]) {
      const { books } = this.#needs;
      for await (const [key] of books.list(prefix)) await books.delete(key);
    }
  }

  #keep(): Promise<void> {
    const value = new Writer(16).varint(this.#era).varint(this.#sealedAtMs).finish();
    return this.#needs.books.put(clearingKey, value);
  }

  #of(era: number): Map<PeerId, Count> {
    const known = this.#counts.get(era) ?? new Map<PeerId, Count>();
    this.#counts.set(era, known);
    return known;
  }

  #count(era: number, peer: PeerId, more: Count): KeyChange {
    const before = this.#of(era).get(peer) ?? { asked: 0, confirmed: 0 };
    const asked = before.asked + more.asked;
    const confirmed = before.confirmed + more.confirmed;
    this.#of(era).set(peer, { asked, confirmed });
    const value = new Writer(16).varint(asked).varint(confirmed).finish();
    return { type: "put", key: `${countKeys}${era}/${peer}`, value };
  }
}

export async function openClearing(needs: ClearingNeeds): Promise<Clearing> {
  const clearing = new Clearing(needs);
  await clearing.open();
  return clearing;
}

/** Signed by that very holder, and about what it was told. */
function isWordOf(peer: PeerId, release: Release, answer: Uint8Array): boolean {
  if (answer.length === 0) return false;
  try {
    const { holder, owner, segment, releasedAtMs, index } = parseDeletion(answer);
    const isSame = owner === release.owner && segment === release.segment;
    const isAnswer = releasedAtMs === release.releasedAtMs && index === release.only?.index;
    return holder === peer && isSame && isAnswer;
  } catch (error) {
    if (!isFault(error, "Corrupt")) throw error;
    return false;
  }
}
