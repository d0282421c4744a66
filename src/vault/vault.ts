/**
 * The face of this room: the ShardHost. It keeps shards for others and hands them, and proofs of
 * them, to their owner and their group only. It cannot read what it keeps, and it signs a receipt
 * only for what would survive a crash. admission.ts is its door, keeper.ts its disk.
 */
import type { KeyValue } from "../base/blocks.ts";
import { asBuffer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import type { ByteRange } from "../base/filesystem.ts";
import type { GroupId, OwnerId, SegmentId, ShardId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Lender, Lodgers } from "../base/ledger.ts";
import type { Log } from "../base/log.ts";
import type { Challenge, OwnerRecords, Requester } from "../base/network.ts";
import type { ShardHost, StoreRequest } from "../base/network.ts";
import type { ShareHost } from "../base/sharing.ts";
import type { Manifest } from "../base/records.ts";
import type { Random } from "../base/random.ts";
import type { Step } from "../base/step.ts";
import { rootOf } from "../crypt/merkle.ts";
import type { PeerKeys } from "../crypt/peer-key.ts";
import { parseHead, parseManifest, parseRelease, signReceipt } from "../crypt/records.ts";
import { answerChallenge, leavesOf } from "../proofs/answer.ts";
import { checkChallenge } from "../proofs/challenge.ts";
import { type Standing, seatsOf } from "../guard/log.ts";
import { type AccountOptions, Accounts } from "./accounts.ts";
import { admit, introductionBy, isMember, isPartner, parseStore } from "./admission.ts";
import { Books, type Place } from "./books.ts";
import { diskRoomBytes } from "./disk-room.ts";
import { ShardFiles } from "./files.ts";
import type { Told } from "./groups.ts";
import { Keeper } from "./keeper.ts";
import { type Lodging, type PassedOn, passedOn, sampleOf, weightsOf } from "./lodging.ts";
import { Scrub } from "./scrub.ts";
import { type Neighbourhood, SeatPolicy } from "./seat-policy.ts";
import { Shares } from "./shares.ts";
import { type GroupShelf, Shelf } from "./shelf.ts";

export interface VaultNeeds {
  /** The vault's own; nothing else may write there. */
  readonly directory: string;
  /** The vault's own as well; the caller closes it after the vault. */
  readonly books: KeyValue;
  readonly clock: Clock;
  readonly log: Log;
  /** This node's, to sign receipts. */
  readonly keys: Pick<PeerKeys, "peer" | "sign">;
  /** To judge by the policies of owners; without it only their texts are checked. */
  readonly neighbours?: Neighbourhood;
  /** Says whether a stranger's data may come in; without it only the quota does. */
  readonly lender?: Lender;
}

export type { Lodging, PassedOn } from "./lodging.ts";
export type VaultOptions = Omit<AccountOptions, "lender">;

export interface VaultUsage {
  readonly quotaBytes: number;
  readonly usedBytes: number;
  readonly freeBytes: number;
  /** What may lie here, by the quota and by the disk. */
  readonly ceilingBytes: number;
  readonly shards: number;
  readonly owners: number;
}

export interface OwnerUsage {
  readonly owner: OwnerId;
  readonly shards: number;
  readonly segments: number;
  readonly bytes: number;
}

export interface Vault extends ShardHost, ShareHost, AsyncDisposable {
  usage(): VaultUsage;
  /** One line for each owner. */
  list(): readonly OwnerUsage[];
  /** For whom how much is kept, and of whom nothing is asked for it. */
  lodgers(): Lodgers;
  /** Some of an owner's shards, drawn by chance. */
  sample(owner: OwnerId, random: Random): Promise<readonly Lodging[]>;
  /** Forgets a shard that its owner still wants. */
  letGo(lodging: Lodging): Promise<void>;
  /** False: takes nothing more in, and its offer says so. */
  takeIn(isOpen: boolean): void;
  /** From now on so much may lie here; what lies beyond it stays until others have it. */
  setQuota(bytes: number): void;
  /** Looks at the disk. */
  measure(): Promise<void>;
  /** What the shards of each group take up here. */
  weights(): Promise<ReadonlyMap<GroupId, number>>;
  /** What the other members gave to somebody else, while their owner was away. */
  passedOn(): AsyncIterable<PassedOn>;
  /** The scrub: reads and hashes what is kept, drops what is spoilt so that it gets repaired. */
  readonly step: Step;
  /** For this node's guardian. */
  readonly shelf: GroupShelf;
}

export async function openVault(needs: VaultNeeds, options: VaultOptions): Promise<Vault> {
  const books = new Books(needs.books);
  const files = new ShardFiles(needs.directory);
  await checkDisk(needs.directory, files, books);
  await files.prepare();
  const diskRoom = await diskRoomBytes(needs.directory);
  const { lender } = needs;
  const told = [await books.owners(), await books.introductions()] as const;
  const accounts = new Accounts({ ...options, lender }, ...told);
  accounts.setDiskRoom(diskRoom);
  return new ShardVault({ ...needs, books, files, accounts });
}

interface Parts extends Omit<VaultNeeds, "books"> {
  readonly books: Books;
  readonly files: ShardFiles;
  readonly accounts: Accounts;
}

class ShardVault implements Vault {
  readonly step: Step;
  readonly shelf: GroupShelf;
  readonly #parts: Parts;
  readonly #keeper: Keeper;
  readonly #seatPolicy: SeatPolicy;
  readonly #shares: Shares;
  readonly #busy = new Set<Promise<unknown>>();
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    const shared = { ...parts, self: parts.keys.peer };
    this.#keeper = new Keeper(shared);
    this.#seatPolicy = new SeatPolicy(parts.neighbours);
    const rooms = { ...shared, keeper: this.#keeper, seatPolicy: this.#seatPolicy };
    this.shelf = new Shelf(rooms);
    const checkPartner = (from: Requester, owner: OwnerId) => this.#checkPartner(from, owner);
    this.#shares = new Shares({ ...rooms, checkPartner });
    const scrub = new Scrub(rooms);
    const step = (signal: AbortSignal) => this.#during(() => scrub.step(signal));
    this.step = { name: scrub.name, step };
  }

  store(from: Requester, request: StoreRequest, shard: Uint8Array): Promise<Uint8Array> {
    return this.#during(async () => {
      const { keys, clock } = this.#parts;
      const brought = parseStore(request);
      const { log } = await this.#underManifest(brought.manifest);
      const admitted = admit(keys.peer, from, { ...brought, log }, shard);
      const { manifest, record: { owner, segment } } = admitted;
      const peers = seatsOf({ manifest, log });
      this.#seatPolicy.check(keys.peer, { ...manifest, peers }, request.policy);
      const nowMs = clock.now();
      this.#parts.lender?.met(from);
      await this.#keeper.keep(admitted, shard, { nowMs, ...toldBy(from, owner) });
      if (request.policy !== undefined) await this.#keeper.keepPolicy(manifest, request.policy);
      const { index, shard: id } = admitted;
      return signReceipt(keys, { owner, segment, index, shard: id, atMs: nowMs }).bytes;
    });
  }

  read(from: Requester, shard: ShardId, range: ByteRange): Promise<Uint8Array> {
    return this.#during(async () => {
      const place = await this.#placeFor(from, shard);
      const { offsetBytes, lengthBytes } = range;
      const whole = Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(lengthBytes);
      const inside = offsetBytes >= 0 && lengthBytes >= 1 &&
        offsetBytes + lengthBytes <= place.shardBytes;
      if (whole && inside) return this.#bytes(shard, range);
      throw new HiveError("Invalid", "vault.read", `${lengthBytes} bytes at ${offsetBytes}`);
    });
  }

  prove(from: Requester, challenge: Challenge): Promise<Uint8Array> {
    return this.#during(async () => {
      const { shard } = challenge;
      const { shardBytes } = await this.#placeFor(from, shard);
      checkChallenge(challenge, shardBytes);
      const whole = { offsetBytes: 0, lengthBytes: shardBytes };
      const source = leavesOf(await this.#bytes(shard, whole));
      if (rootOf(source.tree) !== shard) return this.#lose(shard);
      return answerChallenge(challenge, this.#parts.keys.peer, source);
    });
  }

  release(_from: Requester, release: Uint8Array): Promise<void> {
    // Whoever brings it: the owner signed it.
    return this.#during(async () => {
      const told = parseRelease(release);
      if (told.only === undefined) return this.#keeper.release(told);
      const isOurs = told.only.holder === this.#parts.keys.peer;
      if (isOurs) return this.#keeper.releaseShard(told, told.only);
      throw new HiveError("Denied", "vault.release", "another holder's");
    });
  }

  putRecord(...[from, kind, record, policy]: Parameters<ShardHost["putRecord"]>): Promise<void> {
    return this.#during(async () => {
      if (kind === "manifest") return this.#putManifest(from, parseManifest(record), policy);
      const head = parseHead(record);
      await this.#checkPartner(from, head.owner);
      return this.#keeper.keepHead(head);
    });
  }

  records(from: Requester, owner: OwnerId): Promise<OwnerRecords> {
    return this.#during(async () => {
      const { manifests, isReader } = await this.#groupsFor(from, owner);
      // A reader has another way to what he reads: the drive's own heads are not his to have.
      const heads = isReader ? [] : await this.#parts.books.heads(owner);
      const [head, ...others] = heads.sort((a, b) => b.sequence - a.sequence);
      return {
        head: head?.bytes, others: others.map(({ bytes }) => bytes),
        manifests: manifests.map(({ bytes }) => bytes),
      };
    });
  }

  segments(
    from: Requester,
    owner: OwnerId,
    options: { readonly after: SegmentId | undefined; readonly limit: number },
  ): Promise<readonly Uint8Array[]> {
    return this.#during(async () => {
      const { manifests } = await this.#groupsFor(from, owner);
      const groups = new Set(manifests.map(({ group }) => group));
      const most = Math.min(options.limit, limits.vault.segmentsPerAnswerMax);
      const found: Uint8Array[] = [];
      for await (const { group, bytes } of this.#parts.books.records(owner, options.after)) {
        if (found.length >= most) break;
        if (groups.has(group)) found.push(bytes);
      }
      return found;
    });
  }

  share(...asked: Parameters<ShareHost["share"]>): Promise<Uint8Array> {
    return this.#during(() => this.#shares.share(...asked));
  }

  space(): { readonly quotaBytes: number; readonly freeBytes: number } {
    const { quotaBytes, freeBytes } = this.#parts.accounts;
    return { quotaBytes, freeBytes };
  }

  usage(): VaultUsage {
    const { quotaBytes, usedBytes, freeBytes, ceilingBytes, shards } = this.#parts.accounts;
    const owners = this.#parts.accounts.owners.size;
    return { quotaBytes, usedBytes, freeBytes, ceilingBytes, shards, owners };
  }

  list(): readonly OwnerUsage[] {
    return [...this.#parts.accounts.owners].map(([owner, { shards, segments, bytes }]) => {
      return { owner, shards, segments, bytes };
    });
  }

  lodgers(): Lodgers {
    return this.#parts.accounts.lodgers();
  }

  sample(owner: OwnerId, random: Random): Promise<readonly Lodging[]> {
    const { books } = this.#parts;
    return this.#during(() => sampleOf({ books, keeper: this.#keeper }, owner, random));
  }

  takeIn(isOpen: boolean): void {
    this.#parts.accounts.takeIn(isOpen);
  }

  setQuota(bytes: number): void {
    this.#parts.accounts.setQuota(bytes);
  }

  async measure(): Promise<void> {
    this.#parts.accounts.setDiskRoom(await diskRoomBytes(this.#parts.directory));
  }

  weights(): Promise<ReadonlyMap<GroupId, number>> {
    return weightsOf(this.#parts.books);
  }

  passedOn(): AsyncIterable<PassedOn> {
    const { books, accounts, keys } = this.#parts;
    const owners = [...accounts.owners.keys()];
    return passedOn({ books, keeper: this.#keeper }, { owners, self: keys.peer });
  }

  letGo({ place }: Lodging): Promise<void> {
    return this.#during(() => this.#keeper.drop([place]));
  }

  /** Waits for what is under way; nothing new is begun. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#busy);
  }

  async #during<T>(act: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new HiveError("Unavailable", "vault", "closed");
    const work = act();
    this.#busy.add(work);
    try {
      return await work;
    } finally {
      this.#busy.delete(work);
    }
  }

  /** A place of the shard that this peer may ask about. */
  async #placeFor(from: Requester, shard: ShardId): Promise<Place> {
    const places = await this.#parts.books.places(shard);
    if (places.length === 0) throw new HiveError("NotFound", "vault.place", shard);
    for (const place of places) {
      const standing = await this.#keeper.groups.standing(place.owner, place.group);
      if (isPartner(from, place.owner, standing)) return place;
    }
    for (const place of places) {
      if (await this.#shares.isReader(from, place.owner)) return place;
    }
    throw new HiveError("Denied", "vault.place", shard);
  }

  /** The owner's groups that this peer may know of: for him and his readers all. */
  async #groupsFor(
    from: Requester, owner: OwnerId,
  ): Promise<{ readonly manifests: readonly Manifest[]; readonly isReader: boolean }> {
    const standings = await this.#keeper.groups.standings(owner);
    const isOwners = from.owners.includes(owner);
    const own = standings.filter((standing) => isOwners || isMember(standing, from.peer));
    const isReader = own.length === 0 && await this.#shares.isReader(from, owner);
    const known = isReader ? standings : own;
    if (!isOwners && known.length === 0) throw new HiveError("Denied", "vault.owner", owner);
    return { manifests: known.map(({ manifest }) => manifest), isReader };
  }

  /** Denied to whoever only reads, too: none of this is his to change. */
  async #checkPartner(from: Requester, owner: OwnerId): Promise<void> {
    const { isReader } = await this.#groupsFor(from, owner);
    if (isReader) throw new HiveError("Denied", "vault.owner", owner);
  }

  /** What is known of this very manifest's log. */
  async #underManifest(manifest: Manifest): Promise<Standing> {
    const { owner, group, bytes } = manifest;
    const here = await this.#keeper.groups.standing(owner, group);
    const isSame = here !== undefined && asBuffer(here.manifest.bytes).equals(bytes);
    return isSame ? here : { manifest, log: [] };
  }

  /** A newcomer's manifest only if it seats us; a known owner's also when it unseats us. */
  async #putManifest(
    from: Requester, manifest: Manifest, policy: Uint8Array | undefined,
  ): Promise<void> {
    const { owner, group, peers } = manifest;
    const { peer } = this.#parts.keys;
    const here = await this.#keeper.groups.standing(owner, group);
    const told = { manifest, log: [] };
    const partner = isPartner(from, owner, told) || isPartner(from, owner, here);
    const isSeated = peers.includes(peer);
    if (!partner || (!isSeated && here === undefined)) {
      throw new HiveError("Denied", "vault.manifest", owner);
    }
    // What takes the seat away is heard whatever the policy says.
    if (isSeated) this.#seatPolicy.check(peer, manifest, policy);
    await this.#keeper.keepManifest(manifest, toldBy(from, owner));
    if (policy !== undefined) await this.#keeper.keepPolicy(manifest, policy);
  }

  async #bytes(shard: ShardId, range: ByteRange): Promise<Buffer> {
    try {
      return await this.#parts.files.read(shard, range);
    } catch (fault) {
      if (isFault(fault, "Corrupt")) return this.#lose(shard);
      throw fault;
    }
  }

  /** What the disk spoilt is as good as gone, and the asker is told so: it will be repaired. */
  async #lose(shard: ShardId): Promise<never> {
    this.#parts.log.warn("vault.spoilt", { shard });
    await this.#keeper.drop(await this.#parts.books.places(shard));
    throw new HiveError("NotFound", "vault.spoilt", shard);
  }
}

/** A manifest that comes alone: its log is not known yet. */
function toldBy(from: Requester, owner: OwnerId): Told {
  return { by: introductionBy(from, owner), isOwners: from.owners.includes(owner), log: [] };
}

/** The books and the directory belong together: an unmounted disk must not look like lost data. */
async function checkDisk(directory: string, files: ShardFiles, books: Books): Promise<void> {
  if (await files.isMarked()) return;
  if ((await books.value("vault")) !== undefined) {
    throw new HiveError("Unavailable", "vault.open", `${directory}: is its disk mounted?`);
  }
  await files.mark();
  await books.put("vault", Buffer.from("1"));
}
