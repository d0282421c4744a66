/** A drive of blocks alone over real vaults, with a model of what it refers to, now and before. */
import type { Census, CensusTaker } from "../../src/base/blocks.ts";
import { CidFilter } from "../../src/base/cid-filter.ts";
import { type Cid, cidOf } from "../../src/base/ids.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { MemoryBooks, type VaultWorld, missing, openWorld } from "./transfer-world.ts";

/** A drive by its blocks alone: what the newest commit refers to, and every one before. */
export class ModelDrive implements CensusTaker {
  readonly world: VaultWorld;
  readonly random: Random;
  readonly all = new Map<Cid, Uint8Array>();
  readonly byRoot = new Map<string, readonly Cid[]>();
  living: Cid[] = [];
  /** What happens while a census is taken. */
  meanwhile: () => Promise<void> = async () => {};
  #commits = 0;

  constructor(world: VaultWorld, seed: string) {
    this.world = world;
    this.random = seededRandom(seed);
  }

  clear(): void {
    this.living = [];
    this.#commit();
  }

  again(cids: readonly Cid[]): void {
    this.living = [...this.living, ...cids];
    this.#commit();
  }

  /** Some blocks go, some come, and now and then one comes back that was gone. */
  change({ adds, removes }: { readonly adds: number; readonly removes: number }): void {
    const { random, all } = this;
    const count = this.living.length;
    const gone = new Set(Array.from({ length: removes }, () => random.below(Math.max(1, count))));
    const kept = this.living.filter((_, at) => !gone.has(at));
    const back = [...all.keys()].filter(() => random.below(40) === 0);
    const fresh = Array.from({ length: adds }, () => this.#make());
    this.living = [...new Set([...kept, ...back, ...fresh])];
    this.#commit();
  }

  /** As the cache does: what is clean here is with the peers, and is not put again. */
  #commit(): void {
    const { source } = this.world;
    const root = `root ${this.#commits++}`;
    const absent = this.living.filter((cid) => !source.placedCids.has(cid));
    source.commit(root, absent.map((cid) => this.all.get(cid) as Uint8Array));
    this.byRoot.set(root, this.living);
  }

  #make(): Cid {
    const bytes = Buffer.alloc(2_000 + this.random.below(20_000), this.random.bytes(64));
    const cid = cidOf(bytes);
    this.all.set(cid, bytes);
    return cid;
  }

  async census(blocks: number): Promise<Census | undefined> {
    const { source } = this.world;
    const filter = CidFilter.for(blocks);
    for (const cid of this.living) filter.add(cid);
    const root = source.newest as Uint8Array;
    for (const cid of [...source.placedCids]) if (!filter.has(cid)) source.placedCids.delete(cid);
    await this.meanwhile();
    return { root, living: filter.bits };
  }

  bytesOf(cids: readonly Cid[]): readonly Uint8Array[] {
    return cids.map((cid) => this.all.get(cid) as Uint8Array);
  }
}

export function openModel(drive: ModelDrive): Promise<Transfer> {
  return openWorld({ ...drive.world, census: drive } as VaultWorld);
}

/** What a machine with nothing but the keys finds wrong. */
export async function lostBy(drive: ModelDrive): Promise<readonly string[]> {
  const bare = await openWorld({ ...drive.world, books: new MemoryBooks() });
  const found = await bare.recover();
  if (found === undefined) return ["no head"];
  const root = Buffer.from(found.root).toString();
  const cids = drive.byRoot.get(root) ?? [];
  return (await missing(bare, drive.bytesOf(cids))).map((cid) => `${root}: ${cid}`);
}

export function keptBytes({ network }: VaultWorld): number {
  return [...network.members.values()]
    .reduce((sum, { host }) => sum + (host as Vault).usage().usedBytes, 0);
}
