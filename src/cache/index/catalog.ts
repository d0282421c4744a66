/**
 * Every block that is here, in memory, and the sums over them. It also remembers which index
 * entries the next settling commit has to write. It never touches the disk.
 */
import { type PolicySlot, unknownSlot } from "../../base/blocks.ts";
import { assert } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import type { BlockFile } from "../files/block-file.ts";
import { BlockEntry, marks } from "../files/entry.ts";
import type { Change } from "./level.ts";
import { blockKey, encodePlace, withCheck } from "./records.ts";

export class Catalog {
  readonly #entries = new Map<Cid, BlockEntry>();
  readonly #dirty = new Set<BlockEntry>();
  /** What the index on disk does not say yet; undefined means that the entry goes. */
  readonly #changed = new Map<Cid, BlockEntry | undefined>();
  /** Dirty, and put since the last group commit. */
  #fresh: BlockEntry[] = [];
  /** How many entries the index on disk has, once all that was taken is there. */
  #indexed = 0;
  #lastSequence = 0;
  #dirtyBytes = 0;
  #retainedBytes = 0;
  /** Whether what is put counts as pinned until somebody knows better. */
  retainsNew = false;

  /** Bytes of blocks that are not on the peers yet and that somebody still wants. */
  get dirtyBytes(): number {
    return this.#dirtyBytes;
  }

  /** What the clean blocks take that stay for the user's sake. */
  get retainedBytes(): number {
    return this.#retainedBytes;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  get indexed(): number {
    return this.#indexed;
  }

