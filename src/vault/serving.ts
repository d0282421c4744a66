/**
 * What peers ask of a vault: it takes their shards in and hands them, and proofs of them, to their
 * owner and their group only. It signs a receipt only for what would survive a crash, and decides
 * who may ask for what. Its door is admission.ts; keeper.ts has the shards, word-keeper.ts all
 * else.
 */
import { sameBytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import type { ByteRange } from "../base/filesystem.ts";
import type { OwnerId, SegmentId, ShardId } from "../base/ids.ts";
import type { Lender } from "../base/ledger.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Challenge, OwnerRecords, Requester, ShardHost, StoreRequest }
  from "../base/network.ts";
import type { Manifest } from "../base/records.ts";
import { rootOf } from "../crypt/blocks/merkle.ts";
import type { PeerKeys } from "../crypt/ciphers/peer-key.ts";
import { signDeletion } from "../crypt/records/deletions.ts";
import { parseHead, parseManifest, parseRelease, signReceipt } from "../crypt/records/records.ts";
import { type Standing, seatsOf } from "../guard/log.ts";
import { answerChallenge, leavesOf } from "../proofs/answer.ts";
import { checkChallenge } from "../proofs/challenge.ts";
import { isRace, runRace } from "../proofs/race.ts";
import { admit, introductionBy, isMember, isPartner, parseStore } from "./admission.ts";
import type { Place } from "./book-entries.ts";
import { type Books, firstOf } from "./books.ts";
import type { ShardFiles } from "./files.ts";
import type { Groups, Told } from "./groups.ts";
import type { Keeper } from "./keeper.ts";
import type { Rolls } from "./rolls.ts";
import type { SeatPolicy } from "./seat-policy.ts";
import type { WordKeeper } from "./word-keeper.ts";

export interface ServingNeeds {
  readonly books: Books;
  readonly files: ShardFiles;
  readonly groups: Groups;
  readonly keeper: Keeper;
  readonly words: WordKeeper;
  readonly seatPolicy: SeatPolicy;
  readonly rolls: Rolls;
  readonly keys: Pick<PeerKeys, "peer" | "sign">;
  readonly lender?: Lender;
  /** Whom the owner shares something with: he reads, and mends what this peer should have. */
  readonly isReader: (from: Requester, owner: OwnerId) => Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
}

type Served = Pick<
  ShardHost, "store" | "read" | "prove" | "release" | "putRecord" | "records" | "segments"
>;

export class Serving implements Served {
  readonly #needs: ServingNeeds;

  constructor(needs: ServingNeeds) {
    this.#needs = needs;
  }

  async store(from: Requester, request: StoreRequest, shard: Uint8Array): Promise<Uint8Array> {
    const { keys, clock, keeper, words, seatPolicy, lender } = this.#needs;
    const brought = parseStore(request);
    const here = await this.#underManifest(brought.manifest);
    const { owner: whose } = brought.record;
    const isMender = here.isKnown && !isPartner(from, whose, here)
      && await this.#needs.isReader(from, whose);
    const { log } = here;
    const admitted = admit(keys.peer, from, { ...brought, log, isMender }, shard);
    const { manifest, record: { owner, segment } } = admitted;
    const peers = seatsOf({ manifest, log });
    seatPolicy.check(keys.peer, { ...manifest, peers }, request.policy);
    const nowMs = clock.now();
    lender?.met(from);
    await keeper.keep(admitted, shard, { nowMs, ...toldBy(from, owner) });
    if (request.policy !== undefined) await words.keepPolicy(manifest, request.policy);
    const { index, shard: id } = admitted;
    return signReceipt(keys, { owner, segment, index, shard: id, atMs: nowMs }).bytes;
  }

  async read(from: Requester, shard: ShardId, range: ByteRange): Promise<Uint8Array> {
    const place = await this.#placeFor(from, shard);
    const { offsetBytes, lengthBytes } = range;
    const whole = Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(lengthBytes);
    const inside = offsetBytes >= 0 && lengthBytes >= 1 &&
      offsetBytes + lengthBytes <= place.shardBytes;
    if (whole && inside) return this.#bytes(shard, range);
    throw new HiveError("Invalid", "vault.read", `${lengthBytes} bytes at ${offsetBytes}`);
  }

  async prove(from: Requester, challenge: Challenge): Promise<Uint8Array> {
    const { shard } = challenge;
    const { shardBytes } = await this.#placeFor(from, shard);
    checkChallenge(challenge, shardBytes);
    const bytes = await this.#bytes(shard, { offsetBytes: 0, lengthBytes: shardBytes });
    if (isRace(challenge)) return runRace(challenge, this.#needs.keys.peer, bytes);
    const source = leavesOf(bytes);
    if (rootOf(source.tree) !== shard) return this.#lose(shard);
    return answerChallenge(challenge, this.#needs.keys.peer, source);
  }

  /** Whoever brings it: the owner signed it. Said again it is answered again. */
  async release(_from: Requester, release: Uint8Array): Promise<Uint8Array> {
    const { keeper, keys, clock } = this.#needs;
    const told = parseRelease(release);
    this.#needs.rolls.check(told);
    const { owner, segment, releasedAtMs, only } = told;
    if (only === undefined) await keeper.release(told);
    else if (only.holder === keys.peer) await keeper.releaseShard(told, only);
    else throw new HiveError("Denied", "vault.release", "another holder's");
    const which = only === undefined ? {} : { index: only.index };
    const atMs = clock.now();
    return signDeletion(keys, { owner, segment, releasedAtMs, atMs, ...which }).bytes;
  }

  async putRecord(
    ...[from, kind, record, policy]: Parameters<ShardHost["putRecord"]>
  ): Promise<void> {
    if (kind === "manifest") return this.#putManifest(from, parseManifest(record), policy);
    const head = parseHead(record);
    await this.checkPartner(from, head.owner);
    return this.#needs.words.keepHead(head);
  }

  async records(from: Requester, owner: OwnerId): Promise<OwnerRecords> {
    const { manifests, isReader } = await this.#groupsFor(from, owner);
    // A reader has another way to what he reads: the drive's own heads are not his to have.
    const heads = isReader ? [] : await this.#needs.books.heads(owner);
    const [head, ...others] = heads.sort((a, b) => b.sequence - a.sequence);
    return {
      head: head?.bytes, others: others.map(({ bytes }) => bytes),
      manifests: manifests.map(({ bytes }) => bytes),
    };
  }

  async segments(
    from: Requester,
    owner: OwnerId,
    { after, limit }: { readonly after: SegmentId | undefined; readonly limit: number },
  ): Promise<readonly Uint8Array[]> {
    const { books } = this.#needs;
    const { manifests, isAll } = await this.#groupsFor(from, owner);
    const most = Math.min(limit, limits.vault.segmentsPerAnswerMax);
    if (isAll) return (await firstOf(books.records(owner, after), most)).map(({ bytes }) => bytes);
    const named: SegmentId[] = [];
    for (const { group } of manifests) {
      named.push(...await firstOf(books.segmentsOf(owner, group, after), most));
    }
    const first = named.sort().slice(0, most);
    const records = await Promise.all(first.map((segment) => books.record(owner, segment)));
    return records.flatMap((record) => record === undefined ? [] : [record.bytes]);
  }

  /** Denied to whoever only reads, too: none of this is his to change. */
  async checkPartner(from: Requester, owner: OwnerId): Promise<void> {
    const { isReader } = await this.#groupsFor(from, owner);
    if (isReader) throw new HiveError("Denied", "vault.owner", owner);
  }

  /** A place of the shard that this peer may ask about. */
  async #placeFor(from: Requester, shard: ShardId): Promise<Place> {
    const { books, groups, isReader } = this.#needs;
    const places = await books.places(shard);
    if (places.length === 0) {
      const kind = await books.hasWent(shard) ? "Stale" : "NotFound";
      throw new HiveError(kind, "vault.place", shard);
    }
    for (const place of places) {
      const standing = await groups.standing(place.owner, place.group);
      if (isPartner(from, place.owner, standing)) return place;
    }
    for (const place of places) {
      if (await isReader(from, place.owner)) return place;
    }
    throw new HiveError("Denied", "vault.place", shard);
  }

  /** The owner's groups that this peer may know of: for him and his readers all. */
  async #groupsFor(
    from: Requester, owner: OwnerId,
  ): Promise<{
    readonly manifests: readonly Manifest[]; readonly isReader: boolean; readonly isAll: boolean;
  }> {
    const standings = await this.#needs.groups.standings(owner);
    const isOwners = from.owners.includes(owner);
    const own = standings.filter((standing) => isOwners || isMember(standing, from.peer));
    const isReader = own.length === 0 && await this.#needs.isReader(from, owner);
    const known = isReader ? standings : own;
    if (!isOwners && known.length === 0) throw new HiveError("Denied", "vault.owner", owner);
    const isAll = known.length === standings.length;
    return { manifests: known.map(({ manifest }) => manifest), isReader, isAll };
  }

  /** What is known of this very manifest's log. */
  async #underManifest(manifest: Manifest): Promise<Standing & { readonly isKnown: boolean }> {
    const { owner, group, bytes } = manifest;
    const here = await this.#needs.groups.standing(owner, group);
    const isKnown = here !== undefined && sameBytes(here.manifest.bytes, bytes);
    return { manifest, log: isKnown ? here.log : [], isKnown };
  }

  /** A newcomer's manifest only if it seats us; a known owner's also when it unseats us. */
  async #putManifest(
    from: Requester, manifest: Manifest, policy: Uint8Array | undefined,
  ): Promise<void> {
    const { groups, words, seatPolicy, keys: { peer } } = this.#needs;
    const { owner, group, peers } = manifest;
    const here = await groups.standing(owner, group);
    const told = { manifest, log: [] };
    const partner = isPartner(from, owner, told) || isPartner(from, owner, here);
    const isSeated = peers.includes(peer);
    if (!partner || (!isSeated && here === undefined)) {
      throw new HiveError("Denied", "vault.manifest", owner);
    }
    // What takes the seat away is heard whatever the policy says.
    if (isSeated) seatPolicy.check(peer, manifest, policy);
    await words.keepManifest(manifest, toldBy(from, owner));
    if (policy !== undefined) await words.keepPolicy(manifest, policy);
  }

  async #bytes(shard: ShardId, range: ByteRange): Promise<Buffer> {
    try {
      return await this.#needs.files.read(shard, range);
    } catch (fault) {
      if (isFault(fault, "Corrupt")) return this.#lose(shard);
      throw fault;
    }
  }

  /** What the disk spoilt is as good as gone, and the asker is told so: it will be repaired. */
  async #lose(shard: ShardId): Promise<never> {
    const { log, keeper, books } = this.#needs;
    log.warn("vault.spoilt", { shard });
    await keeper.drop(await books.places(shard));
    throw new HiveError("NotFound", "vault.spoilt", shard);
  }
}

/** A manifest that comes alone: its log is not known yet. */
function toldBy(from: Requester, owner: OwnerId): Told {
  return { by: introductionBy(from, owner), isOwners: from.owners.includes(owner), log: [] };
}
