/**
 * A device town with people who write a folder of its drive: the drive's device is Ann's, and each
 * machine of a guest's has a node's room of sharing, stores and trees of its own, and what brings
 * its blocks to the town's holders. Nothing is there that is not in a daemon, but a mount and a
 * loop: what that would do the test does, when it wants.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guestKeys } from "../../src/base/book-keys.ts";
import { booksUnder } from "../../src/base/books-under.ts";
import { MiB } from "../../src/base/bytes.ts";
import { HiveError, isFault } from "../../src/base/errors.ts";
import type { FileSystem } from "../../src/base/filesystem.ts";
import { type Cid, type OwnerId, type PeerId, nameFromText } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { NodeDuties } from "../../src/base/node.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { SharedRoots } from "../../src/base/sharing.ts";
import { openCache } from "../../src/cache/cache.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { type OwnerSigner, certifier } from "../../src/crypt/records/certificates.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { sharingOf } from "../../src/drive/sharing.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { SharedFolders } from "../../src/shared/folders.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { type Sharing, openSharing } from "../../src/sharing/sharing.ts";
import { Clearing } from "../../src/transfer/placed/clearing.ts";
import { type Transfer, openTransfer } from "../../src/transfer/transfer.ts";
import { DeviceTown, type TownDevice, publish } from "./device-town.ts";
import { pictureBelow } from "./shared-folder.ts";
import { type TownView, emptyHost } from "./town-network.ts";
import { MemoryBooks } from "./transfer-world.ts";

const never = new AbortController().signal;
/** So much quicker than ours the town's time goes. */
const haste = 40;
/** Of the town's time. */
const patienceMs = 60_000 * haste;

type Fetch = (cid: Cid, options: { readonly signal?: AbortSignal }) => Promise<Uint8Array>;

/** The first of them that has it. */
function eachOf(...sources: readonly Fetch[]): Fetch {
  return async (cid, options) => {
    for (const fetch of sources) {
      try {
        return await fetch(cid, options);
      } catch (error) {
        if (!isFault(error, "NotFound")) throw error;
      }
    }
    throw new HiveError("NotFound", "town", cid);
  };
}

/** Whoever gives the folder away. */
export class TownOwner {
  readonly device: TownDevice;
  readonly sharing: Sharing;

  private constructor(device: TownDevice, sharing: Sharing) {
    this.device = device;
    this.sharing = sharing;
  }

  static async begin(town: DeviceTown): Promise<TownOwner> {
    const device = await town.add("desk");
    const { transfer, store, tree } = device;
    const person = personKeysOf(town.driveSeed);
    const network = town.network.seenBy(
      device.keys, () => [town.driveKeys.owner, personIdOf(person)],
    );
    const roots: SharedRoots = {
      ...noRoots,
      written: async ({ root, ...guest }) => {
        return !(await tree.guests.mergeGuest(root, guest, async () => undefined)).isCut;
      },
    };
    const sharing = await openSharing({
      ...common(town, "ann"), network, transfer, roots, books: new MemoryBooks(),
      keys: town.driveKeys, person,
      read: async (cid) => await store.get(cid), certifier: () => () => [],
      guests: { open: refused, end: async () => undefined },
    });
    store.setFetcher({ fetch: eachOf(
      (...asked) => transfer.fetch(...asked), (...asked) => sharing.fetch(...asked),
    ) });
    return new TownOwner(device, sharing);
  }

  async give(path: readonly string[], guest: TownGuest): Promise<string> {
    await this.sharing.addContact(guest.person, await guest.sharing.me());
    return String(await this.#drive().share(path, {
      who: guest.person, expiresAtMs: null, gives: "write",
    }));
  }

  async look(): Promise<void> {
    await publish(this.device);
    for (const step of this.sharing.steps) await step.step(never);
  }

  #drive() {
    return sharingOf(this.device.tree, { sharing: this.sharing } as unknown as NodeDuties);
  }
}

/** One machine of somebody who may write the folder; several of one person are of one name. */
export class TownGuest implements AsyncDisposable {
  readonly person: string;
  readonly peer: PeerId;
  readonly sharing: Sharing;
  readonly folders: SharedFolders;
  /** Devices that this person's drive let go of. */
  readonly gone: Set<PeerId>;
  /** Of what was written here, by its writer. */
  readonly transfers: ReadonlyMap<OwnerId, Transfer>;
  readonly #town: DeviceTown;
  readonly #ties: { now: Uint8Array };
  readonly #owned: AsyncDisposableStack;

  private constructor(
    parts: Pick<TownGuest, "person" | "peer" | "sharing" | "folders" | "gone" | "transfers"> & {
      readonly town: DeviceTown; readonly ties: { now: Uint8Array };
    }, owned: AsyncDisposableStack,
  ) {
    this.person = parts.person;
    this.peer = parts.peer;
    this.sharing = parts.sharing;
    this.folders = parts.folders;
    this.gone = parts.gone;
    this.transfers = parts.transfers;
    this.#town = parts.town;
    this.#ties = parts.ties;
    this.#owned = owned;
  }

