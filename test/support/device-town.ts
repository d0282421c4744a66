/**
 * Devices of one drive, each whole (local store, tree, transfer), and the holders of its shards,
 * which are real vaults: all in one process, on a network that a test can cut, and in a time of
 * their own that goes quicker than ours. What a daemon's loop would do, the test does, when it wants.
 */
import { cpSync, existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MiB } from "../../src/base/bytes.ts";
import { isFault } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { KeepRule } from "../../src/base/snapshots.ts";
import { LateMerger, mergerOf } from "../../src/bridge/merge.ts";
import { LateTree } from "../../src/bridge/tree.ts";
import { type Cache, openCache } from "../../src/cache/cache.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { type Transfer, openTransfer } from "../../src/transfer/transfer.ts";
import { deviceFor } from "../../src/tree/state/devices.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { openVault } from "../../src/vault/vault.ts";
import { OwnTime } from "./own-time.ts";
import { TownNetwork, type TownView, emptyHost } from "./town-network.ts";
import { MemoryBooks } from "./transfer-world.ts";

/** Of our time: for all to be up, where peers may be away, and for a read. */
const patienceMs = { long: 60_000, short: 500, read: 3_000 };
const never = new AbortController().signal;

export interface TownOptions {
  readonly holders?: number;
  /** So much quicker than ours its time goes. */
  readonly haste?: number;
  /** Of the local store of each device. */
  readonly limitBytes?: number;
  /** Which roots of the past devices keep; none that nobody asks for if not told. */
  readonly keep?: KeepRule;
}

export interface TownDevice {
  readonly name: string;
  readonly haste: number;
  readonly keys: PeerKeys;
  readonly network: TownView;
  readonly books: MemoryBooks;
  store: Cache;
  tree: Tree;
  transfer: Transfer;
  directory: string;
}

export class DeviceTown implements AsyncDisposable {
  readonly network: TownNetwork;
  readonly driveSeed = sha256(Buffer.from("device town"));
  readonly driveKeys = driveKeysOf(this.driveSeed);
  readonly devices: TownDevice[] = [];
  readonly #seed: string;
  readonly #parts = new AsyncDisposableStack();
  readonly #root: string;
  #lives = 0;

  readonly #options: TownOptions;
  readonly #haste: number;

  private constructor(seed: string, root: string, options: TownOptions) {
    this.#seed = seed;
    this.#options = options;
    this.#haste = options.haste ?? 10;
    this.network = new TownNetwork(new OwnTime(this.#haste));
    this.#root = root;
    this.#parts.defer(() => rm(root, { recursive: true, force: true }));
  }

  /** With so many holders; in memory where there is a place for that. */
  static async begin(seed: string, options: TownOptions = {}): Promise<DeviceTown> {
    const { holders = 3 } = options;
    const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
    const town = new DeviceTown(seed, await mkdtemp(join(place, "hive-town-")), options);
    for (let number = 0; number < holders; number++) await town.#addHolder(`holder ${number}`);
    return town;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const device of this.devices) await this.#close(device);
    await this.#parts.disposeAsync();
  }

  async #addHolder(name: string): Promise<void> {
    const keys = peerKeysOf(sha256(Buffer.from(`town ${name}`)));
    const neighbours = {
      offer: () => {
        const member = this.network.members.get(keys.peer);
        return member && this.network.offerOf(member);
      },
      peers: () => this.network.peersFor(keys.peer),
    };
    const directory = join(this.#root, name);
    const needs = { directory, books: new MemoryBooks(), keys, neighbours, clock: this.network.clock };
    const vault = this.#parts.use(
      await openVault({ ...needs, log: silentLog }, { quotaBytes: 2 ** 32 }),
    );
    this.network.members.set(keys.peer, { keys, household: name, host: vault });
  }