  get changes(): number {
    return this.#changed.size;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Blocks that are not on the peers yet, the discarded ones among them. */
  get dirty(): ReadonlySet<BlockEntry> {
    return this.#dirty;
  }

  get(cid: Cid): BlockEntry | undefined {
    return this.#entries.get(cid);
  }

  values(): IterableIterator<BlockEntry> {
    return this.#entries.values();
  }

  nextSequence(): number {
    return ++this.#lastSequence;
  }

  /** Sequence numbers that are on disk already are not given again. */
  sequenceSeen(sequence: number): void {
    this.#lastSequence = Math.max(this.#lastSequence, sequence);
  }

  add(entry: BlockEntry, file: BlockFile | undefined, offsetBytes: number): void {
    assert(!this.#entries.has(entry.cid), "one entry for a block");
    this.#entries.set(entry.cid, entry);
    // The index may still hold the one that was here before.
    if (this.#changed.has(entry.cid)) entry.marks |= marks.logged;
    if (entry.is(marks.dirty) && this.retainsNew) entry.marks |= marks.retained;
    this.sequenceSeen(entry.sequence);
    this.#settle(entry, file, offsetBytes);
    if (!entry.is(marks.dirty)) return;
    this.#dirty.add(entry);
    this.#fresh.push(entry);
    this.countDirty(entry, true);
  }

  remove(entry: BlockEntry): void {
    assert(this.#entries.get(entry.cid) === entry, "remove what is here");
    this.countDirty(entry, false);
    this.#dirty.delete(entry);
    this.#leave(entry);
    this.#entries.delete(entry.cid);
    if (entry.is(marks.logged)) this.#changed.set(entry.cid, undefined);
    else this.#changed.delete(entry.cid);
  }

  /** The block's bytes have another place now. */
  move(entry: BlockEntry, file: BlockFile, offsetBytes: number): void {
    this.#leave(entry);
    this.#settle(entry, file, offsetBytes);
    this.change(entry);
  }

  /** Its bytes are gone or wrong, and it is dirty: only another put brings it back. */
  setBroken(entry: BlockEntry): void {
    assert(entry.is(marks.dirty));
    entry.marks |= marks.broken;
    this.#leave(entry);
  }

  /** Who puts a block knows its slot, even where it was fetched before. */
  setSlot(entry: BlockEntry, slot: PolicySlot): void {
    if (entry.slot === slot) return;
    assert(entry.slot === unknownSlot, "the same bytes go by one policy");
    entry.slot = slot;
    this.change(entry);
  }

  /** The index on disk must learn about this entry. */
  change(entry: BlockEntry): void {
    this.#changed.set(entry.cid, entry);
  }

  setClean(entry: BlockEntry): void {
    assert(entry.is(marks.dirty));
    this.countDirty(entry, false);
    this.#dirty.delete(entry);
    this.#toggle(entry, marks.dirty);
    this.change(entry);
  }

  /** Peers may not have it after all: it stays until it is placed again. */
  setDirty(entry: BlockEntry): void {
    assert(!entry.is(marks.dirty));
    this.#toggle(entry, marks.dirty);
    this.#dirty.add(entry);
    this.countDirty(entry, true);
    this.change(entry);
  }

  countDirty(entry: BlockEntry, counted: boolean): void {
    if (entry.is(marks.counted) === counted) return;
    entry.marks ^= marks.counted;
    this.#dirtyBytes += counted ? entry.lengthBytes : -entry.lengthBytes;
    assert(this.#dirtyBytes >= 0);
  }

  setWarm(entry: BlockEntry, warm: boolean): void {
    if (entry.is(marks.warm) !== warm) this.#toggle(entry, marks.warm);
  }

  /** The user wants it here, or may. */
  setRetained(entry: BlockEntry, retained: boolean): void {
    if (entry.is(marks.retained) !== retained) this.#toggle(entry, marks.retained);
  }

  /** The index on disk has an entry under this CID, be it of any use or not. */
  indexHas(cid: Cid, options: { readonly useful: boolean }): void {
    this.#indexed++;
    if (!options.useful) this.#changed.set(cid, undefined);
  }

  /** All that was put so far is just being made durable, whether or not the index hears of it. */
  promise(): void {
    for (const entry of this.#fresh) entry.marks |= marks.promised;
    this.#fresh = [];
  }

  /** What the index on disk must hear; the caller makes it durable or gives up the store. */
  takeChanges(): Change[] {
    const changes: Change[] = [];
    for (const [cid, entry] of this.#changed) {
      const key = blockKey(cid);
      if (entry === undefined) {
        changes.push({ type: "del", key });
        this.#indexed--;
        continue;
      }
      changes.push({ type: "put", key, value: withCheck(key, placeOf(entry)) });
      if (!entry.is(marks.logged)) this.#indexed++;
      entry.marks |= marks.logged;
    }
    this.#changed.clear();
    return changes;
  }

  #settle(entry: BlockEntry, file: BlockFile | undefined, offsetBytes: number): void {
    entry.file = file;
    entry.offsetBytes = offsetBytes;
    if (file === undefined) return;
    file.entries.push(entry);
    file.liveBytes += entry.frameBytes;
    this.#weigh(entry, entry.frameBytes);
  }

  #leave(entry: BlockEntry): void {
    const file = entry.file;
    if (file === undefined) return;
    file.liveBytes -= entry.frameBytes;
    this.#weigh(entry, -entry.frameBytes);
    entry.file = undefined;
  }

  #toggle(entry: BlockEntry, mark: number): void {
    this.#weigh(entry, -entry.frameBytes);
    entry.marks ^= mark;
    this.#weigh(entry, entry.frameBytes);
  }

  /** A block counts in one sum of its file: by the strongest reason that it has to stay. */
  #weigh(entry: BlockEntry, bytes: number): void {
    const { file } = entry;
    if (file === undefined) return;
    if (entry.is(marks.dirty)) file.dirtyBytes += bytes;
    else if (entry.is(marks.retained)) {
      file.retainedBytes += bytes;
      this.#retainedBytes += bytes;
    } else if (entry.is(marks.warm)) file.warmBytes += bytes;
  }
}

function placeOf(entry: BlockEntry): Buffer {
  return encodePlace({
    dirty: entry.is(marks.dirty),
    file: entry.file?.number ?? 0,
    offsetBytes: entry.offsetBytes,
    lengthBytes: entry.lengthBytes,
    sequence: entry.sequence,
    slot: entry.slot,
  });
}
