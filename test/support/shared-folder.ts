/**
 * A folder of one drive and the tree of somebody who may write it, without a network: what either
 * publishes the other takes in by hand, and every block that one of them made the other can fetch.
 */
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { FileSystem } from "../../src/base/filesystem.ts";
import { type Cid, type Ino, parseName, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { BrakeRule } from "../../src/base/snapshots.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { type RootRecord, openRoot } from "../../src/dag/root.ts";
import { findFolder, rootOf } from "../../src/sharing/records/folder-root.ts";
import type { TreeGuest } from "../../src/tree/guest-part.ts";
import { openGuestTree } from "../../src/tree/guest-tree.ts";
import type { Device } from "../../src/tree/state/devices.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { PooledStore } from "./merge-devices.ts";
import { nobody, readFile, walkTree } from "./walk.ts";

export const ownerSecret = Buffer.alloc(32, 3);
const guestSecret = Buffer.alloc(32, 4);
export const ownerDevice = { number: 101, name: "desk" };
export const guest = { number: 202, name: "lap" };
/** What the owner calls the guest. */
const contact = "Ben of the office";
const flags = { read: true, write: true, append: false, truncate: true, exclusive: false };
const silently = async (): Promise<void> => undefined;

export const at = (name: string, parent = rootIno) => ({ parent, name: parseName(name) });

export async function put(tree: FileSystem, name: string, bytes: string | Buffer, parent = rootIno) {
  const made = await tree.create(nobody, at(name, parent), { mode: 0o644 }, flags);
  await tree.write(made.handle, 0, Buffer.from(bytes));
  await tree.release(made.handle);
  return made.attributes.ino;
}

export async function textAt(tree: FileSystem, name: string, parent = rootIno): Promise<string> {
  const { ino } = await tree.lookup(at(name, parent));
  return (await readFile(tree, ino)).toString();
}

interface Circumstances {
  readonly clock?: Clock;
  /** The owner's. */
  readonly brake?: BrakeRule;
}

export interface FurtherDevice {
  readonly tree: Tree;
  readonly number: number;
  /** As its next record would say it. */
  readonly told: () => Promise<Uint8Array>;
}

export class SharedFolder {
  readonly pool = new Map<Cid, Uint8Array>();
  readonly owners: PooledStore = new PooledStore(this.pool);
  readonly guests: PooledStore = new PooledStore(this.pool);
  readonly #random: ReturnType<typeof seededRandom>;
  readonly #clock: Clock;
  readonly #brake: BrakeRule | undefined;
  owner!: Tree;
  guest!: Tree;
  folder!: Ino;

  constructor(seed: string, { clock = systemClock, brake }: Circumstances = {}) {
    this.#random = seededRandom(`shared folder ${seed}`);
    this.#clock = clock;
    this.#brake = brake;
  }

  /** A drive with a folder "f" and what the caller puts into it, then the guest's tree of it. */
  async open(fill: (owner: Tree, folder: Ino) => Promise<void> = async () => undefined) {
    this.owner = await openTree(this.#needs(this.owners), {
      treeSecret: ownerSecret, device: ownerDevice,
      ...(this.#brake === undefined ? {} : { brake: this.#brake }),
    });
    const { ino } = await this.owner.mkdir(nobody, at("f"), { mode: 0o755 });
    this.folder = ino;
    await fill(this.owner, ino);
    await this.openGuest();
    return this;
  }

  /** Also when her process ended: what is durable is in her store. */
  async openGuest(): Promise<void> {
    const root = await this.ownersRoot();
    const options = { treeSecret: guestSecret, device: guest, root };
    this.guest = await openGuestTree(this.#needs(this.guests), options);
  }

  /** As his next head would say it. */
  async ownersRoot(): Promise<Uint8Array> {
    await this.owner.commit();
    const root = openRoot(treeKeys(ownerSecret), this.owners.root() as Uint8Array);
    const read = async (cid: Cid) => this.owners.get(cid);
    const wanted = { ino: this.folder, path: [parseName("f")] };
    const found = await findFolder(root, wanted, read);
    if (found === undefined) throw new Error("the folder is gone");
    return rootOf(found, root.devices);
  }

  async guestsRecord(): Promise<RootRecord> {
    // What waits for peers is not in it.
    await this.guest.commitMost();
    return openRoot(treeKeys(guestSecret), this.guests.root() as Uint8Array);
  }

  async toOwner(root?: Uint8Array): Promise<boolean> {
    return (await this.turn(root)).hasChanged;
  }

  /** As much as comes in at once. */
  async turn(root?: Uint8Array, { number, kin = [] }: Pick<TreeGuest, "number"> & Partial<TreeGuest> = guest) {
    const record = await this.guestsRecord();
    const told = root ?? rootOf(record.directory, record.devices);
    const { folder } = this;
    return this.owner.guests.mergeGuest(told, { folder, number, kin, name: contact }, silently);
  }

  async toGuest(): Promise<boolean> {
    return this.guest.guests.mergeOwner(await this.ownersRoot(), silently);
  }

  /** Until neither has news; answers how many rounds that took. */
  async settle(): Promise<number> {
    for (let round = 1; round < 12; round++) {
      const [one, other] = [await this.toOwner(), await this.toGuest()];
      if (!one && !other) return round;
    }
    throw new Error("they go on telling each other of news");
  }

  /** The owner's, with nothing but what his own store has. */
  async ownerAlone(): Promise<Tree> {
    await this.owner.commit();
    this.pool.clear();
    return openTree(this.#needs(this.owners), { treeSecret: ownerSecret, device: ownerDevice });
  }

  /** Another device of the guest's, which begins as what the owner has. */
  async further({ number, name }: Device): Promise<FurtherDevice> {
    const store = new PooledStore(this.pool);
    const treeSecret = Buffer.alloc(32, number % 251);
    const root = await this.ownersRoot();
    const device = { number, name };
    const tree = await openGuestTree(this.#needs(store), { treeSecret, device, root });
    const told = async () => {
      await tree.commit();
      const record = openRoot(treeKeys(treeSecret), store.root() as Uint8Array);
      return rootOf(record.directory, record.devices);
    };
    return { tree, number, told };
  }

  #needs(store: PooledStore) {
    const policies = (name: string): string => `policy ${name} {}`;
    return { store, clock: this.#clock, random: this.#random, log: silentLog, policies };
  }
}

/** Paths and contents below a folder, without times, numbers, and what belongs to whom. */
export async function pictureBelow(tree: FileSystem, prefix = "/"): Promise<Record<string, string>> {
  const picture: Record<string, string> = {};
  for (const [path, { attributes, content }] of await walkTree(tree)) {
    if (!path.startsWith(prefix) || path === "/") continue;
    const name = path.slice(prefix.length - 1);
    picture[name] = `${(attributes.mode & 0o777).toString(8)} ${content}`;
  }
  return picture;
}
