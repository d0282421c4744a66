/** A release of one shard: only for the holder it names, once its seat is another's; and what goes without. */
import { rm } from "node:fs/promises";
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { signRelease } from "../../src/crypt/records/records.ts";
import { type Piece, World, refused } from "../contract/host.ts";
import { ShiftedClock } from "../support/transfer-world.ts";
import { newDirectory, openHouse, openHouseIn } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`${seed}/vault.release`);
const range = { offsetBytes: 0, lengthBytes: 16 };

function releaseOf(world: World, piece: Piece, told: { epoch: number; holder?: number }): Uint8Array {
  const { segment } = piece.record;
  const holder = world.members[told.holder ?? 0]?.peer ?? world.holder.peer;
  const only = { holder, index: piece.index, epoch: told.epoch };
  return signRelease(world.drive, { segment, releasedAtMs: 1, only }).bytes;
}

/** The same group without the host. */
function withoutHost(world: World, epoch: number) {
  const { peer } = peerKeysOf(random.bytes(32));
  return world.manifestOf([peer, ...world.manifest.peers.slice(1)], epoch);
}

test("while the seat is its own, no release of one shard takes it away", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const piece = world.segment();
  await world.store(house.vault, piece);
  const early = house.vault.release(world.owner, releaseOf(world, piece, { epoch: 1 }));
  await refused(t, "its own seat", early, "Denied");
  const ahead = house.vault.release(world.owner, releaseOf(world, piece, { epoch: 2 }));
  await refused(t, "of a manifest that did not come yet", ahead, "Stale");
  t.equal((await house.vault.read(world.owner, piece.id, range)).length, 16);
});

test("once the seat is another's the shard goes, and what is left is counted right", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault } = house;
  const [piece, other] = [world.segment(), world.segment()];
  for (const one of [piece, other]) await world.store(vault, one);
  await vault.putRecord(world.owner, "manifest", withoutHost(world, 2).bytes);
  const release = releaseOf(world, piece, { epoch: 2 });
  for (let again = 0; again < 2; again++) await vault.release(world.owner, release);
  await refused(t, "gone", vault.read(world.owner, piece.id, range), "NotFound");
  t.equal((await vault.read(world.owner, other.id, range)).length, 16, "and nothing else");
  t.equal(vault.usage().shards, 1);
  // The seat is given back: an old release, said again, must not take the shard a second time.
  await vault.putRecord(world.owner, "manifest", world.manifestOf(world.manifest.peers, 3).bytes);
  await world.store(vault, piece, world.owner, world.manifestOf(world.manifest.peers, 3));
  await refused(t, "replayed", vault.release(world.owner, release), "Denied");
  t.equal((await vault.read(world.owner, piece.id, range)).length, 16);
});

test("a release for another holder, or signed by another owner, moves nothing", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault } = house;
  const piece = world.segment();
  await world.store(vault, piece);
  await vault.putRecord(world.owner, "manifest", withoutHost(world, 2).bytes);
  const foreign = vault.release(world.owner, releaseOf(world, piece, { epoch: 2, holder: 1 }));
  await refused(t, "another holder's", foreign, "Denied");
  const liar = new World(random);
  const { segment } = piece.record;
  const only = { holder: world.holder.peer, index: piece.index, epoch: 2 };
  await vault.release(liar.owner, signRelease(liar.drive, { segment, releasedAtMs: 1, only }).bytes);
  t.equal((await vault.read(world.owner, piece.id, range)).length, 16);
});

test("a group of which nothing is kept makes room for another of its owner's", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault } = house;
  const piece = world.segment();
  await world.store(vault, piece);
  const { peers } = world.manifest;
  const groupOf = (at: number): string => at.toString(16).padStart(32, "0");
  for (let at = 0; at < 2 * limits.vault.groupsPerOwnerMax; at++) {
    await vault.putRecord(world.owner, "manifest", world.manifestOf(peers, 1, groupOf(at)).bytes);
  }
  const { manifests } = await vault.records(world.owner, world.drive.owner);
  t.equal(manifests.length, limits.vault.groupsPerOwnerMax);
  const kept = manifests.some((bytes) => Buffer.from(bytes).equals(world.manifest.bytes));
  t.ok(kept, "the one that a shard is of stays");
  t.equal((await vault.read(world.owner, piece.id, range)).length, 16);
  const [usage] = vault.list();
  await vault.release(world.owner, world.release(piece));
  const rest = vault.list()[0]?.bytes ?? 0;
  const shardBytes = piece.shard.length + piece.record.bytes.length;
  t.equal((usage?.bytes ?? 0) - rest, shardBytes, "what each takes up is counted right");
  t.equal(rest, manifests.reduce((sum, { length }) => sum + length, 0));
});

test("what a holder let go of it remembers, until it is stored again or nobody asks any more", async (t) => {
  const world = new World(random);
  const directory = await newDirectory();
  t.teardown(() => rm(directory, { recursive: true }));
  const clock = new ShiftedClock();
  const [piece, other] = [world.segment(), world.segment()];
  const challenge = { shard: piece.id, nonce: random.bytes(16), leaves: [0] };
  {
    await using house = await openHouseIn(directory, world.holder, { clock });
    for (const one of [piece, other]) await world.store(house.vault, one);
    const sample = await house.vault.sample(world.drive.owner, random);
    await house.vault.letGo(sample.find(({ record }) => record.segment === piece.record.segment)!);
    await refused(t, "asked at once", house.vault.prove(world.owner, challenge), "Stale");
  }
  await using house = await openHouseIn(directory, world.holder, { clock });
  const { vault } = house;
  await refused(t, "after a restart", vault.prove(world.owner, challenge), "Stale");
  await refused(t, "nor is it read", vault.read(world.owner, piece.id, range), "Stale");
  await world.store(vault, piece);
  t.ok(await vault.prove(world.owner, challenge), "it is here again");
  await vault.release(world.owner, world.release(piece));
  await refused(t, "its owner knows", vault.prove(world.owner, challenge), "NotFound");

  const [last] = await vault.sample(world.drive.owner, random);
  await vault.letGo(last!);
  clock.shiftMs += limits.vault.releasedAgeMsMax + limits.vault.scrubEveryMs;
  while (await vault.step.step(new AbortController().signal) === "busy");
  const late = vault.prove(world.owner, { ...challenge, shard: other.id });
  await refused(t, "so much later", late, "NotFound");
});
