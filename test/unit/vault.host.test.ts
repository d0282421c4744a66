/** The vault keeps the contract of a ShardHost, and gives liars, strangers and replays nothing. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "tap";
import type { PeerId, ShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { StoreRequest } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Manifest } from "../../src/base/records.ts";
import { signSegmentRecord } from "../../src/crypt/records/records.ts";
import { makeChallenge } from "../../src/proofs/challenge.ts";
import { World, hostContract, refused, shardBytes } from "../contract/host.ts";
import { openHouse } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`${seed}/vault.host`);
const range = { offsetBytes: 0, lengthBytes: 16 };

test(`a vault is a ShardHost (HIVE_SEED=${seed})`, async (t) => {
  await hostContract(t, { random, open: (keys) => openHouse(keys) });
});

test("a stranger gets no byte, no proof, no record and stores nothing", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault } = house;
  const piece = world.segment();
  const { stranger } = world;
  await refused(t, "store", world.store(vault, piece, stranger), "Denied");
  await world.store(vault, piece);
  await refused(t, "read", vault.read(stranger, piece.id, range), "Denied");
  const challenge = makeChallenge({ shard: piece.id, shardBytes, count: 4, random });
  await refused(t, "prove", vault.prove(stranger, challenge), "Denied");
  const { owner } = world.drive;
  await refused(t, "records", vault.records(stranger, owner), "Denied");
  const page = vault.segments(stranger, owner, { after: undefined, limit: 10 });
  await refused(t, "segments", page, "Denied");
  await refused(t, "head", vault.putRecord(stranger, "head", world.head(9)), "Denied");
  const manifest = world.manifestOf(world.manifest.peers, 9).bytes;
  await refused(t, "manifest", vault.putRecord(stranger, "manifest", manifest), "Denied");
});

test("a stranger with a drive of its own still reads nobody else's shard", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const piece = world.segment();
  await world.store(house.vault, piece);
  const liar = new World(random);
  // It names the other's root in a record of its own; without the bytes it gets no further.
  const peers = [world.holder.peer, ...liar.manifest.peers.slice(1)];
  const manifest = liar.manifestOf(peers, 1);
  const record = signSegmentRecord(liar.drive, {
    group: manifest.group, k: 1, n: 3, shardBytes, rotation: 0,
    roots: [piece.id, piece.id, piece.id], createdAtMs: 0,
  });
  const request: StoreRequest = { record: record.bytes, manifest: manifest.bytes, index: 0 };
  const guess = house.vault.store(liar.owner, request, random.bytes(shardBytes));
  await refused(t, "store", guess, "Corrupt");
  await house.vault.putRecord(liar.owner, "manifest", manifest.bytes);
  await refused(t, "read", house.vault.read(liar.owner, piece.id, range), "Denied");
  // With the bytes it pays for its own place, and releasing that takes nothing from the other.
  await house.vault.store(liar.owner, request, piece.shard);
  await house.vault.release(liar.owner, liar.release({ ...piece, record }));
  t.equal((await house.vault.read(world.owner, piece.id, range)).length, range.lengthBytes);
});

test("false requests are refused, each for what is wrong with it", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault } = house;
  const piece = world.segment();
  const { record, index, shard } = piece;
  const request = { record: record.bytes, manifest: world.manifest.bytes, index };
  const store = (change: Partial<StoreRequest>, bytes: Uint8Array = shard) =>
    vault.store(world.owner, { ...request, ...change }, bytes);
  for (const bad of [-1, 3, 0.5, Number.NaN, 2 ** 40]) {
    await refused(t, `index ${bad}`, store({ index: bad }), "Invalid");
  }
  await refused(t, "no bytes", store({}, new Uint8Array()), "Corrupt");
  await refused(t, "half", store({}, shard.subarray(0, shardBytes / 2)), "Corrupt");
  await refused(t, "long", store({}, Buffer.concat([shard, Buffer.alloc(4096)])), "Corrupt");
  for (const name of ["record", "manifest"] as const) {
    for (let turn = 0; turn < 20; turn++) {
      const bytes = Buffer.from(request[name]);
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      await refused(t, `${name} bit at ${at}`, store({ [name]: bytes }), "Corrupt");
    }
  }
  const other = world.manifestOf(world.manifest.peers, 1, "cd".repeat(16)).bytes;
  await refused(t, "another group", store({ manifest: other }), "Invalid");
  const foreign = new World(random).manifest.bytes;
  await refused(t, "another owner", store({ manifest: foreign }), "Invalid");
  t.equal(vault.usage().shards, 0);
  t.equal(vault.usage().usedBytes, 0);
});

test("an old manifest and a released segment cannot be replayed", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault } = house;
  const newer = world.manifestOf(world.manifest.peers, 5);
  const piece = world.segment();
  await world.store(vault, piece, world.owner, newer);
  await refused(t, "old", world.store(vault, world.segment()), "Stale");
  await vault.release(world.owner, world.release(piece));
  await refused(t, "released", world.store(vault, piece, world.owner, newer), "Stale");
  t.equal(vault.usage().shards, 0);
});

test("of two manifests of one epoch that with the greater bytes counts, whichever came first", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault } = house;
  const [ours, ...others] = world.manifest.peers as [PeerId, ...PeerId[]];
  const forks = [others, others.toReversed()].map((rest) => world.manifestOf([ours, ...rest], 5));
  const [less, greater] = forks.sort((a, b) => Buffer.compare(a.bytes, b.bytes)) as [Manifest, Manifest];
  const newest = async () => (await vault.records(world.owner, world.drive.owner)).manifests;
  for (const manifest of [less, greater, less]) {
    await vault.putRecord(world.owner, "manifest", manifest.bytes);
  }
  t.strictSame(await newest(), [greater.bytes]);
  const piece = world.segment();
  await refused(t, "less", world.store(vault, piece, world.owner, less), "Stale");
  await world.store(vault, piece, world.owner, greater);
  t.equal(vault.usage().shards, 1);
});

test("a newer manifest takes rights from who leaves and gives them to who comes", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault } = house;
  const piece = world.segment();
  await world.store(vault, piece);
  const newcomer = { peer: world.stranger.peer, owners: [] };
  await refused(t, "before", vault.read(newcomer, piece.id, range), "Denied");
  const [first, , third] = world.manifest.peers;
  if (first === undefined || third === undefined) throw new Error("three members");
  const next = world.manifestOf([first, newcomer.peer, third], 2);
  await vault.putRecord(newcomer, "manifest", next.bytes);
  t.equal((await vault.read(newcomer, piece.id, range)).length, range.lengthBytes);
  await refused(t, "after", vault.read(world.member, piece.id, range), "Denied");
  const told = await vault.records(newcomer, world.drive.owner);
  t.equal(told.manifests.length, 1);
});

test("the quota is exact, and what is released is free again", async (t) => {
  const world = new World(random);
  const one = world.segment();
  const sum = shardBytes + one.record.bytes.length + world.manifest.bytes.length;
  const second = world.segment();
  const more = shardBytes + second.record.bytes.length;
  await using house = await openHouse(world.holder, {
    quotaBytes: sum + more + world.manifest.bytes.length,
  });
  const { vault } = house;
  await world.store(vault, one);
  t.equal(vault.usage().usedBytes, sum);
  await world.store(vault, second);
  t.equal(vault.usage().usedBytes, sum + more);
  await refused(t, "full", world.store(vault, world.segment()), "Quota");
  t.equal(vault.usage().usedBytes, sum + more);
  await vault.putRecord(world.member, "manifest", world.manifestOf(world.manifest.peers, 2).bytes);
  await vault.release(world.owner, world.release(one));
  t.ok(vault.space().freeBytes >= shardBytes);
  t.strictSame(vault.list(), [{
    owner: world.drive.owner, shards: 1, segments: 1, bytes: vault.usage().usedBytes,
  }]);
});

test("owners who send only words make room for those who keep shards here", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder, { ownersMax: 3 });
  const { vault } = house;
  await world.store(vault, world.segment());
  const seat = (other: World) =>
    other.manifestOf([world.holder.peer, ...other.manifest.peers.slice(1)], 1);
  for (let turn = 0; turn < 10; turn++) {
    const talker = new World(random);
    await vault.putRecord(talker.owner, "manifest", seat(talker).bytes);
    await vault.putRecord(talker.owner, "head", talker.head(1));
  }
  t.equal(vault.usage().owners, 3);
  for (let turn = 0; turn < 2; turn++) {
    const keeper = new World(random);
    const piece = keeper.segment({ rotation: 0 });
    await keeper.store(vault, { ...piece, index: 0 }, keeper.owner, seat(keeper));
  }
  const late = new World(random);
  const put = vault.putRecord(late.owner, "manifest", seat(late).bytes);
  await refused(t, "no seat left", put, "Quota");
  t.strictSame(vault.list().map(({ shards }) => shards), [1, 1, 1]);
});

test("many stores at once never go over the quota", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder, { quotaBytes: 10 * shardBytes + 20_000 });
  const { vault } = house;
  const pieces = Array.from({ length: 40 }, () => world.segment());
  const ends = await Promise.allSettled(pieces.map((piece) => world.store(vault, piece)));
  const kept = ends.filter(({ status }) => status === "fulfilled").length;
  t.ok(kept > 0 && kept <= 10, `${kept} kept`);
  t.equal(vault.usage().shards, kept);
  t.ok(vault.usage().usedBytes <= vault.usage().quotaBytes);
  const files = await filesIn(join(house.directory, "vault"));
  t.equal(files.filter((file) => file.includes("shards")).length, kept);
  t.equal(files.filter((file) => file.includes("incoming")).length, 0);
});

test("the same shard stored by many at once is kept once", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const piece = world.segment();
  await Promise.all(Array.from({ length: 20 }, () => world.store(house.vault, piece)));
  const sum = shardBytes + piece.record.bytes.length + world.manifest.bytes.length;
  t.equal(house.vault.usage().usedBytes, sum);
  t.equal(house.vault.usage().shards, 1);
});

test("false ranges and challenges are refused", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const piece = world.segment();
  await world.store(house.vault, piece);
  const ranges = [[-1, 1], [0, 0], [0, shardBytes + 1], [shardBytes, 1], [0.5, 1], [0, Number.NaN]];
  for (const [offsetBytes, lengthBytes] of ranges as [number, number][]) {
    const read = house.vault.read(world.owner, piece.id, { offsetBytes, lengthBytes });
    await refused(t, `${lengthBytes} at ${offsetBytes}`, read, "Invalid");
  }
  const nonce = random.bytes(limits.proofs.nonceBytes);
  const many = Array.from({ length: limits.proofs.leavesMax + 1 }, (_, at) => at);
  for (const leaves of [[], [16], [-1], [1, 1], [2, 1], [0.5], many]) {
    const proof = house.vault.prove(world.owner, { shard: piece.id, nonce, leaves });
    await refused(t, `leaves ${leaves.slice(0, 3).join(" ")}`, proof, "Invalid");
  }
  const short = { shard: piece.id, nonce: nonce.subarray(1), leaves: [0] };
  await refused(t, "short nonce", house.vault.prove(world.owner, short), "Invalid");
});

test("nothing that a peer names becomes a path, and files are the user's alone", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  await world.store(house.vault, world.segment());
  for (const name of ["../../books", "..", "/etc/passwd", ""]) {
    const read = house.vault.read(world.owner, name as ShardId, range);
    await refused(t, JSON.stringify(name), read, "NotFound", "Denied", "Corrupt", "Invalid");
  }
  const vault = join(house.directory, "vault");
  for (const file of await filesIn(vault)) {
    t.equal((await stat(file)).mode & 0o777, 0o600, file.slice(vault.length, vault.length + 20));
  }
  for (const folder of ["shards", "incoming", "shards/00"]) {
    t.equal((await stat(join(vault, folder))).mode & 0o777, 0o700, folder);
  }
});

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) =>
    join(parentPath, name),
  );
}
