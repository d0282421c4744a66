/**
 * Several devices of one drive without a network: each has a tree over a store of its own, and
 * every block that any of them made can be fetched by all. Heads are taken by hand, so that a test
 * says who hears of what, and when.
 */
import type { PolicySlot } from "../../src/base/blocks.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { Cid } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom, systemRandom } from "../../src/base/random.ts";
import type { KeepRule } from "../../src/base/snapshots.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { openRoot } from "../../src/dag/root.ts";
import { fsckTree } from "../../src/tree/fsck.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { DriveUser } from "./drive-user.ts";
import { type Governed, governedBlocks } from "./governed.ts";
import { MemoryStore } from "./memory-store.ts";

export const treeSecret = Buffer.alloc(32, 7);

/** What is not here is fetched from whoever made it, as the cache does. */
export class PooledStore extends MemoryStore {
  readonly #pool: Map<Cid, Uint8Array>;

  constructor(pool: Map<Cid, Uint8Array>) {
    super();
    this.#pool = pool;
  }

  override put(...[cid, sealed, options]: Parameters<MemoryStore["put"]>) {
    this.#pool.set(cid, Buffer.from(sealed));
    return super.put(cid, sealed, options);
  }

  override get(cid: Cid) {
    if (this.has(cid)) return super.get(cid);
    return Promise.resolve(this.#pool.get(cid) ?? super.get(cid));
  }
}

export interface Device {
  readonly name: string;
  readonly number: number;
  readonly later: readonly number[];
  store: PooledStore;
  tree: Tree;
}

/** Of policies, in the order of their numbers. */
function namesOf({ store }: Device): readonly string[] {
  return openRoot(treeKeys(treeSecret), store.root() as Uint8Array).policies.names;
}

export class Devices {
  readonly all: Device[] = [];
  readonly pool = new Map<Cid, Uint8Array>();
  /** Newest root of each, as it was published. */
  readonly heads = new Map<number, Uint8Array>();
  readonly user: DriveUser;
  readonly #keep: KeepRule | undefined;
  readonly #clock: Clock;
  #next = 0;

  /** By this rule each keeps what the drive was. */
  constructor(seed: string, keep?: KeepRule, clock: Clock = systemClock) {
    this.user = new DriveUser(seed);
    this.#keep = keep;
    this.#clock = clock;
  }

  /** The first is a new drive; the others begin with what it published, as after a recovery. */
  async add(name: string): Promise<Device> {
    const number = 101 + 7 * this.all.length;
    const later = [number + 3];
    const store = new PooledStore(this.pool);
    const first = this.all[0];
    if (first !== undefined) await store.commit(await this.publish(first), 0);
    const known = { name, number, later };
    const device = { ...known, store, tree: await this.#open(store, known) };
    this.all.push(device);
    return device;
  }

  async publish({ tree, store, number }: Device): Promise<Uint8Array> {
    await tree.commit();
    const root = store.root() as Uint8Array;
    this.heads.set(number, root);
    return root;
  }

  /** Takes in what the other published last. */
  async hear(device: Device, other: Device): Promise<boolean> {
    const head = this.heads.get(other.number);
    return head === undefined ? false : await device.tree.devices.merge(head, async () => undefined);
  }

  /** Everybody hears of everybody until nothing is new; answers how many rounds that took. */
  async settle(order: readonly Device[] = this.all): Promise<number> {
    for (let round = 1; round < 12; round++) {
      let isNew = false;
      for (const device of order) await this.publish(device);
      for (const device of order) {
        for (const other of order) {
          if (other !== device && await this.hear(device, other)) isNew = true;
        }
      }
      if (!isNew) return round;
    }
    throw new Error("devices go on telling each other of news");
  }

  /** Blocks that its root names, and the policy that each lies under. */
  governed(device: Device): readonly Governed[] {
    const slotOf = (cid: Cid): PolicySlot | undefined => {
      const maker = this.all.find(({ store }) => store.slotOf(cid) !== undefined);
      const slot = maker?.store.slotOf(cid);
      const name = maker && namesOf(maker)[(slot ?? 0) - 1];
      return name === undefined ? slot : namesOf(device).indexOf(name) + 1;
    };
    const get = (cid: Cid) => this.pool.get(cid) as Uint8Array;
    return governedBlocks({ root: () => device.store.root(), get, slotOf }, treeSecret);
  }

  async restart(device: Device, { crash }: { readonly crash: boolean }): Promise<void> {
    if (!crash) await device.tree.close();
    else await device.store.sync();
    device.tree = await this.#open(device.store, device);
  }

  /** Its store was deleted, and is what this root says. */
  async bringBack(device: Device, root: Uint8Array): Promise<void> {
    device.store = new PooledStore(this.pool);
    await device.store.commit(root, 0);
    device.tree = await this.#open(device.store, { ...device, isBack: true });
  }

  #open(store: PooledStore, { number, name, later, isBack }: Omit<Device, "store" | "tree"> & {
    readonly isBack?: boolean;
  }) {
    const random = seededRandom(`${number} ${this.#next++}`);
    const device = { number, name, later, isBack: isBack === true };
    const options = { treeSecret, device, ...(this.#keep === undefined ? {} : { keep: this.#keep }) };
    const policies = (named: string): string => `policy ${named} {}`;
    return openTree({ store, clock: this.#clock, random, log: silentLog, policies }, options);
  }
}

/** What `hive fsck` would find; nobody uses the device any more. */
export async function problemsOf({ store, tree }: Device): Promise<readonly unknown[]> {
  await tree.close();
  const problems: unknown[] = [];
  const report = (problem: unknown): void => void problems.push(problem);
  const needs = {
    store, report, clock: systemClock, random: systemRandom, log: silentLog,
    progress: () => undefined, whereIs: async () => "peers" as const,
  };
  await fsckTree(needs, { treeSecret, spoilt: [] });
  return problems;
}
