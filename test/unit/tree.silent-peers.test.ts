/**
 * Writes over parts of chunks that only peers have, while these say nothing: taken at once, durable
 * by fsync, in nobody's way, and sealed when peers answer again. Over a real store.
 */
import { createHash } from "node:crypto";
import { type Test, test } from "tap";
import { rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { fileIn, place } from "../support/making.ts";
import { type Far, SilentWorld } from "../support/silent-world.ts";
import { nobody, readFile } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`silent peers ${seed}`);
const never = new AbortController().signal;
const { chunkBytes, lackingBytesMax } = limits.tree;
const pageBytes = 4096;

/** Writes these bytes, here and in the model. */
async function change(
  { tree }: SilentWorld, { handle }: Far, model: Buffer, at: { offsetBytes: number; bytes: Buffer },
): Promise<void> {
  await tree.write(handle, at.offsetBytes, at.bytes);
  model.set(at.bytes, at.offsetBytes);
}

async function readAt(
  { tree }: SilentWorld, { handle }: Far, offsetBytes: number, lengthBytes: number,
): Promise<Buffer> {
  return Buffer.concat(await tree.read(handle, { offsetBytes, lengthBytes }));
}

function bulk(outputLength: number): Buffer {
  return createHash("shake256", { outputLength }).update(random.bytes(16)).digest();
}

test("a write over a part of an absent chunk asks nobody, and is read back", async (t) => {
  await using world = await SilentWorld.open(seed);
  const model = bulk(3 * chunkBytes);
  const [file] = await world.far(model) as [Far];
  const page = { offsetBytes: chunkBytes + pageBytes, bytes: bulk(pageBytes) };
  await change(world, file, model, page);
  const read = await readAt(world, file, page.offsetBytes, pageBytes);
  t.ok(read.equals(page.bytes), "as written");
  t.equal(world.peers.asked, 0, "nobody was asked");
  t.equal(await world.peers.faultOf(readAt(world, file, chunkBytes, pageBytes)), "Unavailable");
  t.equal(world.peers.asked, 1, "what lies beside it is asked for");
  world.peers.areSilent = false;
  t.ok((await readFile(world.tree, file.ino)).equals(model));
});

/** Little goes into the journal anyway; much that lies close together would be sealed. */
for (const [what, lengthBytes] of [["little", pageBytes], ["much", chunkBytes - pageBytes]] as const) {
  test(`${what} of an absent chunk, synced, outlives a kill and the silence`, async (t) => {
    await using world = await SilentWorld.open(seed);
    const endBytes = 2 * chunkBytes - pageBytes;
    const model = Buffer.concat([bulk(endBytes), Buffer.alloc(50)]);
    const [file] = await world.far(model.subarray(0, endBytes)) as [Far];
    await change(world, file, model, { offsetBytes: pageBytes, bytes: bulk(lengthBytes) });
    // Behind the end, too: what lies before it in its chunk is with peers.
    await change(world, file, model, { offsetBytes: endBytes, bytes: bulk(50) });
    await world.tree.fsync(file.handle);
    await world.kill();
    t.equal(world.peers.asked, 0, "nobody was asked");
    const again = await world.openFile("0");
    const part = await readAt(world, again, pageBytes, lengthBytes);
    t.ok(part.equals(model.subarray(pageBytes, pageBytes + lengthBytes)), "as written");
    t.equal(await world.peers.faultOf(world.bring()), "none");
    await sealedSoon(t, world, again, model);
  });
}

/** Peers answer: what was written is sealed, committed and with them. */
async function sealedSoon(t: Test, world: SilentWorld, { ino }: Far, model: Buffer): Promise<void> {
  world.peers.areSilent = false;
  while ((await world.bring()) === "busy");
  const { asked } = world.peers;
  await world.tree.commit();
  t.equal(world.peers.asked, asked, "a commit has nothing to ask for");
  await world.upload();
  for await (const cid of world.tree.cidsOf(ino)) t.ok(world.peers.blocks.has(cid));
  await world.kill();
  t.ok((await readFile(world.tree, (await world.openFile("0")).ino)).equals(model), "all is right");
}

test("a commit takes all other files, and waits only where all has to be in the root", async (t) => {
  await using world = await SilentWorld.open(seed);
  const model = bulk(chunkBytes);
  const [file] = await world.far(model) as [Far];
  const { tree, peers } = world;
  await change(world, file, model, { offsetBytes: 0, bytes: bulk(pageBytes) });
  const other = await fileIn(tree, rootIno, "other", bulk(chunkBytes));
  await tree.syncAll();
  await world.upload();
  for await (const cid of tree.cidsOf(other)) t.ok(peers.blocks.has(cid), "the other one went up");
  t.equal(peers.asked, 0, "nobody was asked");
  t.equal(await peers.faultOf(tree.commit()), "Unavailable");
  t.equal(await peers.faultOf(tree.past.create()), "Unavailable", "a snapshot would not have it");
  peers.areSilent = false;
  const name = await tree.past.create();
  const moment = await tree.past.open(name);
  const { ino } = await moment.files.lookup(place(rootIno, "0"));
  t.ok((await readFile(moment.files, ino)).equals(model), "the snapshot has it");
});

