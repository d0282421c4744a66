/**
 * The vault's disk: shard files, books and accounts changed together, one change at a time. A file
 * is durable before its entry is, and its entry gone before the file is, so that a crash leaves at
 * worst a file that nothing names (the scrub removes it), never an entry without its file.
 * Who may ask for what was decided before (admission.ts, vault.ts).
 */
import type { KeyChange } from "../base/blocks.ts";
import { asBuffer } from "../base/bytes.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import type { GroupId, OwnerId, PeerId, SegmentId, ShardId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Share } from "../base/sharing.ts";
import type { Head, Manifest, Release, ReleasedShard } from "../base/records.ts";
import { parseSegmentRecord } from "../crypt/records.ts";
import { parseShare } from "../crypt/share-records.ts";
import type { Standing } from "../guard/log.ts";
import type { Ballot } from "../guard/voter.ts";
import { memberOfShard } from "../placement/seats.ts";
import type { Accounts } from "./accounts.ts";
import type { Admitted } from "./admission.ts";
import * as entries from "./book-entries.ts";
import { type Introduction, type Place, type Totals, noTotals } from "./book-entries.ts";
import type { Books } from "./books.ts";
import type { ShardFiles, Staged } from "./files.ts";
import { Groups, type Told } from "./groups.ts";
import type { Rolls } from "./rolls.ts";

const kinds = ["log", "policy", "ballot"] as const;

export interface KeeperNeeds {
  readonly files: ShardFiles;
  readonly books: Books;
  readonly accounts: Accounts;
  readonly rolls: Rolls;
  readonly self: PeerId;
}

