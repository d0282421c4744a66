/**
 * The vault's patrol: a few shards a step are read and hashed; what is spoilt or missing is
 * dropped, so that nobody proves it any more and the owner or the group repairs it. Files that
 * nothing names, shards whose seat went to another peer long ago, and old words of release go too.
 * Its place is kept in the books, so that a restart goes on where it was.
 */
import { Reader, Writer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { isFault } from "../base/errors.ts";
import type { PeerId, ShardId } from "../base/ids.ts";
import { parseShardId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Step } from "../base/step.ts";
import { shardIdOf } from "../crypt/blocks/merkle.ts";
import { parseSegmentRecord } from "../crypt/records/records.ts";
import { mayKeep } from "../guard/log.ts";
import { seatOfShard } from "../placement/draws/seats.ts";
import { type Place, dropGone, dropWent } from "./book-entries.ts";
import type { Books } from "./books.ts";
import { type ShardFiles, folders } from "./files.ts";
import type { Groups } from "./groups.ts";
import type { Keeper } from "./keeper.ts";

export interface ScrubNeeds {
  readonly books: Books;
  readonly files: ShardFiles;
  readonly groups: Groups;
  readonly keeper: Keeper;
  readonly clock: Clock;
  readonly log: Log;
  readonly self: PeerId;
}

/** Where a pass is: in which folder, and behind which shard of it. */
interface Cursor {
  readonly startedAtMs: number;
  readonly folder: number;
  readonly after: ShardId | undefined;
}

export class Scrub implements Step {
  readonly name = "vault.scrub";
  readonly #needs: ScrubNeeds;
  #cursor: Cursor | undefined;

  constructor(needs: ScrubNeeds) {
    this.#needs = needs;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const cursor = await this.#current();
    if (cursor === undefined) return "idle";
    if (cursor.after === undefined) await this.#tidy(folders[cursor.folder] as string, signal);
    const folder = folders[cursor.folder] as string;
    const most = limits.vault.scrubShardsPerStep;
    const found = await this.#needs.books.placesIn(folder, cursor.after, most);
    let after = cursor.after;
    for (const [shard, places] of found) {
      if (signal.aborted) break;
      await this.#check(shard, places);
      after = shard;
    }
    const over = found.size < most && !signal.aborted;
    await this.#move(over ? { ...cursor, folder: cursor.folder + 1, after: undefined }
      : { ...cursor, after });
    return "busy";
  }

  /** Where to go on; undefined when this pass is over and the next one not due. */
  async #current(): Promise<Cursor | undefined> {
    const nowMs = this.#needs.clock.now();
    this.#cursor ??= await this.#stored();
    if (this.#cursor === undefined) return { startedAtMs: nowMs, folder: 0, after: undefined };
    if (this.#cursor.folder < folders.length) return this.#cursor;
    const sinceMs = Math.abs(nowMs - this.#cursor.startedAtMs);
    if (sinceMs < limits.vault.scrubEveryMs) return undefined;
    return { startedAtMs: nowMs, folder: 0, after: undefined };
  }

  async #check(shard: ShardId, places: readonly Place[]): Promise<void> {
    if (!(await this.#isSound(shard, places))) {
      // A release may have been quicker than we: then nothing is lost, and drop finds nothing.
      const still = await this.#needs.books.places(shard);
      if (still.length === 0) return;
      this.#needs.log.warn("vault.spoilt", { shard });
      return this.#needs.keeper.drop(still);
    }
    for (const place of places) await this.#checkSeat(place);
  }

  async #isSound(shard: ShardId, places: readonly Place[]): Promise<boolean> {
    const lengthBytes = places[0]?.shardBytes ?? 0;
    try {
      const bytes = await this.#needs.files.read(shard, { offsetBytes: 0, lengthBytes });
      return shardIdOf(bytes) === shard;
    } catch (fault) {
      if (isFault(fault, "Corrupt")) return false;
      // A missing file is lost only while its disk is there.
      if (isFault(fault, "NotFound") && (await this.#needs.files.isMarked())) return false;
      throw fault;
    }
  }

  /** A shard whose seat another has now is kept for a while, then dropped. */
  async #checkSeat(place: Place): Promise<void> {
    const { books, keeper, clock } = this.#needs;
    if (await this.#isOurs(place)) {
      if (place.strayAtMs !== undefined) await keeper.markStray(place, undefined);
      return;
    }
    const nowMs = clock.now();
    if (place.strayAtMs === undefined) return keeper.markStray(place, nowMs);
    if (nowMs - place.strayAtMs < limits.vault.strayGraceMs) return;
    const current = await books.places(place.shard);
    const same = current.filter(({ segment, index }) =>
      segment === place.segment && index === place.index,
    );
    await keeper.drop(same);
  }

  /** What the owner gave is kept, whatever a log says of it. */
  async #isOurs({ owner, group, segment, index }: Place): Promise<boolean> {
    const standing = await this.#needs.groups.standing(owner, group);
    const stored = await this.#needs.books.record(owner, segment);
    if (standing === undefined || stored === undefined) return false;
    const record = parseSegmentRecord(stored.bytes);
    return mayKeep(standing, seatOfShard(record, index), this.#needs.self);
  }

  /** Files without an entry, releases too old to be replayed, and words of what went long ago. */
  async #tidy(folder: string, signal: AbortSignal): Promise<void> {
    const { books, files, keeper, clock, log } = this.#needs;
    for (const shard of await files.list(folder)) {
      if (signal.aborted) return;
      if ((await books.places(shard)).length > 0) continue;
      if (await keeper.dropOrphan(shard)) log.info("vault.orphan", { shard });
    }
    const oldestMs = clock.now() - limits.vault.releasedAgeMsMax;
    for await (const { segment, atMs } of books.gone(folder)) {
      if (atMs < oldestMs) await books.batch([dropGone(segment)]);
    }
    for await (const { shard, atMs } of books.went(folder)) {
      if (atMs < oldestMs) await books.batch([dropWent(shard)]);
    }
  }

  async #move(cursor: Cursor): Promise<void> {
    this.#cursor = cursor;
    const value = new Writer(64).varint(cursor.startedAtMs).varint(cursor.folder);
    value.latin1(cursor.after ?? "");
    await this.#needs.books.put("scrub", value.finish());
  }

  async #stored(): Promise<Cursor | undefined> {
    const value = await this.#needs.books.value("scrub");
    if (value === undefined) return undefined;
    const reader = new Reader(value, "vault.scrub");
    const startedAtMs = reader.varint();
    const folder = reader.varint();
    const after = reader.latin1();
    return { startedAtMs, folder, after: after === "" ? undefined : parseShardId(after) };
  }
}
