/**
 * The cache as transfer sees it: rounds, the blocks of one, and what becomes of them. What a round
 * holds is decided in rounds.ts.
 */
import type { BlockPlace, UploadRound } from "../base/blocks.ts";
import { HiveError } from "../base/errors.ts";
import type { Cid } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Catalog } from "./catalog.ts";
import type { DirtyRoom } from "./dirty-room.ts";
import { headerBytes } from "./frame.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Reading } from "./reading.ts";
import type { Rounds } from "./rounds.ts";
import type { PlacedSource } from "./side-reading.ts";

interface Needs {
  readonly catalog: Catalog;
  readonly log: Log;
  readonly rounds: Rounds;
  readonly reading: Reading;
  readonly room: DirtyRoom;
  readonly group: Pick<GroupCommit, "request">;
}

export class Uploads implements PlacedSource {
  readonly #needs: Needs;

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  async beginRound(): Promise<UploadRound | undefined> {
    const { rounds, room } = this.#needs;
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
}
