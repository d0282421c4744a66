/**
 * A device that is shut out, by its raw keys: its heads are refused, it opens nothing of what is
 * published after, lets nobody in, and learns that it is out; no older roll takes that back.
 */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import type { DeviceNetwork } from "../../src/base/devices.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { addedDevice, keysOfAdded } from "../../src/crypt/devices/added-device.ts";
import { parseRoll } from "../../src/crypt/drive/device-roll.ts";
import { type DriveKeys, driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { earlierSecret, epochSecretOf, epochsMax } from "../../src/crypt/drive/epochs.ts";
import { HeadKeys } from "../../src/crypt/drive/head-keys.ts";
import { parseHead, parseManifest, signHead, signManifest } from "../../src/crypt/records/records.ts";
import { encodePayload } from "../../src/transfer/catalog/catalog-page.ts";
import { Roll } from "../../src/transfer/roll.ts";
import { faultOf } from "../support/faults.ts";
import { HonestHost } from "../support/honest-host.ts";
import { MemoryBooks, makeBlocks, makeWorld, openWorld } from "../support/transfer-world.ts";

const random = seededRandom("roll");
const never = new AbortController().signal;
/** The seed of the worlds' drive. */
const seed = sha256(Buffer.from("transfer world"));
const drive = driveKeysOf(seed);
const [lap, pad, desk] = ["lap", "pad", "desk"].map((name) => {
  const peer = peerKeysOf(random.bytes(32));
  return { name, peer: peer.peer, keys: keysOf(peer, name) };
}) as [Added, Added, Added];

interface Added {
  readonly name: string;
  readonly peer: PeerId;
  readonly keys: DriveKeys;
}

function keysOf(peer: ReturnType<typeof peerKeysOf>, name: string): DriveKeys {
  return keysOfAdded(addedDevice(seed, { peer: peer.peer, name, nowMs: 1 }), peer);
}

/** One device's roll; what it tells goes nowhere unless `device` carries it. */
async function rollOf(
  self: PeerId, keys: DriveKeys, books = new MemoryBooks(), told: Partial<DeviceNetwork> = {},
) {
  const network = { self, peers: () => [], ...told };
  const roll = new Roll({
    network, books, keys, clock: systemClock, random, log: silentLog, members: () => [],
  });
  await roll.open();
  return roll;
}

/** With `lap` and `pad` on it. */
async function deskRoll(books?: MemoryBooks) {
  const roll = await rollOf(desk.peer, drive, books);
  for (const { peer, name } of [lap, pad]) await roll.add({ peer, name });
  return roll;
}

function headOf({ peer, keys }: Added, sequence: number) {
  const payload = encodePayload({
    root: Buffer.from("of lap"), manifests: [], newest: [], runs: [],
  });
  const sealed = new HeadKeys(keys.headKey).seal(payload, random);
  return signHead(keys, { peer, sequence, publishedAtMs: systemClock.now(), sealed });
}

test("who was shut out opens nothing that is sealed after, and who stays opens all", async (t) => {
  const roll = await deskRoll();
  const ofLap = await rollOf(lap.peer, lap.keys);
  const ofPad = await rollOf(pad.peer, pad.keys);
  const told = async (): Promise<void> => {
    for (const one of [ofLap, ofPad]) await one.hear(parseRoll(roll.current!.bytes));
  };
  await told();
  const before = roll.heads.seal(Buffer.from("before"), random);
  for (const one of [ofLap, ofPad]) t.equal(one.heads.open(before).toString(), "before");

  t.strictSame(await roll.remove(lap.peer), { hadWords: false });
  await told();
  const after = roll.heads.seal(Buffer.from("after"), random);
  t.equal(ofPad.heads.open(after).toString(), "after");
  t.equal(ofPad.heads.open(before).toString(), "before", "what is older too");
  t.equal(await faultOf(() => ofLap.heads.open(after)), "Corrupt");
  t.equal(lap.keys.secretIn(roll.current!), undefined, "its secret is not told to it");
  for (const { sealed } of roll.current!.added) {
    for (const key of [lap.keys.headKey, lap.keys.treeSecret, lap.keys.catalogKey]) {
      t.equal(await faultOf(() => new HeadKeys(key).open(sealed)), "Corrupt");
    }
  }
  t.match(ofPad.view(), { epoch: 1, isRenewed: false, removedAtMs: null });
  t.ok(ofPad.view().treeSecret, "chunks go by it too");
  t.type(ofLap.view().removedAtMs, "number", "it learns that it is out");
  t.equal(await faultOf(() => ofLap.refuseIfOut()), "Denied");

  const later = await rollOf(lap.peer, lap.keys);
  await later.hear(parseRoll(roll.current!.bytes));
  t.type(later.view().removedAtMs, "number", "as does who hears it late");
});

test("only the seed makes rolls, and none that is older, bent or another's counts", async (t) => {
  const books = new MemoryBooks();
  const roll = await deskRoll(books);
  const withLap = parseRoll(roll.current!.bytes);
  await roll.remove(lap.peer);
  const out = parseRoll(roll.current!.bytes);

  const ofPad = await rollOf(pad.peer, pad.keys);
  t.ok(await ofPad.hear(out));
  t.notOk(await ofPad.hear(withLap), "rolled back");
  const twin = drive.signRoll!({ ...out, removed: [] }, random);
  t.notOk(await ofPad.hear(twin), "of one number");
  t.ok(ofPad.isRemoved(lap.peer));
  const elsewhere = driveKeysOf(random.bytes(32));
  const other = elsewhere.signRoll!({ ...out, sequence: 99 }, random);
  t.notOk(await ofPad.hear(other), "of another drive");
  const bent = Buffer.from(out.bytes);
  bent[200]! ^= 1;
  t.equal(await faultOf(() => parseRoll(bent)), "Corrupt");

  const ofLap = await rollOf(lap.peer, lap.keys);
  await ofLap.hear(withLap);
  t.equal(await faultOf(ofLap.add({ peer: desk.peer, name: "thief" })), "Denied");
  t.equal(await faultOf(ofPad.remove(desk.peer)), "Denied", "nor does another without the words");
  const again = await rollOf(desk.peer, drive, books);
  t.ok(again.isRemoved(lap.peer), "after a new start");
  t.equal(again.view().epoch, 1);
});

test("two devices that shut out one each at the same time come to both", async (t) => {
  const one = await deskRoll();
  const other = await rollOf(peerKeysOf(random.bytes(32)).peer, drive);
  await other.hear(parseRoll(one.current!.bytes));
  await one.remove(lap.peer);
  await other.remove(pad.peer);
  const [first, second] = [one.current!, other.current!];
  t.equal(first.sequence, second.sequence);
  await one.hear(parseRoll(second.bytes));
  await other.hear(parseRoll(one.current!.bytes));
  for (const roll of [one, other]) {
    t.ok(roll.isRemoved(lap.peer) && roll.isRemoved(pad.peer));
    t.equal(roll.view().epoch, 2, "neither has the secret of this one");
  }
  for (const [roll, heard] of [[one, other], [other, one]] as const) {
    await roll.hear(parseRoll(heard.current!.bytes));
  }
  t.ok(Buffer.from(one.current!.bytes).equals(other.current!.bytes), "and to one roll");
});

test("an epoch's secret gives those before it, and none after", async (t) => {
  const secrets = [0, 1, 2, epochsMax].map((epoch) => epochSecretOf(seed, epoch));
  t.equal(new Set(secrets.map((one) => one.toString("hex"))).size, 4);
  t.ok(earlierSecret(secrets[2]!, { from: 2, to: 1 }).equals(secrets[1]!));
  t.ok(earlierSecret(secrets[3]!, { from: epochsMax, to: 0 }).equals(secrets[0]!));
  await t.rejects(async () => earlierSecret(secrets[0]!, { from: 0, to: 1 }), /epoch 1 from 0/);
});

test("a drive merges no head of a device that it shut out, and waits for it no more", async (t) => {
  const merged: string[] = [];
  const merger = {
    merge: async (root: Uint8Array) => void merged.push(Buffer.from(root).toString()),
    namesOf: async (peers: readonly PeerId[]) => peers.map(() => null),
  };
  const world = { ...makeWorld(3, "roll"), merger };
  const transfer = await openWorld(world);
  const { peer, name } = lap;
  await transfer.roll.add({ peer, name });
  transfer.hear(headOf(lap, 1).bytes);
  t.equal(await transfer.devices.step(never), "busy");
  t.ok(transfer.devices.areAny);
  // It waits for its turn when the device is shut out.
  transfer.hear(headOf(lap, 2).bytes);
  t.match(await transfer.removeDevice(peer, never), { hadWords: false });
  transfer.hear(headOf(lap, 3).bytes);
  t.equal(await transfer.devices.step(never), "idle");
  t.strictSame(merged, ["of lap"]);
  t.notOk(transfer.devices.areAny, "nothing is kept for its sake");

  world.source.commit("root", makeBlocks(random, { count: 3, bytesMax: 500 }));
  await transfer.flush(20_000);
  const { sealed } = parseHead(world.books.pairs.get("x/head") as Uint8Array);
  t.equal(await faultOf(() => new HeadKeys(lap.keys.headKey).open(sealed)), "Corrupt");
  t.equal((await transfer.published())?.root.toString(), "root");
  const found = await openWorld({ ...world, books: new MemoryBooks() });
  await found.roll.hear(transfer.roll.current!);
  t.equal((await found.recover())?.root.toString(), "root", "the words find it");
});

test("no manifest of a device that was shut out keeps the words from finding the drive", async (t) => {
  const world = makeWorld(3, "captured");
  const transfer = await openWorld(world);
  await transfer.roll.add(lap);
  world.source.commit("root", makeBlocks(random, { count: 3, bytesMax: 500 }));
  await transfer.flush(20_000);
  await transfer.removeDevice(lap.peer, never);
  const { network } = world;
  const members = new Set(network.members.keys());
  // The DHT cannot tell, nor can whoever has not asked a member yet: one of hers brings it as well.
  const names = ["one", "two", "three"].map((name) => peerKeysOf(sha256(Buffer.from(name))).peer);
  const { manifests = [] } = await transfer.published() ?? {};
  const forged = manifests.map(parseManifest).map((manifest) => signManifest(lap.keys, {
    ...manifest, epoch: 2 ** 40, peers: manifest.peers.map((_, at) => names[at] as PeerId),
  }));
  for (const manifest of forged) await network.publish(manifest);
  for (const member of network.members.values()) member.isUnheard = true;
  const accomplice = network.add("accomplice", (keys) => new HonestHost(keys));
  t.ok(network.peers().length === 1 && forged.length > 0 && !members.has(accomplice.keys.peer));
  accomplice.host.records = async () => ({
    head: undefined, others: [], manifests: forged.map(({ bytes }) => bytes),
  });
  const device: DeviceNetwork["device"] = async (peer) => {
    return members.has(peer) ? transfer.roll.current!.bytes as Buffer : Buffer.alloc(0);
  };
  const found = await openWorld({
    ...world, books: new MemoryBooks(), network: Object.assign(network, { device }),
  });
  t.equal((await found.recover())?.root.toString(), "root");
  t.strictSame([...found.members()].sort(), [...members].sort());
});

test("the device itself sends nothing any more, and says why", async (t) => {
  const base = makeWorld(3, "out");
  const peer = peerKeysOf(random.bytes(32));
  const keys = keysOf({ ...peer, peer: base.network.self }, "me");
  const transfer = await openWorld({ ...base, keys: { ...keys, sign: drive.sign } });
  const roll = await rollOf(desk.peer, drive);
  await roll.add({ peer: base.network.self, name: "me" });
  await roll.remove(base.network.self);
  base.source.commit("root", makeBlocks(random, { count: 3, bytesMax: 500 }));
  await transfer.roll.hear(roll.current!);
  t.equal(await faultOf(transfer.flush(1_000)), "Denied");
  t.equal(await transfer.uploader.step(never), "idle");
  t.match(transfer.status().waiting, { for: "traffic", why: /removed/ });
  t.equal(limits.devices.removedMax, epochsMax);
});
