/**
 * A random life of one device whose local store is small and whose holders are real vaults: files
 * are written, copied, removed and written again, moments are kept, let go and brought back, what
 * is clean leaves, room is given back on holders, segments move, and the process dies at any write
 * of its books. What must be there is known byte by byte, for the device and for every moment.
 */
import { MiB } from "../../src/base/bytes.ts";
import { HiveError, isFault } from "../../src/base/errors.ts";
import { type Ino, parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { FileSystem } from "../../src/base/filesystem.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { DeviceTown, type TownDevice, publish } from "./device-town.ts";
import { flags, place } from "./making.ts";
import { Crash } from "./transfer-world.ts";
import { nobody, readFile } from "./walk.ts";

const { chunkBytes } = limits.tree;
const never = new AbortController().signal;
const patienceMs = 300_000;

type Files = ReadonlyMap<string, Buffer>;

export interface LoneOutcome {
  /** What is not as it must be, where, and after how many acts. */
  readonly wrong: readonly string[];
  readonly acts: Readonly<Record<string, number>>;
}

export async function liveAlone(seed: string, steps: number): Promise<LoneOutcome> {
  const town = await DeviceTown.begin(seed, { holders: 6, limitBytes: 24 * MiB });
  await using _town = town;
  const life = new LoneLife(town, await town.add("desk"), seed);
  for (let step = 0; step < steps; step++) await life.step();
  await life.lookFromAfar();
  return { wrong: life.wrong, acts: life.acts };
}

class LoneLife {
  readonly wrong: string[] = [];
  readonly acts: Record<string, number> = {};
  readonly #town: DeviceTown;
  readonly #device: TownDevice;
  readonly #random: Random;
  readonly #files = new Map<string, Buffer>();
  readonly #moments = new Map<string, Files>();
  /** Contents of all times, some of which come again. */
  readonly #contents: Buffer[] = [];
  #looks = 0;

  constructor(town: DeviceTown, device: TownDevice, seed: string) {
    this.#town = town;
    this.#device = device;
    this.#random = seededRandom(`lone life ${seed}`);
  }

  async step(): Promise<void> {
    const { name, act } = this.#pick(this.#all);
    this.acts[name] = (this.acts[name] ?? 0) + 1;
    const trouble = await act().then(() => undefined, (error: unknown) => error);
    if (trouble !== undefined) await this.#bear(name, trouble);
  }

  readonly #all = [
    ...Array.from({ length: 6 }, () => ({ name: "write", act: () => this.#write() })),
    ...Array.from({ length: 3 }, () => ({ name: "remove", act: () => this.#remove() })),
    ...Array.from({ length: 4 }, () => ({ name: "flush", act: () => this.#flush() })),
    ...Array.from({ length: 4 }, () => ({ name: "reclaim", act: () => this.#reclaim() })),
    ...Array.from({ length: 2 }, () => ({ name: "both", act: () => this.#both() })),
    ...Array.from({ length: 2 }, () => ({ name: "cut", act: () => this.#cut() })),
    { name: "change", act: () => this.#change() },
    { name: "size", act: () => this.#size() },
    { name: "copy", act: () => this.#copy() },
    { name: "rename", act: () => this.#rename() },
    { name: "keep", act: () => this.#keep() },
    { name: "let go", act: () => this.#letGo() },
    { name: "restore", act: () => this.#restore() },
    { name: "drop", act: async () => void (await this.#device.store.dropClean({ pinned: true })) },
    { name: "clean", act: async () => void (await this.#device.store.step.step(never)) },
    { name: "move", act: () => this.#move() },
    { name: "away", act: async () => this.#away() },
    { name: "crash", act: () => this.#restart(true) },
    { name: "restart", act: () => this.#restart(false) },
    { name: "look", act: () => this.#look() },
    { name: "afar", act: () => this.lookFromAfar() },
  ];

  /** A process may die, holders may be away; whatever else goes wrong is told. */
  async #bear(name: string, trouble: unknown): Promise<void> {
    if (trouble instanceof Crash) return this.#restart(true);
    if (isFault(trouble, "TimedOut", "Unavailable")) return this.#mend();
    if (!isFault(trouble)) throw trouble;
    this.wrong.push(`${name}: ${trouble.message}`);
  }

  get #tree(): Tree {
    return this.#device.tree;
  }

  async #write(): Promise<void> {
    const name = this.#name();
    await this.#put(name, this.#content());
  }

  /** As editors do: made beside its place, and renamed. */
  async #put(name: string, bytes: Buffer): Promise<void> {
    const tree = this.#tree;
    const { attributes: { ino }, handle } = await tree.create(
      nobody, place(rootIno, "new"), { mode: 0o644 }, { ...flags, exclusive: true },
    );
    await tree.write(handle, 0, bytes);
    await tree.rename(nobody, place(rootIno, "new"), place(rootIno, name), "replace");
    await tree.fsync(handle);
    await tree.release(handle);
    tree.forget(ino, 1);
    this.#files.set(name, bytes);
  }

  async #remove(): Promise<void> {
    const name = this.#anyFile();
    if (name === undefined) return;
    await this.#tree.unlink(nobody, place(rootIno, name));
    this.#files.delete(name);
    await this.#settle();
  }

  async #change(): Promise<void> {
    const name = this.#anyFile();
    if (name === undefined) return;
    const before = this.#files.get(name) as Buffer;
    const from = this.#random.below(before.length + 1);
    const bytes = this.#random.bytes(1 + this.#random.below(100_000));
    const after = Buffer.alloc(Math.max(before.length, from + bytes.length));
    before.copy(after);
    bytes.copy(after, from);
    await this.#withFile(name, (handle) => this.#tree.write(handle, from, bytes));
    this.#files.set(name, after);
  }

  async #size(): Promise<void> {
    const name = this.#anyFile();
    if (name === undefined) return;
    const before = this.#files.get(name) as Buffer;
    const after = Buffer.alloc(this.#random.below(before.length + chunkBytes));
    before.copy(after);
    await this.#withFile(name, async (_handle, ino) => {
      await this.#tree.setattr(nobody, ino, { sizeBytes: after.length });
    });
    this.#files.set(name, after);
  }

  async #copy(): Promise<void> {
    const [from, to] = [this.#anyFile(), this.#name()];
    if (from === undefined || from === to) return;
    const bytes = this.#files.get(from) as Buffer;
    await this.#put(to, Buffer.alloc(0));
    await this.#withFile(from, (source) => this.#withFile(to, async (target) => {
      for (let at = 0; at < bytes.length;) {
        const range = { offsetBytes: at, lengthBytes: bytes.length - at };
        at += await this.#tree.copyRange(source, range, target, at);
      }
    }));
    this.#files.set(to, bytes);
  }

  async #rename(): Promise<void> {
    const [from, to] = [this.#anyFile(), this.#name()];
    if (from === undefined || from === to) return;
    await this.#tree.rename(nobody, place(rootIno, from), place(rootIno, to), "replace");
    this.#files.set(to, this.#files.get(from) as Buffer);
    this.#files.delete(from);
    await this.#settle();
  }

  async #keep(): Promise<void> {
    if (this.#moments.size >= 4) return this.#letGo();
    this.#moments.set(await this.#tree.past.create(), new Map(this.#files));
  }

  async #letGo(): Promise<void> {
    const name = this.#pick([...this.#moments.keys()]);
    if (name === undefined) return;
    await this.#tree.past.remove(name);
    this.#moments.delete(name);
  }

  /** One file of the past, with garbage collected meanwhile now and then. */
  async #restore(): Promise<void> {
    const moment = this.#pick([...this.#moments.keys()]);
    const files = moment === undefined ? undefined : this.#moments.get(moment);
    const name = this.#pick([...files?.keys() ?? []]);
    if (moment === undefined || files === undefined || name === undefined) return;
    const before = new Map(this.#files);
    const changed = async (): Promise<void> => {
      if (this.#random.below(2) === 0) await this.#tree.census(1000);
    };
    const told = await this.#tree.past.restore(moment, [name], { exact: false, changed });
    this.#moments.set(told.before, before);
    this.#files.set(name, files.get(name) as Buffer);
  }

  async #flush(): Promise<void> {
    if (!await publish(this.#device, "short")) this.#mend();
  }

  async #reclaim(): Promise<void> {
    await this.#tree.commit();
    if (this.#random.below(3) > 0) await publish(this.#device, "short");
    await this.#device.transfer.reclaim(patienceMs);
  }

  /** Programs go on while room is given back, and segments move. */
  async #both(): Promise<void> {
    const turns = [this.#reclaim(), this.#write().then(() => this.#remove()), this.#move()];
    const ends = await Promise.allSettled([...turns, this.#readSome()]);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  /** What is read may be removed, and garbage, before it has come. */
  async #readSome(): Promise<void> {
    const name = this.#anyFile();
    if (name === undefined) return;
    try {
      const { ino } = await this.#tree.lookup(place(rootIno, name));
      await readFile(this.#tree, ino);
      this.#tree.forget(ino, 1);
    } catch (error) {
      if (!isFault(error, "NotFound")) throw error;
    }
  }

  async #cut(): Promise<void> {
    const { books } = this.#device;
    books.crashAfter = this.#random.below(60);
    try {
      await (this.#random.below(2) === 0 ? this.#reclaim() : publish(this.#device, "short"));
    } finally {
      books.crashAfter = Infinity;
    }
  }

  async #move(): Promise<void> {
    const { health } = this.#device.transfer;
    const state = this.#pick(health.segments());
    const target = this.#pick(health.groups());
    if (state === undefined || target === undefined) return;
    try {
      await health.moveSegment(state.segment, target, never);
    } catch (error) {
      if (!isFault(error, "NotFound", "Unavailable")) throw error;
    }
  }

  #away(): void {
    this.#mend();
    const holders = [...this.#town.network.members.keys()];
    const peer = this.#pick(holders.filter((one) => one !== this.#device.keys.peer));
    if (peer !== undefined) this.#town.network.sides.set(peer, 1);
  }

  #mend(): void {
    this.#town.network.sides.clear();
  }

  async #restart(crash: boolean): Promise<void> {
    await this.#town.restart(this.#device, { crash });
  }

  async #look(): Promise<void> {
    await this.#compare("here", this.#tree, rootIno, new Map(this.#files));
  }

  /** A machine that has the words alone, while the device is away. */
  async lookFromAfar(): Promise<void> {
    this.#mend();
    if (!await publish(this.#device)) throw new HiveError("TimedOut", "life", "publish");
    const { network } = this.#town;
    network.sides.set(this.#device.keys.peer, 7);
    try {
      await this.#town.lookFrom(`afar ${this.#looks++}`, async (tree) => {
        await this.#compare("afar", tree, rootIno, this.#files);
        const there = (await tree.past.list()).map(({ name }) => name);
        for (const [name, files] of this.#moments) {
          if (!there.includes(name)) this.#tell(`${name} is gone afar`);
          else await this.#compareMoment(tree, name, files);
        }
      });
    } finally {
      network.sides.clear();
    }
  }

  async #compareMoment(tree: Tree, name: string, files: Files): Promise<void> {
    const { state: _, files: then } = await tree.past.open(name);
    await this.#compare(`afar, ${name}`, then, rootIno, files);
  }

  async #compare(where: string, fs: FileSystem, folder: Ino, files: Files): Promise<void> {
    for (const [name, bytes] of files) {
      try {
        const { ino } = await fs.lookup(place(folder, name));
        const found = await readFile(fs, ino);
        fs.forget(ino, 1);
        if (!found.equals(bytes)) this.#tell(`${name} is another ${where}`);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#tell(`${name} ${where}: ${error.message}`);
      }
    }
  }

  #tell(words: string): void {
    const acts = Object.values(this.acts).reduce((sum, count) => sum + count, 0);
    this.wrong.push(`after ${acts} acts: ${words}`);
  }

  /** What was done to names survives a crash. */
  async #settle(): Promise<void> {
    const handle = await this.#tree.opendir(rootIno);
    await this.#tree.fsyncdir(handle);
    await this.#tree.releasedir(handle);
  }

  async #withFile(
    name: string,
    act: (handle: Awaited<ReturnType<Tree["open"]>>, ino: Ino) => unknown,
  ): Promise<void> {
    const tree = this.#tree;
    const { ino } = await tree.lookup(place(rootIno, name));
    const handle = await tree.open(nobody, ino, { ...flags, read: true });
    await act(handle, ino);
    await tree.fsync(handle);
    await tree.release(handle);
    tree.forget(ino, 1);
  }

  /** New, or what was there once, or both. */
  #content(): Buffer {
    const random = this.#random;
    const old = this.#pick(this.#contents);
    if (old !== undefined && random.below(2) === 0) return old;
    const fresh = random.bytes(1 + random.below(random.below(3) === 0 ? 700_000 : 30_000));
    const head = old?.subarray(0, Math.floor(old.length / chunkBytes) * chunkBytes);
    const bytes = head !== undefined && random.below(4) === 0 ? Buffer.concat([head, fresh]) : fresh;
    this.#contents.push(bytes);
    return bytes;
  }

  #name(): string {
    return parseName(`f${this.#random.below(9)}`);
  }

  #anyFile(): string | undefined {
    return this.#pick([...this.#files.keys()]);
  }

  #pick<T>(some: readonly T[]): T {
    return some[this.#random.below(Math.max(1, some.length))] as T;
  }
}