  static async begin(town: DeviceTown, person: string, name: string): Promise<TownGuest> {
    await using owned = new AsyncDisposableStack();
    const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
    const directory = await mkdtemp(join(place, "hive-guest-town-"));
    owned.defer(() => rm(directory, { recursive: true, force: true }));
    const { clock } = town.network;
    const random = seededRandom(`guest town ${person} ${name}`);
    const seed = sha256(Buffer.from(`guest town ${person}`));
    const keys = peerKeysOf(sha256(Buffer.from(`guest town ${person} ${name}`)));
    const personKeys = personKeysOf(seed);
    const gone = new Set<PeerId>();
    let sharing: Sharing | undefined;
    const network: TownView = town.network.seenBy(keys, () => {
      const more = sharing?.certificates() ?? [];
      return [personIdOf(personKeys), ...more.map(({ owner }) => owner)];
    });
    const host = { ...emptyHost, share: async () => personKeys.sealPublic };
    town.network.members.set(keys.peer, { keys, household: `${person} ${name}`, host });
    const shared = { clock, random, log: silentLog };
    const fetcher = { fetch: ((...asked) => sharing?.fetch(...asked) ?? refused()) as Fetch };
    const openStore = async (at: string) => await openCache({
      ...shared, directory: join(directory, at), fetcher,
    }, { limitBytes: 64 * MiB });
    const store = owned.use(await openStore("cache"));
    const stores = new Map<OwnerId, Awaited<ReturnType<typeof openStore>>>();
    const folders = owned.use(new SharedFolders({
      ...shared, store, hasStore: (writer) => existsSync(join(directory, writer)),
      openStore: async (writer) => {
        const kept = await openStore(writer);
        stores.set(writer, kept);
        return { store: kept, close: () => kept.close() };
      },
      run: () => ({ [Symbol.asyncDispose]: async () => undefined }),
    }, { uid: 1, gid: 1 }));
    const transfers = new Map<OwnerId, Transfer>();
    const books = new MemoryBooks();
    const device = { peer: keys.peer, name };
    const ties: { now: Uint8Array } = { now: Buffer.alloc(0) };
    sharing = await openSharing({
      ...common(town, name), network, books, keys: driveKeysOf(seed), person: personKeys,
      transfer: emptyDrive(gone), read: async (cid) => await store.get(cid),
      certifier: (signer: OwnerSigner) => certifier(signer, device, clock),
      roots: {
        shared: (news) => folders.shared(news), kin: (news) => folders.kin(news),
        expired: async () => undefined, written: refused,
        tied: async (bytes) => void (ties.now = bytes),
      },
      guests: {
        open: async ({ keys: drive }, prefix) => {
          const source = newestOf(() => stores.get(drive.owner));
          const transfer = await openTransfer({
            ...shared, network, source, coder: openCoder(), keys: drive,
            books: booksUnder(booksUnder(books, prefix), guestKeys.transfer),
          }, { settleMs: 0, readTimeoutMs: patienceMs });
          transfers.set(drive.owner, transfer);
          return transfer;
        },
        end: async () => undefined,
      },
    });
    const guest = new TownGuest(
      { person, peer: keys.peer, sharing, folders, gone, transfers, town, ties }, owned.move(),
    );
    await sharing.tied({ bytes: Buffer.alloc(0), isOurs: true });
    return guest;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }

  /** As the drive that both are devices of brings it. */
  async tellTies(other: TownGuest): Promise<void> {
    await other.sharing.tied({ bytes: this.#ties.now, isOurs: false });
  }

  /** Out of reach of everybody, or back again. */
  goesAway(isAway = true): void {
    if (isAway) this.#town.network.sides.set(this.peer, 7 + this.#town.network.sides.size);
    else this.#town.network.sides.delete(this.peer);
  }

  async look(): Promise<void> {
    for (const step of this.sharing.steps) await step.step(never);
  }

  /** All that was written is with holders. */
  async flush(): Promise<void> {
    await this.folders.commitMost();
    await this.sharing.flush(patienceMs);
  }

  /** As programs see it. */
  async files(name: string): Promise<FileSystem> {
    return (await this.folders.open(nameFromText(name))).files;
  }

  async mayWrite(name: string): Promise<boolean> {
    const isShown = this.folders.items().some((item) => item.name === nameFromText(name));
    return isShown && (await this.folders.open(nameFromText(name))).writable;
  }

  async picture(name: string): Promise<Record<string, string>> {
    return await pictureBelow(await this.files(name));
  }
}

function common(town: DeviceTown, name: string) {
  return {
    clock: town.network.clock, random: seededRandom(`guest town room ${name}`), log: silentLog,
    coder: openCoder(), deviceName: name, connect: async () => undefined,
    mayReadAhead: () => false,
  };
}

const noRoots = {
  shared: async () => undefined, expired: async () => undefined, tied: async () => undefined,
  kin: async () => undefined,
};

/** A store may be closed and opened again while its transfer goes on. */
function newestOf<T extends object>(find: () => T | undefined): T {
  return new Proxy({} as T, {
    get: (_, name) => {
      const now: T = find() ?? refused();
      const found = Reflect.get(now, name) as unknown;
      return typeof found === "function" ? (found.bind(now) as unknown) : found;
    },
  });
}

/** A drive with nothing in it. */
function emptyDrive(gone: ReadonlySet<PeerId>): Parameters<typeof openSharing>[0]["transfer"] {
  const segments = { all: () => [], get: () => undefined };
  return {
    published: async () => undefined, members: () => [],
    clearing: new Clearing({ books: new MemoryBooks(), segments }),
    devices: {
      areAny: false, isGone: (device) => gone.has(device), peers: () => [], there: () => new Set(),
    },
    health: { groupsNamed: () => [] }, roll: { current: undefined, isHeard: true },
  };
}

function refused(): never {
  throw new HiveError("Busy", "town", "not here");
}