test("a drive that rests does not write the same parts again and again", async (t) => {
  await using world = await SilentWorld.open(seed);
  const model = bulk(chunkBytes);
  const [file] = await world.far(model) as [Far];
  await change(world, file, model, { offsetBytes: 0, bytes: bulk(pageBytes) });
  let root = world.store.root();
  const turns = async (): Promise<number> => {
    let commits = 0;
    for (let turn = 0; turn < 10; turn++) {
      world.pass(limits.tree.sealAfterMs);
      await world.tree.committer.step(never);
      if (world.store.root() !== root) commits++;
      root = world.store.root();
    }
    return commits;
  };
  t.equal(await turns(), 1);
  t.equal(await turns(), 0);
  await world.tree.syncAll();
  t.equal(world.store.root(), root, "nor for whoever wants all that is new in the root");
  t.equal(world.peers.asked, 0);
});

test("what waits is bounded: then a write waits, and fails, and others do not", async (t) => {
  await using world = await SilentWorld.open(seed);
  const partBytes = chunkBytes - pageBytes;
  const count = lackingBytesMax / chunkBytes;
  const model = bulk((count + 1) * chunkBytes);
  const [file, small] = await world.far(model, bulk(pageBytes)) as [Far, Far];
  const { tree, peers } = world;
  for (let at = 0; at < count; at++) {
    await change(world, file, model, { offsetBytes: at * chunkBytes, bytes: bulk(partBytes) });
  }
  const last = { offsetBytes: count * chunkBytes, bytes: bulk(pageBytes) };
  t.equal(peers.asked, 0);
  t.equal(await peers.faultOf(Promise.resolve(tree.write(file.handle, last.offsetBytes, last.bytes))),
    "Unavailable");
  t.equal(peers.asked, 1);
  await tree.write(small.handle, 0, bulk(chunkBytes));
  await change(world, file, model, { offsetBytes: 0, bytes: bulk(pageBytes) });
  await tree.fsync(file.handle);
  t.equal(await peers.faultOf(tree.commit()), "Unavailable");
  t.ok(peers.asked < 20, "peers that are silent are not asked for one after another");
  await world.kill();
  peers.areSilent = false;
  await change(world, await world.openFile("0"), model, last);
  await sealedSoon(t, world, await world.openFile("0"), model);
});

test("an emptied or removed file lacks nothing, nor does a chunk that was filled", async (t) => {
  await using world = await SilentWorld.open(seed);
  const models = [bulk(chunkBytes), bulk(chunkBytes), bulk(chunkBytes)];
  const files = await world.far(...models);
  const { tree, peers } = world;
  for (const file of files) await tree.write(file.handle, 0, bulk(pageBytes));
  const [emptied, removed, filled] = files as [Far, Far, Far];
  await tree.setattr(nobody, emptied.ino, { sizeBytes: 0 });
  await tree.unlink(nobody, place(rootIno, "1"));
  await tree.release(removed.handle);
  const whole = bulk(chunkBytes);
  for (let at = 0; at < chunkBytes; at += pageBytes) {
    await tree.write(filled.handle, at, whole.subarray(at, at + pageBytes));
  }
  await tree.commit();
  t.ok((await readFile(tree, filled.ino)).equals(whole));
  t.equal(peers.asked, 0);
});

test("what was written over a chunk that is given up as lost stays, and the drive opens", async (t) => {
  await using world = await SilentWorld.open(seed);
  const model = bulk(chunkBytes);
  const [file] = await world.far(model) as [Far];
  await change(world, file, model, { offsetBytes: 0, bytes: bulk(pageBytes) });
  await world.tree.fsync(file.handle);
  await world.kill();
  const { givenUp } = await world.fsck(async () => "nowhere");
  t.equal(givenUp, 1);
  await world.kill();
  const again = await world.openFile("0");
  t.ok((await readAt(world, again, 0, pageBytes)).equals(model.subarray(0, pageBytes)));
  t.equal(await world.peers.faultOf(readAt(world, again, pageBytes, pageBytes)), "Corrupt");
  const before = world.store.root();
  await fileIn(world.tree, rootIno, "other", bulk(chunkBytes));
  t.match(await world.tree.commitMost(), { kind: "Unavailable", op: "tree.lacking" });
  t.not(world.store.root(), before, "all else is committed");
});

const lives = Number(process.env["HIVE_TRIALS"] ?? 2);