  /** The first makes the drive; others come to it as a recovered machine does, or begin empty. */
  async add(name: string): Promise<TownDevice> {
    const keys = peerKeysOf(sha256(Buffer.from(`town device ${name}`)));
    const network = this.network.seenBy(keys, () => [this.driveKeys.owner]);
    const directory = join(this.#root, `${name} ${this.#lives++}`);
    const books = new MemoryBooks();
    const parts = { name, keys, network, books, directory, haste: this.#haste };
    this.network.members.set(keys.peer, { keys, household: name, host: emptyHost });
    const device: TownDevice = { ...parts, ...await this.#open(parts, { isNew: true }) };
    this.#listen(device);
    this.devices.push(device);
    return device;
  }

  /** A machine with the drive's keys alone, which is gone again after the look. */
  async lookFrom<T>(name: string, look: (tree: Tree) => Promise<T>): Promise<T> {
    const device = await this.add(name);
    try {
      return await look(device.tree);
    } finally {
      await this.#close(device);
      this.network.members.delete(device.keys.peer);
      this.devices.splice(this.devices.indexOf(device), 1);
    }
  }

  /** As after a reboot; with `crash` the process ends where it stands. */
  async restart(device: TownDevice, { crash }: { readonly crash: boolean }): Promise<void> {
    this.network.members.set(device.keys.peer, {
      keys: device.keys, household: device.name, host: emptyHost,
    });
    const directory = join(this.#root, `${device.name} ${this.#lives++}`);
    if (crash) {
      device.tree.devices.listen(false);
      // Nothing of this process goes on meanwhile.
      cpSync(device.directory, directory, { recursive: true });
      await device.store.close();
      device.directory = directory;
    } else {
      await this.#close(device);
    }
    Object.assign(device, await this.#open(device, { isNew: false }));
    this.#listen(device);
  }

  async #close(device: TownDevice): Promise<void> {
    await device.tree.close();
    await device.store.close();
  }

  #listen(device: TownDevice): void {
    const { keys, name, transfer } = device;
    this.network.members.set(keys.peer, { keys, household: name, host: {
      ...emptyHost,
      putRecord: async (_from, kind, record) => {
        if (kind === "head") transfer.hear(record);
      },
      device: (...asked) => transfer.hearing.device(...asked),
    } });
  }

  async #open(
    { keys, name, network, books, directory }:
    Pick<TownDevice, "keys" | "name" | "network" | "books" | "directory">,
    { isNew }: { readonly isNew: boolean },
  ): Promise<Pick<TownDevice, "store" | "tree" | "transfer">> {
    const random = seededRandom(`${this.#seed} ${name} ${this.#lives++}`);
    const shared = { clock: this.network.clock, random, log: silentLog };
    const places = { directory, clock: this.network.clock, log: silentLog, fetcher: undefined };
    const { limitBytes = 64 * MiB, keep } = this.#options;
    const store = await openCache(places, { limitBytes });
    const merger = new LateMerger();
    const census = new LateTree();
    const needs = { ...shared, network, source: store, books, coder: openCoder(), merger, census };
    const transfer = await openTransfer({ ...needs, keys: this.driveKeys }, {
      settleMs: 0, readTimeoutMs: patienceMs.read * this.#haste,
    });
    store.setFetcher(transfer);
    const recovered = isNew ? await transfer.recover() : undefined;
    if (recovered !== undefined) {
      await store.commit(recovered.root, 0);
      await store.endRound(recovered.root);
    }
    const device = deviceFor(keys.peer, name);
    const { treeSecret } = this.driveKeys;
    const options = { treeSecret, device, ...(keep && { keep }) };
    const tree = await openTree({ ...shared, store }, options);
    census.begin(tree);
    const notices = { invalidateEntry: async () => {}, invalidateInode: async () => {} };
    merger.begin(mergerOf(tree.devices, notices, transfer.lender));
    return { store, tree, transfer };
  }
}

/** What a daemon's loop does in a moment: tells, hears, and takes in heads. */
export async function attend({ transfer }: TownDevice): Promise<void> {
  await transfer.telling.step(never);
  for (const step of [transfer.hearing, transfer.devices]) {
    for (let turn = 0; turn < 8 && await step.step(never) === "busy"; turn++);
  }
}

/** Commits, uploads and publishes as far as peers let it; answers whether all is up. */
export async function publish(
  { tree, transfer, haste }: TownDevice, wait: "long" | "short" = "long",
): Promise<boolean> {
  await tree.commit();
  try {
    await transfer.flush(patienceMs[wait] * haste);
    return true;
  } catch (error) {
    if (isFault(error, "TimedOut", "Unavailable")) return false;
    throw error;
  }
}

/** All that was told by calls which did not wait for it has come. */
export function aMoment(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
