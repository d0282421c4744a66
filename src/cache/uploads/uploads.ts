/**
 * The cache as transfer sees it: rounds, the blocks of one, and what becomes of them. It says when
 * a round begins; what a round holds is decided in rounds.ts.
 */
import type { BlockPlace, RoundOptions, UploadRound } from "../../base/blocks.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Reading } from "../blocks/reading.ts";
import type { PlacedSource } from "../blocks/side-reading.ts";
import type { GroupCommit } from "../commits/group-commit.ts";
import type { Rounds } from "../commits/rounds.ts";
import { type BlockEntry, marks } from "../files/entry.ts";
import { headerBytes } from "../files/frame.ts";
import type { Catalog } from "../index/catalog.ts";
import type { DirtyRoom } from "../room/dirty-room.ts";
import { UploadRest } from "./upload-rest.ts";

interface Needs {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Log;
  readonly rounds: Rounds;
  readonly reading: Reading;
  readonly room: DirtyRoom;
  readonly group: Pick<GroupCommit, "request">;
  /** There is something to upload. */
  readonly tell: () => void;
}

export class Uploads implements PlacedSource, Disposable {
  readonly #needs: Needs;
  readonly #rest = new UploadRest();
  #waking: Disposable | undefined;

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  /** Something was written: it will want to go up. */
  wrote(): void {
    this.#rest.wrote(this.#needs.clock.monotonicMs());
  }

  async beginRound({ patient = false }: RoundOptions = {}): Promise<UploadRound | undefined> {
    const { rounds, room } = this.#needs;
    if (patient && this.#mustRest()) return undefined;
    this.#rest.began();
    const round = rounds.begin();
    room.wake();
    return round;
  }

  async read(cid: Cid): Promise<Uint8Array> {
    const entry = this.#needs.catalog.get(cid);
    if (entry === undefined) throw new HiveError("NotFound", "cache.read", cid);
    return this.#needs.reading.read(entry);
  }

  async place(cid: Cid): Promise<BlockPlace | undefined> {
    const entry = this.#needs.catalog.get(cid);
    if (entry?.file === undefined || entry.bytes !== undefined) return undefined;
    const { file, lengthBytes } = entry;
    return { path: file.path, offsetBytes: entry.offsetBytes + headerBytes, lengthBytes };
  }

  async placed(cids: readonly Cid[]): Promise<void> {
    const { rounds, room, group } = this.#needs;
    for (let start = 0; start < cids.length; start += limits.cache.batchChangesMax) {
      rounds.placed(cids.slice(start, start + limits.cache.batchChangesMax));
      room.wake();
      await group.request("settled");
    }
  }

  async endRound(root: Uint8Array): Promise<void> {
    const { rounds, room, group, log } = this.#needs;
    const known = rounds.end(root);
    if (!known) log.warn("cache.round-of-another-root");
    room.wake();
    await group.request("settled");
  }

  async lost(cids: readonly Cid[]): Promise<readonly Cid[]> {
    const here: BlockEntry[] = [];
    for (const cid of cids) here.push(...await this.#whole(cid));
    await this.again(here);
    return here.map(({ cid }) => cid);
  }

  /** These wait for peers again; answers how many that are. */
  async again(entries: readonly BlockEntry[]): Promise<number> {
    if (entries.length === 0) return 0;
    const { rounds, group, tell } = this.#needs;
    rounds.lost(entries);
    await group.request("settled");
    tell();
    return entries.length;
  }

  /** Read once: what is spoilt here as well would keep every head back. */
  async #whole(cid: Cid): Promise<readonly BlockEntry[]> {
    const { catalog, reading } = this.#needs;
    const entry = catalog.get(cid);
    if (entry === undefined || entry.is(marks.broken | marks.condemned)) return [];
    try {
      await reading.read(entry);
    } catch (error) {
      if (!isFault(error)) throw error;
      return [];
    }
    return catalog.get(cid) === entry ? [entry] : [];
  }

  [Symbol.dispose](): void {
    this.#waking?.[Symbol.dispose]();
  }

  /** A round that has begun is not put off again; whoever is sent away is called in time. */
  #mustRest(): boolean {
    const { clock, catalog, rounds, room, tell } = this.#needs;
    const isMuch = catalog.dirtyBytes > room.bytesMax * limits.cache.uploadRestShareMax;
    const leftMs = isMuch || rounds.isOpen ? 0 : this.#rest.leftMs(clock.monotonicMs());
    this.#waking?.[Symbol.dispose]();
    this.#waking = leftMs > 0 ? clock.after(leftMs, tell) : undefined;
    return leftMs > 0;
  }
}