test(`${lives} lives with peers that come and go`, { timeout: 300_000 }, async (t) => {
  for (let at = 0; at < lives; at++) {
    await using life = await Life.begin(`${seed}.${at}`);
    for (let turn = 0; turn < 80; turn++) await life.act(t);
    await life.end(t);
  }
});

/** Programs write, truncate and rename; peers fall silent; the drive is killed, and forgets. */
class Life implements AsyncDisposable {
  readonly #seed: string;
  readonly #world: SilentWorld;
  #files: Far[];
  #models: Buffer[];

  constructor(seed: string, world: SilentWorld, { files, models }: { files: readonly Far[]; models: Buffer[] }) {
    this.#seed = seed;
    this.#world = world;
    this.#files = [...files];
    this.#models = models;
  }

  static async begin(name: string): Promise<Life> {
    const world = await SilentWorld.open(seed);
    const models = [bulk(3 * chunkBytes), bulk(chunkBytes + 100), bulk(4 * chunkBytes - 7)];
    return new Life(name, world, { files: await world.far(...models), models });
  }

  async act(t: Test): Promise<unknown> {
    const { tree, peers } = this.#world;
    const at = random.below(this.#files.length);
    switch (random.below(15)) {
      case 0: return await this.#compare(t, at);
      case 1: return await tree.fsync(this.#file(at).handle);
      case 2: return await tree.syncAll();
      case 3: return await peers.faultOf(tree.commit());
      case 4: return await peers.faultOf(this.#world.bring());
      case 5: return (peers.areSilent = !peers.areSilent);
      case 6: return await this.#truncate(at);
      case 7: return await this.#exchange();
      case 8: return await this.#kill();
      case 9: return await this.#forget();
      default: return await this.#write(at);
    }
  }

  async end(t: Test): Promise<void> {
    const world = this.#world;
    world.peers.areSilent = false;
    await world.tree.commit();
    await world.kill();
    for (const [at, model] of this.#models.entries()) {
      const { ino } = await world.openFile(`${at}`);
      t.ok((await readFile(world.tree, ino)).equals(model), `in the end; seed ${this.#seed}`);
    }
  }

  async #compare(t: Test, at: number): Promise<void> {
    const { peers } = this.#world;
    const model = this.#model(at);
    const from = random.below(model.length + 1);
    const fault = await peers.faultOf((async () => {
      const read = await readAt(this.#world, this.#file(at), from, chunkBytes);
      t.ok(read.equals(model.subarray(from, from + chunkBytes)), `as written; seed ${this.#seed}`);
    })());
    t.equal(fault, fault !== "none" && peers.areSilent ? "Unavailable" : "none");
  }

  async #write(at: number): Promise<void> {
    const offsetBytes = random.below(4) * chunkBytes + random.below(64) * pageBytes;
    const bytes = bulk([1, pageBytes, chunkBytes / 2, chunkBytes][random.below(4)] as number);
    const grown = resized(this.#model(at), Math.max(this.#model(at).length, offsetBytes + bytes.length));
    this.#models[at] = grown;
    await change(this.#world, this.#file(at), grown, { offsetBytes, bytes });
  }

  /** It needs all of the file, and has not begun where that is not to be had. */
  async #truncate(at: number): Promise<void> {
    const { tree, peers } = this.#world;
    const sizeBytes = random.below(4 * chunkBytes);
    const { ino } = this.#file(at);
    const fault = await peers.faultOf((async () => tree.setattr(nobody, ino, { sizeBytes }))());
    if (fault === "none") this.#models[at] = resized(this.#model(at), sizeBytes);
  }

  async #exchange(): Promise<void> {
    const [left, right] = [place(rootIno, "0"), place(rootIno, "1")];
    await this.#world.tree.rename(nobody, left, right, "exchange");
    for (const both of [this.#files, this.#models]) both.splice(0, 2, ...both.slice(0, 2).reverse() as never[]);
  }

  async #kill(): Promise<void> {
    await this.#world.tree.syncAll();
    await this.#world.kill();
    await this.#openAll();
  }

  async #forget(): Promise<void> {
    const { peers } = this.#world;
    peers.areSilent = false;
    await this.#world.forget();
    await this.#openAll();
    peers.areSilent = true;
  }

  async #openAll(): Promise<void> {
    this.#files = [];
    for (const at of this.#models.keys()) this.#files.push(await this.#world.openFile(`${at}`));
  }

  #file(at: number): Far {
    return this.#files[at] as Far;
  }

  #model(at: number): Buffer {
    return this.#models[at] as Buffer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#world[Symbol.asyncDispose]();
  }
}

function resized(bytes: Buffer, lengthBytes: number): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(Math.max(0, lengthBytes - bytes.length))]).subarray(0, lengthBytes);
}
