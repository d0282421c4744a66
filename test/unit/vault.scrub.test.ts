/** What the disk spoils, forgets or leaves behind is found, and only that is dropped. */
import { open, readdir, rename, rm, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "tap";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { ShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { makeChallenge } from "../../src/proofs/challenge.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { World, refused, shardBytes } from "../contract/host.ts";
import { newDirectory, openHouse, openHouseIn } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/vault.scrub.test.ts`;
const random = seededRandom(`${seed}/vault.scrub`);
const never = new AbortController().signal;
const range = { offsetBytes: 0, lengthBytes: 16 };
const dayMs = 24 * 3_600_000;

test("one flipped bit anywhere is found, and the other shards stay", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault, directory } = house;
  const pieces = Array.from({ length: 12 }, () => world.segment());
  for (const piece of pieces) await world.store(vault, piece);
  const spoilt = pieces.slice(0, 3);
  for (const { id } of spoilt) await flipBit(fileOf(directory, id), random);
  const before = vault.usage().usedBytes;
  await scrubAll(vault);
  for (const piece of pieces) {
    const read = vault.read(world.owner, piece.id, range);
    if (spoilt.includes(piece)) await refused(t, "spoilt", read, "NotFound");
    else t.equal((await read).length, range.lengthBytes, replay);
  }
  const freed = spoilt.reduce((sum, { record }) => sum + shardBytes + record.bytes.length, 0);
  t.equal(vault.usage().usedBytes, before - freed);
  const [first] = spoilt;
  if (first === undefined) throw new Error(replay);
  await world.store(vault, first);
  t.equal((await vault.read(world.owner, first.id, range)).length, 16, "the owner repairs it");
});

test("a proof of a spoilt shard is not given, and storing it again heals it", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault, directory } = house;
  const piece = world.segment();
  const challenge = makeChallenge({ shard: piece.id, shardBytes, count: 2, random });
  await world.store(vault, piece);
  await flipBit(fileOf(directory, piece.id), random);
  const { usedBytes } = vault.usage();
  await world.store(vault, piece);
  t.equal(vault.usage().usedBytes, usedBytes);
  t.ok((await vault.prove(world.owner, challenge)).length > 0);
  await flipBit(fileOf(directory, piece.id), random);
  await refused(t, "prove", vault.prove(world.owner, challenge), "NotFound");
  t.equal(vault.usage().shards, 0);
});

test("entries without a file, cut files and files without an entry are cleared", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault, directory } = house;
  const [kept, lost, cut] = [world.segment(), world.segment(), world.segment()];
  for (const piece of [kept, lost, cut]) await world.store(vault, piece);
  await unlink(fileOf(directory, lost.id));
  await writeFile(fileOf(directory, cut.id), cut.shard.subarray(0, 5000));
  const orphan = world.segment();
  await writeFile(fileOf(directory, orphan.id), orphan.shard);
  const foreign = join(directory, "vault", "shards", "00", "notes.txt");
  await writeFile(foreign, "not ours");
  await scrubAll(vault);
  t.equal(vault.usage().shards, 1);
  t.strictSame((await shardFiles(directory)).sort(), [kept.id, "notes.txt"].sort());
  t.equal((await vault.read(world.owner, kept.id, range)).length, range.lengthBytes);
});

test("a pass ends, the next waits for its time, and a restart goes on", async (t) => {
  const world = new World(random);
  const directory = await newDirectory();
  let nowMs = 1_800_000_000_000;
  const clock: Clock = { ...systemClock, now: () => nowMs };
  {
    await using house = await openHouseIn(directory, world.holder, { clock });
    for (let at = 0; at < 40; at++) await world.store(house.vault, world.segment());
    for (let at = 0; at < 100; at++) await house.vault.step.step(never);
  }
  {
    await using house = await openHouseIn(directory, world.holder, { clock });
    const { vault } = house;
    const steps = await scrubAll(vault);
    // A step for each folder, and some more where one has many shards.
    t.ok(steps >= 150 && steps < 170, `${steps} steps`);
    t.equal(await vault.step.step(never), "idle");
    nowMs += limits.vault.scrubEveryMs;
    t.equal(await vault.step.step(never), "busy");
  }
  await rm(directory, { recursive: true });
});

test("a stopped step stops, and skips nothing", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault, directory } = house;
  const piece = world.segment();
  await world.store(vault, piece);
  await flipBit(fileOf(directory, piece.id), random);
  for (let turn = 0; turn < 600; turn++) await vault.step.step(AbortSignal.abort());
  t.equal(vault.usage().shards, 1);
  await scrubAll(vault);
  t.equal(vault.usage().shards, 0);
});

test("a shard whose seat another has is kept for the grace, then dropped", async (t) => {
  const world = new World(random);
  let nowMs = 1_800_000_000_000;
  const clock: Clock = { ...systemClock, now: () => nowMs };
  await using house = await openHouse(world.holder, { clock });
  const { vault } = house;
  await world.store(vault, world.segment());
  const peers = world.manifest.peers;
  const unseated = world.manifestOf([world.stranger.peer, ...peers.slice(1)], 2);
  const seated = world.manifestOf(peers, 3);
  await vault.putRecord(world.owner, "manifest", unseated.bytes);
  await scrubAll(vault);
  t.equal(vault.usage().shards, 1, "in its grace");
  await vault.putRecord(world.owner, "manifest", seated.bytes);
  nowMs += limits.vault.scrubEveryMs;
  await scrubAll(vault);
  const again = world.manifestOf([world.stranger.peer, ...peers.slice(1)], 4);
  await vault.putRecord(world.owner, "manifest", again.bytes);
  nowMs += limits.vault.scrubEveryMs;
  await scrubAll(vault);
  t.equal(vault.usage().shards, 1, "a grace of its own");
  nowMs += limits.vault.strayGraceMs - 1;
  await scrubAll(vault);
  t.equal(vault.usage().shards, 1, "to its last moment");
  nowMs += limits.vault.scrubEveryMs;
  await scrubAll(vault);
  t.equal(vault.usage().shards, 0);
});

test("a release is remembered long enough, and not for ever", async (t) => {
  const world = new World(random);
  let nowMs = 90 * dayMs;
  const clock: Clock = { ...systemClock, now: () => nowMs };
  await using house = await openHouse(world.holder, { clock });
  const { vault } = house;
  const piece = world.segment();
  await world.store(vault, piece);
  await vault.release(world.owner, world.release(piece));
  await scrubAll(vault);
  await refused(t, "replayed", world.store(vault, piece), "Stale");
  nowMs += limits.vault.releasedAgeMsMax + 1;
  await scrubAll(vault);
  await world.store(vault, piece);
  t.equal(vault.usage().shards, 1);
});

test("an empty folder where the vault was is an unmounted disk, not lost data", async (t) => {
  const world = new World(random);
  const directory = await newDirectory();
  const piece = world.segment();
  {
    await using house = await openHouseIn(directory, world.holder);
    await world.store(house.vault, piece);
  }
  await rm(join(directory, "vault"), { recursive: true });
  await refused(t, "open", openHouseIn(directory, world.holder), "Unavailable");
  await rm(directory, { recursive: true });
});

test("a disk that goes away while the vault runs costs no entry", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault, directory } = house;
  const piece = world.segment();
  await world.store(vault, piece);
  await rename(join(directory, "vault"), join(directory, "elsewhere"));
  await t.rejects(scrubAll(vault));
  await refused(t, "read", vault.read(world.owner, piece.id, range), "NotFound");
  await rename(join(directory, "elsewhere"), join(directory, "vault"));
  await scrubAll(vault);
  t.equal((await vault.read(world.owner, piece.id, range)).length, range.lengthBytes);
});

/** Steps until the pass is over; how many it took. */
async function scrubAll(vault: Vault): Promise<number> {
  let steps = 0;
  while ((await vault.step.step(never)) === "busy") steps++;
  return steps;
}

async function flipBit(file: string, dice: Random): Promise<void> {
  await using handle = await open(file, "r+");
  const byte = Buffer.alloc(1);
  const at = dice.below(shardBytes);
  await handle.read(byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8() ^ (1 << dice.below(8)));
  await handle.write(byte, 0, 1, at);
}

function fileOf(directory: string, shard: ShardId): string {
  return join(directory, "vault", "shards", shard.slice(0, 2), shard);
}

async function shardFiles(directory: string): Promise<string[]> {
  const names = await readdir(join(directory, "vault", "shards"), { recursive: true });
  return names.filter((name) => name.includes("/")).map((name) => name.slice(3));
}
