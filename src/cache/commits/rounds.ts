/**
 * Commits, and what follows from them: which dirty blocks an upload round must place, and when a
 * discarded block may really go. It decides; the group commit writes.
 *
 * A discarded block that is durable and not on the peers stays until the next commit: the root or
 * a journal record on disk may still name it, should we crash before. And a block of the open
 * round stays until the round is over.
 */
import type { BlockInfo, Sequence, UploadRound } from "../../base/blocks.ts";
import { asBuffer } from "../../base/bytes.ts";
import type { Cid } from "../../base/ids.ts";
import { type BlockEntry, marks } from "../files/entry.ts";
import type { Catalog } from "../index/catalog.ts";
import type { Change } from "../index/level.ts";
import {
  type CommitRecord, encodeCommit, encodeNumber, publishedKey, rootKey, withCheck,
} from "../index/records.ts";

interface OpenRound {
  readonly commit: CommitRecord;
  readonly entries: readonly BlockEntry[];
}

export class Rounds {
  readonly #catalog: Catalog;
  #committed: CommitRecord | undefined;
  /** The newest commit asked for, when it is newer than the last one gathered. */
  #wanted: CommitRecord | undefined;
  /** Gathered, and durable when the running group commit ends well. */
  #taken: CommitRecord | undefined;
  #newestNumber: number;
  #published: number;
  #publishedChanged = false;
  #round: OpenRound | undefined;
  /** Discarded blocks that wait, with the number of the newest commit asked for before. */
  readonly #condemned = new Map<BlockEntry, number>();

  constructor(
    catalog: Catalog,
    state: { committed: CommitRecord | undefined; numberSeen: number; published: number },
  ) {
    this.#catalog = catalog;
    this.#committed = state.committed;
    this.#newestNumber = Math.max(state.committed?.number ?? 0, state.numberSeen);
    this.#published = state.published;
    this.#outnumber();
  }

  /**
   * A torn commit that was left alone still has its root in a block file. Once there are new
   * journal records it must never be found as the newest, when the index is made again from there:
   * so this one is committed again, with a higher number.
   */
  #outnumber(): void {
    const committed = this.#committed;
    if (committed === undefined || committed.number === this.#newestNumber) return;
    this.#newestNumber++;
    this.#wanted = { ...committed, number: this.#newestNumber };
  }

  get committed(): CommitRecord | undefined {
    return this.#committed;
  }

  /** A round was begun and has not ended. */
  get isOpen(): boolean {
    return this.#round !== undefined;
  }

  /** Some root was: though the last one is to go up again, other blocks are clean. */
  get isPublished(): boolean {
    return this.#published > 0 || this.#catalog.count > this.#catalog.dirty.size;
  }

