/**
 * Holders and a device that was shut out, with a real vault and the raw protocol: nothing that it
 * signs comes in, whoever brings it; what it placed before stays, and no older roll takes it back.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "tap";
import type { KeyValue } from "../../src/base/blocks.ts";
import { HiveError } from "../../src/base/errors.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openKeyValue } from "../../src/cache/index/key-value.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { encodeRollAsk, hashOfRoll, parseRoll } from "../../src/crypt/drive/device-roll.ts";
import { type DriveKeys, driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { signDeviceCertificate, signHead, signManifest, signRelease, signSegmentRecord }
  from "../../src/crypt/records/records.ts";
import { rollHost } from "../../src/node/roll-host.ts";
import { World, refused } from "../contract/host.ts";
import { faultOf } from "../support/faults.ts";
import { newDirectory, openHouse, openHouseIn } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`vault.rolls/${seed}`);
const lap = peerKeysOf(random.bytes(32));

/** What a device signs with that this drive added. */
function addedTo(drive: DriveKeys): DriveKeys {
  const told = { peer: lap.peer, name: "lap", issuedAtMs: 1, expiresAtMs: 1e15 };
  return { ...drive, sign: lap.sign, certificate: signDeviceCertificate(drive, told) };
}

function rollOf(drive: DriveKeys, sequence: number, removed: readonly { atMs: number }[]) {
  const told = { sequence, signedAtMs: sequence, added: [] };
  const out = removed.map(({ atMs }) => ({ peer: lap.peer, atMs }));
  return drive.signRoll!({ ...told, removed: out }, random);
}

function headOf(keys: DriveKeys, sequence: number): Uint8Array {
  const told = { sequence, publishedAtMs: 1, sealed: random.bytes(40) };
  return signHead(keys, { peer: lap.peer, ...told }).bytes;
}

test("of a device that was shut out a holder takes nothing, whoever brings it", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault } = house;
  const keys = addedTo(world.drive);
  const ofLap = (told: { createdAtMs: number }) => {
    const piece = world.segment();
    const record = signSegmentRecord(keys, { ...piece.record, ...told });
    return { ...piece, record };
  };
  const by = { peer: lap.peer, owners: [world.drive.owner] };
  const before = ofLap({ createdAtMs: 10 });
  await world.store(vault, before, by);
  await vault.putRecord(by, "head", headOf(keys, 1));
  const roll = rollOf(world.drive, 2, [{ atMs: 100 }]);
  await vault.rolls.keep(roll);

  for (const from of [by, world.owner, world.member]) {
    const head = vault.putRecord(from, "head", headOf(keys, 2));
    await refused(t, `its head by ${from.owners.length} owners`, head, "Denied");
  }
  const signed = { ...world.manifest, epoch: 9 };
  const manifest = signManifest(keys, signed);
  await refused(t, "its manifest", vault.putRecord(by, "manifest", manifest.bytes), "Denied");
  const told = { manifest, policy: undefined, log: [], head: undefined };
  await refused(t, "by a fellow member", vault.shelf.tell(world.member, told), "Denied");
  const release = signRelease(keys, { segment: before.record.segment, releasedAtMs: 200 });
  await refused(t, "its release", vault.release(world.owner, release.bytes), "Denied");
  const since = world.store(vault, ofLap({ createdAtMs: 101 }), world.owner);
  await refused(t, "what it made since", since, "Denied");

  const range = { offsetBytes: 0, lengthBytes: 64 };
  t.equal((await vault.read(world.owner, before.id, range)).length, 64, "what it placed stays");
  await vault.putRecord(world.owner, "manifest", signManifest(world.drive, signed).bytes);
  await vault.putRecord(world.owner, "head", world.head(3));
});

test("a roll is the owner's word, and no older one takes it back", async (t) => {
  const world = new World(random);
  const directory = await newDirectory();
  const { drive } = world;
  const first = rollOf(drive, 1, []);
  const out = rollOf(drive, 2, [{ atMs: 100 }]);
  {
    await using house = await openHouseIn(directory, world.holder);
    const { rolls } = house.vault;
    t.equal(await faultOf(rolls.keep(first)), "Denied", "of a drive of which nothing is here");
    await world.store(house.vault, world.segment());
    const put = rollHost(rolls, {});
    const anybody = world.stranger;
    await put.device(anybody, "roll", first.bytes);
    await put.device(anybody, "roll", out.bytes);
    await put.device(anybody, "roll", out.bytes);
    t.equal(await faultOf(put.device(anybody, "roll", first.bytes)), "Stale", "replayed");
    const twin = rollOf(drive, 2, []);
    t.equal(await faultOf(put.device(anybody, "roll", twin.bytes)), "Stale", "of its number");
    const bent = Buffer.from(out.bytes);
    bent[bent.length - 1]! ^= 1;
    t.equal(await faultOf(put.device(anybody, "roll", bent)), "Corrupt", "bent");
    const forger = { ...driveKeysOf(random.bytes(32)), owner: drive.owner };
    t.equal(await faultOf(() => rollOf(forger, 9, [])), "none", "a roll of another drive's");
    t.equal(await faultOf(put.device(anybody, "roll", rollOf(forger, 9, []).bytes)), "Denied");

    const { owner } = drive;
    const ask = encodeRollAsk({ owner, known: hashOfRoll(first) });
    const lapAsks = { peer: lap.peer, owners: [] };
    const told = await put.device(lapAsks, "askRoll", ask);
    t.equal(parseRoll(told).sequence, 2, "who was shut out can learn it");
    t.equal(await faultOf(put.device({ ...world.member }, "askRoll", ask)), "Denied", "others need not");
    const newest = encodeRollAsk({ owner, known: hashOfRoll(out) });
    t.equal((await put.device(world.owner, "askRoll", newest)).length, 0);
  }
  await using again = await openHouseIn(directory, world.holder);
  t.ok(again.vault.rolls.isRemoved(drive.owner, lap.peer), "after a new start");
  const keys = addedTo(drive);
  t.equal(await faultOf(again.vault.putRecord(world.owner, "head", headOf(keys, 9))), "Denied");
});

test("a roll that the disk did not take is written when it is told again", async (t) => {
  const world = new World(random);
  const directory = await newDirectory();
  t.teardown(() => rm(directory, { recursive: true }));
  const roll = rollOf(world.drive, 1, [{ atMs: 100 }]);
  {
    await using disk = await openKeyValue(join(directory, "books"));
    let isFull = false;
    const books: KeyValue = {
      get: (key) => disk.get(key),
      put: async (key, value) => {
        if (isFull) throw new HiveError("NoSpace", "cache.write", key);
        await disk.put(key, value);
      },
      delete: (key) => disk.delete(key),
      batch: (changes) => disk.batch(changes),
      list: (...asked) => disk.list(...asked),
    };
    await using house = await openHouseIn(directory, world.holder, { books });
    await world.store(house.vault, world.segment());
    isFull = true;
    t.equal(await faultOf(house.vault.rolls.keep(roll)), "NoSpace");
    t.ok(house.vault.rolls.isRemoved(world.drive.owner, lap.peer), "it holds at once");
    isFull = false;
    await house.vault.rolls.keep(roll);
  }
  await using house = await openHouseIn(directory, world.holder);
  t.ok(house.vault.rolls.isRemoved(world.drive.owner, lap.peer), "and after a restart");
});
