/**
 * The vault's shards: their files and what the books say of them. A file is durable before its
 * entry is, and its entry gone before the file is, so that a crash leaves at worst a file that
 * nothing names (the scrub removes it), never an entry without its file.
 */
import type { KeyChange } from "../base/blocks.ts";
import { sameBytes } from "../base/bytes.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import type { SegmentId, ShardId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Release, ReleasedShard } from "../base/records.ts";
import { parseSegmentRecord, supersedes } from "../crypt/records/records.ts";
import { mayKeep } from "../guard/log.ts";
import { seatOfShard } from "../placement/draws/seats.ts";
import type { Accounts } from "./accounts.ts";
import type { Admitted } from "./admission.ts";
import * as entries from "./book-entries.ts";
import type { Place } from "./book-entries.ts";
import type { Books } from "./books.ts";
import type { ShardFiles, Staged } from "./files.ts";
import type { Groups, Told } from "./groups.ts";
import type { Register } from "./register.ts";
import type { Rolls } from "./rolls.ts";

export interface KeeperNeeds {
  readonly files: ShardFiles;
  readonly books: Books;
  readonly accounts: Accounts;
  readonly groups: Groups;
  readonly register: Register;
  readonly rolls: Rolls;
}

export class Keeper {
  readonly #needs: KeeperNeeds;
  readonly #register: Register;
  readonly #stores = new Gate({
    seats: limits.vault.storesMax, queueMax: limits.vault.storeQueueMax,
  });

  constructor(needs: KeeperNeeds) {
    this.#needs = needs;
    this.#register = needs.register;
  }

  /** Keeps an admitted shard; when it resolves, no crash takes it away. */
  async keep(
    admitted: Admitted, bytes: Uint8Array, { nowMs, ...told }: Told & { readonly nowMs: number },
  ): Promise<void> {
    using _seat = await this.#stores.enter();
    this.#needs.rolls.check(admitted.record, admitted.record.createdAtMs);
    await this.#refuseOld(admitted);
    if (await this.#isHere(admitted, bytes)) {
      using _turn = await this.#register.turn();
      // It may have been let go of while the file was read: no receipt is given for that.
      if (await this.#isNamed(admitted)) return await this.#register.adopt(admitted.manifest, told);
    }
    const { record, manifest, shard } = admitted;
    const { by } = told;
    await this.#register.seatOwner(record.owner);
    const roomBytes = bytes.length + record.bytes.length + manifest.bytes.length;
    using _room = this.#needs.accounts.reserve(record.owner, roomBytes, by);
    await using staged = await this.#needs.files.stage(shard, bytes);
    using _turn = await this.#register.turn();
    await this.#enter(admitted, staged, { nowMs, ...told });
    await this.#register.introduce(record.owner, by);
  }

  /** Forgets a segment; again and again costs nothing. */
  async release({ owner, segment, releasedAtMs }: Release): Promise<void> {
    using _turn = await this.#register.turn();
    const shards = await this.#needs.books.held(owner, segment);
    const places = await this.#placesOf(segment, shards);
    if (places.length === 0) return;
    await this.#dropPlaces(places, [entries.putGone(segment, releasedAtMs)]);
  }

  /** Forgets one shard, if what is known of the group gives its seat to another. */
  async releaseShard(
    { owner, segment }: Release, { holder, index, epoch }: ReleasedShard,
  ): Promise<void> {
    using _turn = await this.#register.turn();
    const kept = await this.#placesOf(segment, await this.#needs.books.held(owner, segment));
    const places = kept.filter((place) => place.index === index);
    const record = await this.#needs.books.record(owner, segment);
    if (places.length === 0 || record === undefined) return;
    const standing = await this.#needs.groups.standing(owner, record.group);
    if (standing === undefined || standing.manifest.epoch < epoch) {
      throw new HiveError("Stale", "vault.release", `no manifest of epoch ${epoch} yet`);
    }
    // Its fellows may have seated it since: of that an owner who was away has not heard.
    const seat = seatOfShard(parseSegmentRecord(record.bytes), index);
    if (mayKeep(standing, seat, holder)) {
      throw new HiveError("Denied", "vault.release", `${segment}/${index} belongs here again`);
    }
    await this.#dropPlaces(places, []);
  }

  /** Forgets places (of one owner's one segment each time) and the files that no place needs. */
  async drop(places: readonly Place[]): Promise<void> {
    using _turn = await this.#register.turn();
    for (const place of places) {
      const current = await this.#needs.books.places(place.shard);
      const same = current.filter((other) => isSame(other, place));
      if (same.length > 0) await this.#dropPlaces(same, []);
    }
  }

  /**
   * Forgets a place that its owner gave us, and remembers having done so: until he has heard of it,
   * he is answered that it was here, and not that nothing is known of it.
   */
  async letGo(place: Place, nowMs: number): Promise<void> {
    using _turn = await this.#register.turn();
    const current = await this.#needs.books.places(place.shard);
    const same = current.filter((other) => isSame(other, place));
    if (same.length > 0) await this.#dropPlaces(same, [entries.putWent(place.shard, nowMs)]);
  }

  /** Removes a file that no place names. */
  async dropOrphan(shard: ShardId): Promise<boolean> {
    using _turn = await this.#register.turn();
    const places = await this.#needs.books.places(shard);
    if (places.length > 0) return false;
    await this.#needs.files.remove(shard);
    return true;
  }

  async markStray(place: Place, strayAtMs: number | undefined): Promise<void> {
    using _turn = await this.#register.turn();
    const current = await this.#needs.books.places(place.shard);
    if (!current.some((other) => isSame(other, place))) return;
    await this.#needs.books.batch(entries.putPlace({ ...place, strayAtMs }));
  }

  /** An old manifest, or a segment that its owner released: somebody replays an old request. */
  async #refuseOld({ record, manifest }: Admitted): Promise<void> {
    const here = await this.#needs.groups.manifest(manifest.owner, manifest.group);
    const old = here !== undefined && supersedes(here, manifest);
    if (old) throw new HiveError("Stale", "vault.store", `manifest epoch ${manifest.epoch}`);
    if (await this.#needs.books.isGone(record.segment)) {
      throw new HiveError("Stale", "vault.store", `${record.segment} was released`);
    }
  }

  /** True when this very shard is in its place: a flipped bit on the disk is not this shard. */
  async #isHere(admitted: Admitted, bytes: Uint8Array): Promise<boolean> {
    const { shard } = admitted;
    if (!(await this.#isNamed(admitted))) return false;
    try {
      const range = { offsetBytes: 0, lengthBytes: bytes.length };
      return sameBytes(await this.#needs.files.read(shard, range), bytes);
    } catch (fault) {
      if (isFault(fault, "NotFound", "Corrupt")) return false;
      throw fault;
    }
  }

  async #isNamed({ record, index, shard }: Admitted): Promise<boolean> {
    const places = await this.#needs.books.places(shard);
    return places.some((place) => place.segment === record.segment && place.index === index);
  }

  /** Within a turn: the file into its place, then all that tells of it in one batch. */
  async #enter(
    admitted: Admitted, staged: Staged, { nowMs, ...told }: Told & { readonly nowMs: number },
  ): Promise<void> {
    await this.#refuseOld(admitted);
    const { record, manifest, index, shard } = admitted;
    const { owner, group, segment, shardBytes } = record;
    const places = await this.#needs.books.places(shard);
    const known = places.some((place) => place.segment === segment && place.index === index);
    if (!known && places.length >= limits.vault.placesPerShardMax) {
      throw new HiveError("Quota", "vault.store", `${shard} has many places`);
    }
    const first = (await this.#needs.books.record(owner, segment)) === undefined;
    const adopted = await this.#needs.groups.adoption(manifest, told);
    await staged.place();
    if (known) return this.#register.adopt(manifest, told);
    const place: Place = {
      shard, segment, index, owner, group, shardBytes, storedAtMs: nowMs, strayAtMs: undefined,
    };
    const totals = await this.#register.totalsWith(owner, {
      shards: 1,
      segments: first ? 1 : 0,
      groups: adopted.groups,
      bytes: shardBytes + (first ? record.bytes.length : 0) + adopted.bytes,
    });
    const changes = [
      ...entries.putPlace(place), entries.dropWent(shard), ...entries.putRecord(record),
      ...adopted.changes,
    ];
    await this.#register.write(owner, totals, changes);
    if (adopted.changes.length > 0) this.#needs.groups.remember(manifest);
  }

  /** Within a turn, all of one owner: entries first, then the files that nothing names any more. */
  async #dropPlaces(places: readonly Place[], more: readonly KeyChange[]): Promise<void> {
    const [first] = places;
    if (first === undefined) return;
    const { owner, segment } = first;
    const held = await this.#needs.books.held(owner, segment);
    const last = held.length === places.length;
    const record = last ? await this.#needs.books.record(owner, segment) : undefined;
    const shardBytes = places.reduce((sum, place) => sum + place.shardBytes, 0);
    const totals = await this.#register.totalsWith(owner, {
      shards: -places.length,
      segments: record === undefined ? 0 : -1,
      bytes: -shardBytes - (record?.bytes.length ?? 0),
    });
    const changes = [
      ...places.flatMap(entries.dropPlace),
      ...(last ? entries.dropRecord(first) : []),
      ...more,
    ];
    await this.#register.write(owner, totals, changes);
    for (const shard of new Set(places.map((place) => place.shard))) {
      const others = await this.#needs.books.places(shard);
      if (others.length === 0) await this.#needs.files.remove(shard);
    }
  }

  async #placesOf(segment: SegmentId, shards: readonly ShardId[]): Promise<readonly Place[]> {
    const found: Place[] = [];
    for (const shard of new Set(shards)) {
      const places = await this.#needs.books.places(shard);
      found.push(...places.filter((place) => place.segment === segment));
    }
    return found;
  }
}

function isSame(left: Place, right: Place): boolean {
  return left.segment === right.segment && left.index === right.index;
}