  /** Number of the newest commit that is durable, or about to be. */
  get takenNumber(): number {
    return (this.#taken ?? this.#committed)?.number ?? 0;
  }

  /** True when the next group commit has something to write for this. */
  get hasChanges(): boolean {
    return this.#wanted !== undefined || this.#publishedChanged;
  }

  /** A journal that was cut once stays cut: 0 keeps what is left of it. */
  commit(root: Uint8Array, through: Sequence): void {
    const before = (this.#wanted ?? this.#taken ?? this.#committed)?.through ?? 0;
    this.#newestNumber++;
    this.#wanted = {
      number: this.#newestNumber,
      through: Math.max(through, before),
      blockSequence: this.#catalog.lastSequence,
      root: Buffer.from(root),
    };
  }

  /** The commit that goes into the batch that is just being gathered. */
  take(): { readonly commit: CommitRecord | undefined; readonly changes: Change[] } {
    const commit = this.#wanted;
    const changes: Change[] = [];
    if (commit !== undefined) changes.push(put(rootKey, encodeCommit(commit)));
    if (this.#publishedChanged) changes.push(put(publishedKey, encodeNumber(this.#published)));
    this.#taken = commit ?? this.#taken;
    this.#wanted = undefined;
    this.#publishedChanged = false;
    this.#sweep();
    return { commit, changes };
  }

  /** What was taken is durable; true when there is a new root. */
  settle(): boolean {
    const taken = this.#taken;
    const isNew = taken !== undefined && taken !== this.#committed;
    this.#committed = taken ?? this.#committed;
    return isNew;
  }

  discard(entry: BlockEntry): void {
    const onlyHere = entry.is(marks.dirty) && entry.is(marks.logged | marks.promised);
    if (!onlyHere && !entry.is(marks.pinned)) return this.#catalog.remove(entry);
    entry.marks |= marks.condemned;
    this.#condemned.set(entry, this.#newestNumber);
    if (!entry.is(marks.pinned)) this.#catalog.countDirty(entry, false);
  }

  /** A discarded block was put again. */
  revive(entry: BlockEntry): void {
    entry.marks &= ~marks.condemned;
    this.#condemned.delete(entry);
    if (entry.is(marks.dirty)) this.#catalog.countDirty(entry, true);
  }

  begin(): UploadRound | undefined {
    this.#close();
    const commit = this.#committed;
    if (commit === undefined || commit.number === this.#published) return undefined;
    const entries: BlockEntry[] = [];
    for (const entry of this.#catalog.dirty) {
      const needed = entry.sequence <= commit.blockSequence && !entry.is(marks.condemned);
      if (!needed) continue;
      entry.marks |= marks.pinned;
      entries.push(entry);
    }
    entries.sort((one, other) => one.sequence - other.sequence);
    this.#round = { commit, entries };
    return { root: commit.root, blocks: entries.map(infoOf) };
  }

  placed(cids: readonly Cid[]): void {
    for (const cid of cids) {
      const entry = this.#catalog.get(cid);
      if (entry === undefined || !entry.is(marks.dirty)) continue;
      entry.marks &= ~marks.pinned;
      this.#catalog.setClean(entry);
      // The peers have it right; what is wrong or unwanted here need not stay.
      if (entry.is(marks.broken | marks.unread | marks.condemned)) this.#drop(entry);
    }
  }

  /** Peers have these no more: they are to go up again, though the newest root is published. */
  lost(entries: readonly BlockEntry[]): void {
    for (const entry of entries) if (!entry.is(marks.dirty)) this.#catalog.setDirty(entry);
    this.#published = 0;
    this.#publishedChanged = true;
  }

  /** False when the root is none that this cache has committed lately. */
  end(root: Uint8Array): boolean {
    const known = [this.#round?.commit, this.#committed];
    const commit = known.find((each) => each !== undefined && each.root.equals(asBuffer(root)));
    this.#close();
    if (commit === undefined) return false;
    this.#published = commit.number;
    this.#publishedChanged = true;
    return true;
  }

  #close(): void {
    for (const entry of this.#round?.entries ?? []) {
      entry.marks &= ~marks.pinned;
      if (entry.is(marks.condemned)) this.#catalog.countDirty(entry, false);
    }
    this.#round = undefined;
  }

  /** Forgets what no commit that is durable, or about to be, can name. */
  #sweep(): void {
    const newest = this.#taken?.number ?? 0;
    for (const [entry, number] of this.#condemned) {
      if (number < newest && !entry.is(marks.pinned)) this.#drop(entry);
    }
  }

  #drop(entry: BlockEntry): void {
    this.#condemned.delete(entry);
    if (this.#catalog.get(entry.cid) === entry) this.#catalog.remove(entry);
  }
}

function infoOf({ cid, lengthBytes, slot }: BlockEntry): BlockInfo {
  return slot === 0 ? { cid, lengthBytes } : { cid, lengthBytes, slot };
}

function put(key: Buffer, value: Buffer): Change {
  return { type: "put", key, value: withCheck(key, value) };
}
