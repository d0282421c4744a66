/**
 * Written parts over a chunk that nobody has, for now or for good: they hold up neither a commit nor
 * a merge of anything else, and whatever another device did to their file, they stay.
 */
import { type Test, test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import type { Place } from "../../src/base/filesystem.ts";
import { rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { pictureOf } from "../support/drive-user.ts";
import { LostBelow, type LostFile, contentsOf, hashOf, namesIn, pageBytes } from "../support/lost-below.ts";
import { Devices, problemsOf } from "../support/merge-devices.ts";
import { SharedFolder, at, put, textAt } from "../support/shared-folder.ts";
import { listDirectory, nobody, readFile } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const trials = Number(process.env["HIVE_TRIALS"] ?? 3);
const reading = { read: true, write: false, append: false, truncate: false };
const never = new AbortController().signal;
const { chunkBytes } = limits.tree;

test("one lost chunk holds up neither other files nor merges, and is told by its file", async (t) => {
  const world = await LostBelow.open(seed, ["db"]);
  const { devices, desk, lap, files: [db] } = world as LostBelow & { files: [LostFile] };
  await world.write(db);
  await put(desk.tree, "other", "of desk");
  await put(lap.tree, "mine", "of lap");
  t.strictSame(lap.tree.lackingFiles(), [{ path: "/folder/db", bytes: pageBytes / 2 }]);
  const failure = await lap.tree.commitMost();
  t.match(failure, { kind: "Unavailable", op: "tree.lacking", subject: /\/folder\/db/ });
  t.ok(await world.meet());
  t.equal(await textAt(lap.tree, "other"), "of desk");
  t.equal(await textAt(desk.tree, "mine"), "of lap");
  t.strictSame(await world.wrongWith(db), []);
  world.give();
  t.equal(await lap.tree.commitMost(), undefined);
  t.strictSame(lap.tree.lackingFiles(), []);
  await devices.settle();
  t.ok((await readFile(desk.tree, db.ino)).equals(db.model));
});

test("a file without a name keeps nobody waiting", async (t) => {
  const world = await LostBelow.open(seed, ["db"]);
  const [db] = world.files as [LostFile];
  await world.write(db);
  await world.lap.tree.unlink(nobody, at("db", world.folder));
  t.equal(await world.lap.tree.commitMost(), undefined);
  t.strictSame(world.lap.tree.lackingFiles(), []);
});

type Act = (world: LostBelow, file: LostFile) => Promise<Buffer | void>;

/** What desk does to the file meanwhile; its bytes there, where it wrote some. */
const acts: Readonly<Record<string, Act>> = {
  "wrote to it later": (world, file) => overwrite(world, file, 5),
  "wrote to it earlier": (world, file) => overwrite(world, file, -5),
  "removed it": async ({ desk: { tree }, folder }) => await tree.unlink(nobody, at("db", folder)),
  async "removed its folder"({ desk: { tree }, folder }) {
    for (const { name } of await listDirectory(tree, folder)) await tree.unlink(nobody, { parent: folder, name });
    await tree.rmdir(nobody, at("folder"));
  },
  "moved it": async ({ desk: { tree }, folder }) => {
    await tree.rename(nobody, at("db", folder), at("moved"), "replace");
  },
  "gave it another name": async ({ desk: { tree } }, { ino }) => {
    await tree.link(nobody, ino, at("linked"));
  },
  "put another in its place": async (world) => {
    const { desk: { tree }, folder } = world;
    const bytes = world.bulk(chunkBytes);
    await put(tree, "new", bytes);
    await tree.rename(nobody, at("new"), at("db", folder), "replace");
    return bytes;
  },
  "emptied it": async ({ desk: { tree } }, { ino }) => {
    await tree.setattr(nobody, ino, { sizeBytes: 0 });
    return Buffer.alloc(0);
  },
  "sealed it anew for a policy": async ({ desk: { tree }, folder }) => {
    await tree.setxattr(nobody, folder, "user.hive.policy", Buffer.from("europe"), "any");
    while (tree.resealing() !== undefined) await tree.resealer.step(never);
  },
};

async function overwrite({ desk: { tree } }: LostBelow, { ino }: LostFile, later: number): Promise<Buffer> {
  const handle = await tree.open(nobody, ino, { ...reading, write: true });
  await tree.write(handle, 7, Buffer.from(`of desk ${later}`));
  await tree.release(handle);
  const { mtime } = await tree.getattr(ino);
  await tree.setattr(nobody, ino, { mtime: { ...mtime, seconds: mtime.seconds + later } });
  return await readFile(tree, ino);
}

for (const [what, act] of Object.entries(acts)) {
  for (const isSeen of [false, true]) {
    const known = isSeen ? "whoever had heard of it" : "another device";
    test(`what waits stays when ${known} ${what}`, async (t) => {
      const world = await LostBelow.open(seed, ["db"]);
      const { devices, desk, lap, files: [db] } = world as LostBelow & { files: [LostFile] };
      await world.write(db);
      await world.tell();
      if (isSeen) await devices.hear(desk, lap);
      const theirs = await act(world, db);
      await devices.publish(desk);
      await devices.hear(lap, desk);
      t.strictSame(await world.wrongWith(db), []);
      await world.crash();
      t.strictSame(await world.wrongWith(db), [], "it outlives a crash");
      await world.write(db, chunkBytes + pageBytes);
      await restWell(t, world);
      t.strictSame(await world.wrongWith(db), []);
      world.give();
      await endWell(t, world, theirs === undefined ? [] : [theirs]);
    });
  }
}

/** None of them tells the other of news for ever. */
async function restWell(t: Test, world: LostBelow): Promise<void> {
  let rounds = 1;
  while (await world.meet()) if (++rounds > 6) break;
  t.ok(rounds <= 6, "they come to rest while it waits");
  const before = world.lap.tree.devices.news()?.count;
  t.notOk(await world.meet());
  t.equal(world.lap.tree.devices.news()?.count, before, "what is told again is no news");
}

/** Peers have all again: nothing is lost of what either wrote. */
async function endWell(t: Test, world: LostBelow, theirs: readonly Buffer[]): Promise<void> {
  const { devices, desk, lap } = world;
  await devices.settle();
  t.strictSame(await pictureOf(desk.tree), await pictureOf(lap.tree));
  const contents = await contentsOf(lap);
  for (const { model } of world.files) t.ok(contents.has(hashOf(model)), "what lap wrote");
  for (const bytes of theirs) t.ok(contents.has(hashOf(bytes)), "what desk wrote");
  for (const device of devices.all) t.strictSame(await problemsOf(device), [], `${device.name} is whole`);
}

test("what peers give while a merge looks is merged as it is by then", async (t) => {
  // Each look at it is long enough to let others work.
  let skippedMs = 0;
  const monotonicMs = (): number => systemClock.monotonicMs() + (skippedMs += 5);
  const world = await LostBelow.open(seed, ["db"], new Devices(seed, undefined, { ...systemClock, monotonicMs }));
  const { devices, desk, lap, files: [db] } = world as LostBelow & { files: [LostFile] };
  const handle = await world.write(db, 2 * chunkBytes);
  for (let name = 0; name < 400; name++) await put(lap.tree, `${name}`, "", world.folder);
  const theirs = await overwrite(world, db, 5);
  await devices.publish(desk);
  let isOver = false;
  const merge = devices.hear(lap, desk).finally(() => (isOver = true));
  while (!isOver && !isWaiting(() => lap.tree.unlink(nobody, at("nothing")))) await new Promise(setImmediate);
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  t.notOk(isOver, "it looks");
  world.give();
  await lap.tree.bringer.step(never);
  await lap.tree.fsync(handle);
  t.notOk(isOver, "it still looks");
  await merge;
  await endWell(t, world, [theirs]);
});

/** Whoever would change something waits while a merge decides. */
function isWaiting(act: () => unknown): boolean {
  try {
    const done = act();
    if (done instanceof Promise) done.catch(() => undefined);
    return done instanceof Promise;
  } catch {
    return false;
  }
}

test("what a guest wrote over a lost chunk stays when the owner takes over the rest", async (t) => {
  const random = seededRandom(`guest ${seed}`);
  const model = random.bytes(2 * chunkBytes);
  const both = await new SharedFolder(seed).open(async (tree, folder) => void await put(tree, "db", model, folder));
  const { ino } = await both.owner.lookup(at("db", both.folder));
  for await (const cid of both.owner.cidsOf(ino)) both.pool.delete(cid);
  const { ino: hers } = await both.guest.lookup(at("db"));
  const handle = await both.guest.open(nobody, hers, { ...reading, write: true });
  for (const [offset, bytes] of [[0, random.bytes(chunkBytes)], [chunkBytes, random.bytes(pageBytes)]] as const) {
    await both.guest.write(handle, offset, bytes);
    model.set(bytes, offset);
  }
  t.ok(await both.toOwner(), "what could be sealed came in");
  await both.toGuest();
  await both.guest.fsync(handle);
  await both.guests.sync();
  await both.openGuest();
  await both.guest.lookup(at("db"));
  const again = await both.guest.open(nobody, hers, reading);
  const read = await both.guest.read(again, { offsetBytes: chunkBytes, lengthBytes: pageBytes });
  t.ok(Buffer.concat(read).equals(model.subarray(chunkBytes, chunkBytes + pageBytes)));
});

for (let trial = 0; trial < trials; trial++) {
  test(`whatever two devices do meanwhile, trial ${trial}`, { timeout: 120_000 }, async (t) => {
    const life = `${seed}.${trial}`;
    t.comment(`seed ${life}`);
    const world = await LostBelow.open(life, ["db", "b", "c"]);
    for (const file of world.files) await world.write(file);
    for (let turn = 0; turn < 25; turn++) await step(t, world, turn);
    await restWell(t, world);
    for (const file of world.files) t.strictSame(await world.wrongWith(file), []);
    world.give();
    await endWell(t, world, []);
  });
}

async function step(t: Test, world: LostBelow, turn: number): Promise<void> {
  const { devices, desk, lap, random } = world;
  const file = world.files[random.below(world.files.length)] as LostFile;
  switch (random.below(8)) {
    case 0: return void await world.write(file, chunkBytes + pageBytes * random.below(60));
    case 1: return await world.crash();
    case 2: return await world.tell();
    case 3: return void await devices.hear(desk, lap);
    case 4: return void await lap.tree.commitMost();
    case 5: {
      const place = (await namesIn(lap, rootIno)).get(file.ino) as Place;
      const to = at(`l${turn}`, random.below(2) === 0 ? rootIno : world.folder);
      return await lap.tree.rename(nobody, place, to, "replace");
    }
    case 6: {
      await devices.publish(desk);
      await devices.hear(lap, desk);
      for (const one of world.files) t.strictSame(await world.wrongWith(one), [], `turn ${turn}`);
      return;
    }
    default: return await deskActs(world, file, turn);
  }
}

async function deskActs(world: LostBelow, file: LostFile, turn: number): Promise<void> {
  const { desk: { tree }, random } = world;
  const place = (await namesIn(world.desk, rootIno)).get(file.ino);
  if (place === undefined) return void await put(tree, `d${turn}`, world.bulk(pageBytes));
  switch (random.below(5)) {
    case 0: return await tree.unlink(nobody, place);
    case 1: return await tree.rename(nobody, place, at(`d${turn}`), "replace");
    case 2: return void await tree.setattr(nobody, file.ino, { sizeBytes: random.below(3 * chunkBytes) });
    case 3: return void await tree.link(nobody, file.ino, at(`d${turn}`));
    default: return void await overwrite(world, file, random.below(9) - 4);
  }
}
