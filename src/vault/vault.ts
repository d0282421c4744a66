/**
 * The face of this room: the ShardHost. It keeps shards for others, and cannot read what it keeps.
 * What peers ask of it serving.ts answers; this node asks it what lies here, and for whom.
 */
import type { KeyValue } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import type { GroupId, OwnerId } from "../base/ids.ts";
import type { Lender, Lodgers } from "../base/ledger.ts";
import type { Log } from "../base/log.ts";
import type { Requester, ShardHost } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import type { ShareHost } from "../base/sharing.ts";
import type { Step } from "../base/step.ts";
import type { PeerKeys } from "../crypt/ciphers/peer-key.ts";
import { type AccountOptions, Accounts } from "./accounts.ts";
import { Books } from "./books.ts";
import { diskRoomBytes } from "./disk-room.ts";
import { ShardFiles } from "./files.ts";
import { Groups } from "./groups.ts";
import { Keeper } from "./keeper.ts";
import { type Lodging, type PassedOn, type Reached, passedOn, sampleOf, weightsOf }
  from "./lodging.ts";
import { recountAll, restoreGroupings } from "./recount.ts";
import { Register } from "./register.ts";
import { Rolls } from "./rolls.ts";
import { Scrub } from "./scrub.ts";
import { type Neighbourhood, SeatPolicy } from "./seat-policy.ts";
import { Serving } from "./serving.ts";
import { Shares } from "./shares.ts";
import { type GroupShelf, Shelf } from "./shelf.ts";
import { WordKeeper } from "./word-keeper.ts";

export interface VaultNeeds {
  /** The vault's own; nothing else may write there. */
  readonly directory: string;
  /** The vault's own as well; the caller closes it after the vault. */
  readonly books: KeyValue;
  /** Their disk has lost some of them: what is left is made to agree. */
  readonly booksDamaged?: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** This node's, to sign receipts. */
  readonly keys: Pick<PeerKeys, "peer" | "sign">;
  /** To judge by the policies of owners; without it only their texts are checked. */
  readonly neighbours?: Neighbourhood;
  /** Says whether a stranger's data may come in; without it only the quota does. */
  readonly lender?: Lender;
}

export type { Lodging, PassedOn, Reached } from "./lodging.ts";
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
  /** Forgets a shard that its owner still wants, and tells him so when he asks for it. */
  letGo(lodging: Lodging): Promise<void>;
  /** False: takes nothing more in, and its offer says so. */
  takeIn(isOpen: boolean): void;
  /** From now on so much may lie here; what lies beyond it stays until others have it. */
  setQuota(bytes: number): void;
  /** Looks at the disk. */
  measure(): Promise<void>;
  /** What the shards of each group take up here. */
  weights(): Promise<ReadonlyMap<GroupId, number>>;
  /** What the other members gave to somebody else, while their owner was away; behind a place. */
  passedOn(after?: Reached): AsyncIterable<PassedOn>;
  /** The scrub: reads and hashes what is kept, drops what is spoilt so that it gets repaired. */
  readonly step: Step;
  /** For this node's guardian. */
  readonly shelf: GroupShelf;
  /** Which devices of the owners were shut out. */
  readonly rolls: Rolls;
}

export async function openVault(needs: VaultNeeds, options: VaultOptions): Promise<Vault> {
  const books = new Books(needs.books);
  const files = new ShardFiles(needs.directory);
  await checkDisk(needs.directory, files, books);
  if (needs.booksDamaged === true) await recountAll(books);
  await bringUpToDate(books);
  await files.prepare();
  const diskRoom = await diskRoomBytes(needs.directory);
  const { lender } = needs;
  const told = [await books.owners(), await books.introductions()] as const;
  const accounts = new Accounts({ ...options, lender }, ...told);
  accounts.setDiskRoom(diskRoom);
  const rolls = new Rolls({ books: needs.books, keeps: (owner) => accounts.owners.has(owner) });
  await rolls.open();
  return new ShardVault({ ...needs, books, files, accounts, rolls });
}

interface Parts extends Omit<VaultNeeds, "books"> {
  readonly books: Books;
  readonly files: ShardFiles;
  readonly accounts: Accounts;
  readonly rolls: Rolls;
}

class ShardVault implements Vault {
  readonly step: Step;
  readonly shelf: GroupShelf;
  readonly rolls: Rolls;
  readonly #parts: Parts;
  readonly #groups: Groups;
  readonly #keeper: Keeper;
  readonly #serving: Serving;
  readonly #shares: Shares;
  readonly #busy = new Set<Promise<unknown>>();
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.rolls = parts.rolls;
    const shared = { ...parts, self: parts.keys.peer };
    const groups = new Groups(shared);
    const register = new Register({ ...shared, groups });
    const known = { ...shared, groups, register };
    this.#groups = groups;
    this.#keeper = new Keeper(known);
    const words = new WordKeeper(known);
    const seatPolicy = new SeatPolicy(parts.neighbours);
    const rooms = { ...known, keeper: this.#keeper, words, seatPolicy };
    this.shelf = new Shelf(rooms);
    const isReader = (from: Requester, owner: OwnerId) => this.#shares.isReader(from, owner);
    this.#serving = new Serving({ ...rooms, isReader });
    const checkPartner: Serving["checkPartner"] = (...told) => this.#serving.checkPartner(...told);
    this.#shares = new Shares({ ...rooms, checkPartner });
    const scrub = new Scrub(rooms);
    const step = (signal: AbortSignal) => this.#during(() => scrub.step(signal));
    this.step = { name: scrub.name, step };
  }

  store(...asked: Parameters<ShardHost["store"]>): Promise<Uint8Array> {
    return this.#during(() => this.#serving.store(...asked));
  }

  read(...asked: Parameters<ShardHost["read"]>): Promise<Uint8Array> {
    return this.#during(() => this.#serving.read(...asked));
  }

  prove(...asked: Parameters<ShardHost["prove"]>): Promise<Uint8Array> {
    return this.#during(() => this.#serving.prove(...asked));
  }

  release(...asked: Parameters<ShardHost["release"]>): Promise<Uint8Array> {
    return this.#during(() => this.#serving.release(...asked));
  }

  putRecord(...asked: Parameters<ShardHost["putRecord"]>): Promise<void> {
    return this.#during(() => this.#serving.putRecord(...asked));
  }

  records(...asked: Parameters<ShardHost["records"]>): ReturnType<ShardHost["records"]> {
    return this.#during(() => this.#serving.records(...asked));
  }

  segments(...asked: Parameters<ShardHost["segments"]>): ReturnType<ShardHost["segments"]> {
    return this.#during(() => this.#serving.segments(...asked));
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
    return this.#during(() => sampleOf({ books, groups: this.#groups }, owner, random));
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

  passedOn(after?: Reached): AsyncIterable<PassedOn> {
    const { books, accounts, keys } = this.#parts;
    const owners = [...accounts.owners.keys()];
    return passedOn({ books, groups: this.#groups }, { owners, self: keys.peer, after });
  }

  letGo({ place }: Lodging): Promise<void> {
    return this.#during(() => this.#keeper.letGo(place, this.#parts.clock.now()));
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

/** In books of version 1 no group says which segments are of it. */
async function bringUpToDate(books: Books): Promise<void> {
  const version = Buffer.from(await books.value("vault") ?? []).toString("latin1");
  if (version === "2") return;
  await restoreGroupings(books);
  await books.put("vault", Buffer.from("2"));
}
