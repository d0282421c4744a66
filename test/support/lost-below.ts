/**
 * Two devices of one drive, desk and lap: desk made files, and of each some chunks are lost to lap,
 * until a test gives them back. So what lap writes over parts of those chunks waits, as long as it may be.
 */
import { createHash } from "node:crypto";
import type { Place } from "../../src/base/filesystem.ts";
import { type Cid, type Handle, type Ino, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { type Device, Devices } from "./merge-devices.ts";
import { at, put } from "./shared-folder.ts";
import { listDirectory, nobody, readFile } from "./walk.ts";

const { chunkBytes } = limits.tree;
export const pageBytes = 4096;
const writing = { read: true, write: true, append: false, truncate: false };

export interface LostFile {
  readonly ino: Ino;
  /** As it would be with what was written on lap. */
  readonly model: Buffer;
  /** Where lap wrote. */
  readonly offsets: Set<number>;
}

export class LostBelow {
  readonly devices: Devices;
  readonly random: Random;
  readonly files: LostFile[] = [];
  readonly #lost = new Map<Cid, Uint8Array>();
  desk!: Device;
  lap!: Device;
  folder!: Ino;

  private constructor(seed: string, devices: Devices) {
    this.devices = devices;
    this.random = seededRandom(`lost below ${seed}`);
  }

  /** In a folder, files by these names. */
  static async open(
    seed: string, names: readonly string[], devices = new Devices(seed),
  ): Promise<LostBelow> {
    const world = new LostBelow(seed, devices);
    world.desk = await devices.add("desk");
    const { tree } = world.desk;
    world.folder = (await tree.mkdir(nobody, at("folder"), { mode: 0o755 })).ino;
    for (const name of names) {
      const model = world.bulk(2 * chunkBytes + pageBytes);
      const ino = await put(tree, name, model, world.folder);
      world.files.push({ ino, model, offsets: new Set() });
    }
    await put(tree, "other", "other");
    world.lap = await devices.add("lap");
    for (const { ino } of world.files) await world.#lose(ino);
    for (const device of devices.all) await namesIn(device, rootIno);
    return world;
  }

  /** All of its chunks but the first. */
  async #lose(ino: Ino): Promise<void> {
    const cids: Cid[] = [];
    for await (const cid of this.desk.tree.cidsOf(ino)) cids.push(cid);
    const { pool } = this.devices;
    for (const cid of cids.slice(1)) {
      this.#lost.set(cid, pool.get(cid) as Uint8Array);
      pool.delete(cid);
    }
  }

  /** Somebody is there again who has them. */
  give(): void {
    for (const [cid, bytes] of this.#lost) this.devices.pool.set(cid, bytes);
  }

  bulk(outputLength: number): Buffer {
    return createHash("shake256", { outputLength }).update(this.random.bytes(16)).digest();
  }

  /** A page of a chunk that is lost; durable. */
  async write({ ino, model, offsets }: LostFile, offset = chunkBytes): Promise<Handle> {
    const { tree } = this.lap;
    const handle = await tree.open(nobody, ino, writing);
    const part = this.bulk(pageBytes / 2);
    await tree.write(handle, offset, part);
    model.set(part, offset);
    offsets.add(offset);
    await tree.fsync(handle);
    return handle;
  }

  /** Tells what lap has, as far as it goes. */
  async tell(): Promise<void> {
    await this.lap.tree.syncAll();
    this.devices.heads.set(this.lap.number, this.lap.store.root() as Uint8Array);
  }

  /** Each takes in what the other has. */
  async meet(): Promise<boolean> {
    const { desk, lap } = this;
    await this.devices.publish(desk);
    const isNewHere = await this.devices.hear(lap, desk);
    await this.tell();
    const isNewThere = await this.devices.hear(desk, lap);
    return isNewHere || isNewThere;
  }

  /** All is durable; then the process on lap ends, and begins again. */
  async crash(): Promise<void> {
    const { tree } = this.lap;
    await tree.fsyncdir(await tree.opendir(rootIno));
    await this.devices.restart(this.lap, { crash: true });
    await namesIn(this.lap, rootIno);
  }

  /** Where lap's file has not what was written there, or no name. */
  async wrongWith({ ino, model, offsets }: LostFile): Promise<readonly string[]> {
    const { tree } = this.lap;
    const all = await namesIn(this.lap, rootIno);
    if (!all.has(ino)) return ["it is gone"];
    const handle = await tree.open(nobody, ino, { ...writing, write: false });
    const wrong: string[] = [];
    for (const offset of offsets) {
      const range = { offsetBytes: offset, lengthBytes: pageBytes / 2 };
      const read = Buffer.concat(await tree.read(handle, range));
      if (!read.equals(model.subarray(offset, offset + pageBytes / 2))) wrong.push(`at ${offset}`);
    }
    await tree.release(handle);
    return wrong;
  }
}

/** Every name of a device's tree by what it leads to, all of them looked up. */
export async function namesIn({ tree }: Pick<Device, "tree">, folder: Ino): Promise<Map<Ino, Place>> {
  const found = new Map<Ino, Place>();
  for (const { name } of await listDirectory(tree, folder)) {
    const { ino, mode } = await tree.lookup({ parent: folder, name });
    found.set(ino, { parent: folder, name });
    if ((mode & 0o170000) !== 0o040000) continue;
    for (const [below, place] of await namesIn({ tree }, ino)) found.set(below, place);
  }
  return found;
}

/** What each of its files holds. */
export async function contentsOf(device: Device): Promise<ReadonlySet<string>> {
  const contents = new Set<string>();
  for (const ino of (await namesIn(device, rootIno)).keys()) {
    const { mode } = await device.tree.getattr(ino);
    const isFile = (mode & 0o170000) === 0o100000;
    if (isFile) contents.add(hashOf(await readFile(device.tree, ino)));
  }
  return contents;
}

export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