export class Keeper {
  readonly #needs: KeeperNeeds;
  readonly #stores = new Gate({
    seats: limits.vault.storesMax, queueMax: limits.vault.storeQueueMax,
  });
  /** Whoever changes files or books; short, so its queue is whoever is in the house. */
  readonly #turn = new Gate({ seats: 1, queueMax: 4 * limits.vault.storeQueueMax });
  readonly groups: Groups;
  /** Policies whose texts are known to be in the books. */
  readonly #texts = new Set<string>();

  constructor(needs: KeeperNeeds) {
    this.#needs = needs;
    this.groups = new Groups(needs);
  }

  /** Keeps an admitted shard; when it resolves, no crash takes it away. */
  async keep(
    admitted: Admitted, bytes: Uint8Array, { nowMs, ...told }: Told & { readonly nowMs: number },
  ): Promise<void> {
    using _seat = await this.#stores.enter();
    this.#needs.rolls.check(admitted.record, admitted.record.createdAtMs);
    await this.#refuseOld(admitted);
    if (await this.#isHere(admitted, bytes)) {
      using _turn = await this.#turn.enter();
      return this.#adopt(admitted.manifest, told);
    }
    const { record, manifest, shard } = admitted;
    const { by } = told;
    await this.#seatOwner(record.owner);
    const roomBytes = bytes.length + record.bytes.length + manifest.bytes.length;
    using _room = this.#needs.accounts.reserve(record.owner, roomBytes, by);
    await using staged = await this.#needs.files.stage(shard, bytes);
    using _turn = await this.#turn.enter();
    await this.#enter(admitted, staged, { nowMs, ...told });
    await this.#introduce(record.owner, by);
  }

  /** Forgets a segment; again and again costs nothing. */
  async release({ owner, segment, releasedAtMs }: Release): Promise<void> {
    using _turn = await this.#turn.enter();
    const shards = await this.#needs.books.held(owner, segment);
    const places = await this.#placesOf(segment, shards);
    if (places.length === 0) return;
    await this.#dropPlaces(places, [entries.putGone(segment, releasedAtMs)]);
  }

  /** Forgets one shard, if the newest manifest that is known gives its seat to another. */
  async releaseShard(
    { owner, segment }: Release, { holder, index, epoch }: ReleasedShard,
  ): Promise<void> {
    using _turn = await this.#turn.enter();
    const kept = await this.#placesOf(segment, await this.#needs.books.held(owner, segment));
    const places = kept.filter((place) => place.index === index);
    const record = await this.#needs.books.record(owner, segment);
    if (places.length === 0 || record === undefined) return;
    const manifest = await this.groups.manifest(owner, record.group);
    if (manifest === undefined || manifest.epoch < epoch) {
      throw new HiveError("Stale", "vault.release", `no manifest of epoch ${epoch} yet`);
    }
    if (memberOfShard(parseSegmentRecord(record.bytes), index, manifest) === holder) {
      throw new HiveError("Denied", "vault.release", `${segment}/${index} belongs here again`);
    }
    await this.#dropPlaces(places, []);
  }

  /** Forgets places (of one owner's one segment each time) and the files that no place needs. */
  async drop(places: readonly Place[]): Promise<void> {
    using _turn = await this.#turn.enter();
    for (const place of places) {
      const current = await this.#needs.books.places(place.shard);
      const same = current.filter((other) => isSame(other, place));
      if (same.length > 0) await this.#dropPlaces(same, []);
    }
  }

  /** Removes a file that no place names. */
  async dropOrphan(shard: ShardId): Promise<boolean> {
    using _turn = await this.#turn.enter();
    const places = await this.#needs.books.places(shard);
    if (places.length > 0) return false;
    await this.#needs.files.remove(shard);
    return true;
  }

  async markStray(place: Place, strayAtMs: number | undefined): Promise<void> {
    using _turn = await this.#turn.enter();
    const current = await this.#needs.books.places(place.shard);
    if (!current.some((other) => isSame(other, place))) return;
    await this.#needs.books.batch(entries.putPlace({ ...place, strayAtMs }));
  }

  async keepManifest(manifest: Manifest, told: Told): Promise<void> {
    const { by } = told;
    await this.#seatOwner(manifest.owner);
    using _turn = await this.#turn.enter();
    const { accounts } = this.#needs;
    // A full vault still has to learn of a repair: only newcomers need room for their words.
    const known = accounts.owners.has(manifest.owner);
    const { owner, bytes } = manifest;
    using _room = known ? undefined : accounts.reserve(owner, bytes.length, by);
    await this.#adopt(manifest, told);
    if (!known) await this.#introduce(owner, by);
  }

  /** The text of the policy of the newest manifest, once it came. */
  async keepPolicy(manifest: Manifest, text: Uint8Array): Promise<void> {
    const { owner, group, policyHash } = manifest;
    const name = `${owner}/${group}/${policyHash}`;
    if (this.#texts.has(name)) return;
    using _turn = await this.#turn.enter();
    if ((await this.groups.manifest(owner, group))?.policyHash !== policyHash) return;
    const { changes, bytes } = await this.groups.words.putPolicy(manifest, text);
    await this.#write(owner, this.#needs.accounts.with(owner, { bytes }), changes);
    if (this.#texts.size >= limits.vault.manifestsParsedMax) this.#texts.clear();
    this.#texts.add(name);
  }

  /** A longer log of the newest manifest, or what it says against ours. */
  async keepLog(standing: Standing): Promise<"kept" | "known" | "forked"> {
    using _turn = await this.#turn.enter();
    const { owner } = standing.manifest;
    const longer = await this.groups.longerLog(standing);
    if (longer === "known" || longer === "forked") return longer;
    const { changes, bytes } = longer;
    await this.#write(owner, this.#needs.accounts.with(owner, { bytes }), changes);
    this.groups.rememberLog(standing);
    return "kept";
  }

  /** On stable storage when it resolves; Stale when a newer manifest has come. */
  async keepBallot(manifest: Manifest, ballot: Ballot): Promise<void> {
    using _turn = await this.#turn.enter();
    const here = await this.groups.manifest(manifest.owner, manifest.group);
    const isNewest = here !== undefined && sameBytes(here.bytes, manifest.bytes);
    if (!isNewest) throw new HiveError("Stale", "vault.ballot", manifest.group);
    await this.#needs.books.batch([this.groups.words.putBallot(manifest, ballot)]);
  }

  async keepHead(head: Head): Promise<void> {
    using _turn = await this.#turn.enter();
    const { accounts } = this.#needs;
    if (!accounts.owners.has(head.owner)) throw new HiveError("Denied", "vault.head", head.owner);
    this.#needs.rolls.check({ owner: head.owner, by: head.peer });
    const heads = await this.#needs.books.heads(head.owner);
    const stored = heads.find(({ peer }) => peer === head.peer);
    if (stored !== undefined && sameBytes(stored.bytes, head.bytes)) return;
    // Silence would tell a device whose books are old that its head is safe here. No device uses a
    // number twice, so of two heads with one number the later comes from a device that fell behind.
    if (stored !== undefined && stored.sequence >= head.sequence) {
      throw new HiveError("Stale", "vault.head", `sequence ${head.sequence}`);
    }
    if (stored === undefined && heads.length >= limits.devices.countMax) {
      throw new HiveError("Quota", "vault.head", `${heads.length} devices`);
    }
    const bytes = head.bytes.length - (stored?.bytes.length ?? 0);
    const totals = accounts.with(head.owner, { bytes });
    await this.#write(head.owner, totals, await this.#needs.books.changesFor(head));
  }

  /**
   * The newest state of a shared folder, and who may read it from now on. A guest's is paid for by
   * the folder's owner, where the guest has nothing else here.
   */
  async keepShare(share: Share, host: OwnerId): Promise<void> {
    using _turn = await this.#turn.enter();
    const { accounts } = this.#needs;
    const { owner } = share;
    const payer = accounts.owners.has(owner) ? owner : host;
    if (!accounts.owners.has(payer)) throw new HiveError("Denied", "vault.share", owner);
    const shares = await this.#needs.books.shares(owner);
    const stored = await this.#needs.books.share(owner, share.share);
    if (stored !== undefined && sameBytes(stored, share.bytes)) return;
    // No number is used twice: whoever brings an older one would take a revocation back.
    if (stored !== undefined && parseShare(stored).sequence >= share.sequence) {
      throw new HiveError("Stale", "vault.share", `sequence ${share.sequence}`);
    }
    if (stored === undefined && shares.length >= limits.vault.sharesPerOwnerMax) {
      throw new HiveError("Quota", "vault.share", `${shares.length} shares`);
    }
    const bytes = share.bytes.length - (stored?.length ?? 0);
    using _room = bytes > 0 ? accounts.reserve(payer, bytes) : undefined;
    await this.#write(payer, accounts.with(payer, { bytes }), [entries.putShare(share)]);
  }

  /** What a guest wrote of this folder, whose right ended. */
  async dropGuest(guest: OwnerId, { owner, share }: Share): Promise<void> {
    using _turn = await this.#turn.enter();
    const { accounts } = this.#needs;
    const stored = await this.#needs.books.share(guest, share);
    if (stored === undefined || accounts.owners.has(guest)) return;
    const totals = accounts.with(owner, { bytes: -stored.length });
    await this.#write(owner, totals, [entries.dropShare(guest, share)]);
  }

  /** Within a turn: notes who brought the owner, when that is new. */
  async #introduce(owner: OwnerId, from: Introduction): Promise<void> {
    const { accounts } = this.#needs;
    const by = accounts.introductionOf(owner, from);
    if (accounts.isIntroduced(owner, by)) return;
    await this.#needs.books.batch([entries.putIntroduction(owner, by)]);
    accounts.introduce(owner, by);
  }

  /** Words without shards cost nothing to send: they make room for a newcomer. */
  async #seatOwner(owner: OwnerId): Promise<void> {
    const { accounts } = this.#needs;
    if (accounts.hasSeatFor(owner)) return;
    using _turn = await this.#turn.enter();
    const idle = accounts.idleOwner();
    if (idle === undefined || accounts.hasSeatFor(owner)) return;
    const groups = await this.#needs.books.groups(idle);
    const words = groups.flatMap((group) => [
      entries.dropManifest(idle, group),
      ...kinds.map((kind) => entries.dropWord(kind, idle, group)),
    ]);
    const heads = await this.#needs.books.heads(idle);
    const shares = await this.#needs.books.shares(idle);
    const forgotten = shares.map(parseShare).flatMap(({ share, writers }) => {
      const guests = writers.map(({ writer }) => writer);
      return [idle, ...guests].map((one) => entries.dropShare(one, share));
    });
    await this.#write(idle, noTotals, [...words, ...forgotten, ...entries.dropHeads(idle, heads)]);
    for (const group of groups) this.groups.forget(`${idle}/${group}`);
  }

  /** An old manifest, or a segment that its owner released: somebody replays an old request. */
  async #refuseOld({ record, manifest }: Admitted): Promise<void> {
    const here = await this.groups.manifest(manifest.owner, manifest.group);
    const old = here !== undefined && here.epoch > manifest.epoch;
    if (old) throw new HiveError("Stale", "vault.store", `manifest epoch ${manifest.epoch}`);
    const forked = here?.epoch === manifest.epoch && !sameBytes(here.bytes, manifest.bytes);
    if (forked) throw new HiveError("Invalid", "vault.store", `two manifests of ${here.epoch}`);
    if (await this.#needs.books.isGone(record.segment)) {
      throw new HiveError("Stale", "vault.store", `${record.segment} was released`);
    }
  }

  /** True when this very shard is in its place: a flipped bit on the disk is not this shard. */
  async #isHere({ record, index, shard }: Admitted, bytes: Uint8Array): Promise<boolean> {
    const places = await this.#needs.books.places(shard);
    const known = places.some((place) => place.segment === record.segment && place.index === index);
    if (!known) return false;
    try {
      const range = { offsetBytes: 0, lengthBytes: bytes.length };
      return sameBytes(await this.#needs.files.read(shard, range), bytes);
    } catch (fault) {
      if (isFault(fault, "NotFound", "Corrupt")) return false;
      throw fault;
    }
  }

  /** Within a turn: the file into its place, then all that tells of it in one batch. */
  async #enter(
    admitted: Admitted, staged: Staged, { nowMs, ...told }: Told & { readonly nowMs: number },
  ): Promise<void> {
    await this.#refuseOld(admitted);
    const { accounts } = this.#needs;
    const { record, manifest, index, shard } = admitted;
    const { owner, group, segment, shardBytes } = record;
    const places = await this.#needs.books.places(shard);
    const known = places.some((place) => place.segment === segment && place.index === index);
    if (!known && places.length >= limits.vault.placesPerShardMax) {
      throw new HiveError("Quota", "vault.store", `${shard} has many places`);
    }
    const first = (await this.#needs.books.record(owner, segment)) === undefined;
    const adopted = await this.groups.adoption(manifest, told);
    await staged.place();
    if (known) return this.#adopt(manifest, told);
    const place: Place = {
      shard, segment, index, owner, group, shardBytes, storedAtMs: nowMs, strayAtMs: undefined,
    };
    const totals = accounts.with(owner, {
      shards: 1,
      segments: first ? 1 : 0,
      groups: adopted.groups,
      bytes: shardBytes + (first ? record.bytes.length : 0) + adopted.bytes,
    });
    const changes = [...entries.putPlace(place), entries.putRecord(record), ...adopted.changes];
    await this.#write(owner, totals, changes);
    if (adopted.changes.length > 0) this.groups.remember(manifest);
  }

  /** Within a turn: the manifest, if it is newer than what is here. */
  async #adopt(manifest: Manifest, told: Told): Promise<void> {
    const { changes, groups, bytes } = await this.groups.adoption(manifest, told);
    if (changes.length === 0) return;
    const totals = this.#needs.accounts.with(manifest.owner, { groups, bytes });
    await this.#write(manifest.owner, totals, changes);
    this.groups.remember(manifest);
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
    const totals = this.#needs.accounts.with(owner, {
      shards: -places.length,
      segments: last ? -1 : 0,
      bytes: -shardBytes - (record?.bytes.length ?? 0),
    });
    const changes = [
      ...places.flatMap(entries.dropPlace),
      ...(last ? [entries.dropRecord(owner, segment)] : []),
      ...more,
    ];
    await this.#write(owner, totals, changes);
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

  async #write(owner: OwnerId, totals: Totals, changes: readonly KeyChange[]): Promise<void> {
    const gone = totals.bytes === 0 ? [entries.dropIntroduction(owner)] : [];
    await this.#needs.books.batch([...changes, ...gone, entries.putTotals(owner, totals)]);
    this.#needs.accounts.set(owner, totals);
  }
}

function isSame(left: Place, right: Place): boolean {
  return left.segment === right.segment && left.index === right.index;
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return asBuffer(left).equals(right);
}
