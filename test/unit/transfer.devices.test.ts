/** Whom garbage waits for: other devices' heads, until they are old, or their user says: gone. */
import { test } from "tap";
import { transferKeys } from "../../src/base/book-keys.ts";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { type PeerId, parsePeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Head } from "../../src/base/records.ts";
import { sealRecord } from "../../src/crypt/ciphers/aead.ts";
import { parseHead, signHead } from "../../src/crypt/records/records.ts";
import type { DeviceRow } from "../../src/base/views/peers.ts";
import { chosenDevice, deviceRows, namedDevice } from "../../src/node/devices.ts";
import type { SegmentState } from "../../src/transfer/books.ts";
import { encodePayload } from "../../src/transfer/catalog/catalog-page.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import type { HonestHost } from "../support/honest-host.ts";
import { loopbackKeys } from "../support/loopback-network.ts";
import { MemoryBooks, MemorySource, ShiftedClock, type World, makeBlocks, makeWorld, missing,
  openWorld } from "../support/transfer-world.ts";

const timeoutMs = 5_000;
const signal = new AbortController().signal;
const [lap, pad] = [loopbackKeys("lap").peer, loopbackKeys("pad").peer];
const names: Readonly<Record<string, string>> = { [lap]: "lap" };
const random = seededRandom("devices");

/** A drive whose tree takes any root. */
function makeDrive(seed: string) {
  const clock = new ShiftedClock();
  const merged: string[] = [];
  const merger = {
    merge: async (root: Uint8Array) => void merged.push(Buffer.from(root).toString()),
    news: async () => undefined,
    listened: async () => undefined,
    namesOf: async (peers: readonly PeerId[]) => peers.map((peer) => names[peer] ?? null),
  };
  const world = { ...makeWorld(3, seed), merger };
  return { world, clock, merged, open: () => openWorld(world, { clock }) };
}

function headOf({ keys }: World, sequence: number, publishedAtMs: number, peer = lap): Head {
  const payload = encodePayload({
    root: Buffer.from(`${names[peer] ?? "pad"} ${sequence}`), manifests: [], newest: [], runs: [],
  });
  const sealed = sealRecord(keys.headKey, payload, random);
  return signHead(keys, { peer, sequence, publishedAtMs, sealed });
}

async function isRefused(transfer: Transfer): Promise<boolean> {
  return await transfer.reclaim(timeoutMs).then(() => false, ({ kind }) => kind === "Unsupported");
}

test("a forgotten device holds nothing back, until it publishes again", async (t) => {
  const { world, clock, merged, open } = makeDrive("forget");
  let transfer = await open();
  t.notOk(await isRefused(transfer), "alone");
  transfer.hear(headOf(world, 7, clock.now()).bytes);
  t.ok(await isRefused(transfer), "one was heard of");
  t.strictSame(transfer.devices.list().map(({ isMerged }) => isMerged), [false]);
  t.equal(await transfer.devices.step(signal), "busy");
  t.strictSame(merged, ["lap 7"]);
  t.ok(await isRefused(transfer), "one was merged");

  await transfer.devices.forget(lap);
  t.notOk(await isRefused(transfer), "forgotten");
  transfer = await open();
  transfer.hear(headOf(world, 7, clock.now()).bytes);
  t.notOk(await isRefused(transfer), "the same head after a restart");
  const [known] = transfer.devices.list();
  t.match(known, { peer: lap, isMerged: true, isForgotten: true, holdsBack: false });

  transfer.hear(headOf(world, 8, clock.now()).bytes);
  t.ok(await isRefused(transfer), "a newer head");
  t.equal(await transfer.devices.step(signal), "busy");
  t.strictSame(merged, ["lap 7", "lap 8"], "is merged as any");
  t.match(transfer.devices.list(), [{ isMerged: true, isForgotten: false, holdsBack: true }]);
});

test("a device that was let in holds things back before it has published anything", async (t) => {
  const { world, clock, open } = makeDrive("silent");
  const transfer = await open();
  world.source.commit("root", makeBlocks(random, { count: 3, bytesMax: 400 }));
  await transfer.flush(timeoutMs);
  t.notOk(await isRefused(transfer), "alone");
  await transfer.roll.add({ peer: lap, name: "lap" });
  t.ok(await isRefused(transfer), "it goes on from the head that it is given");
  await transfer.devices.forget(lap);
  t.notOk(await isRefused(transfer), "its user says that it is gone");
  transfer.hear(headOf(world, 1, clock.now()).bytes);
  t.ok(await isRefused(transfer), "it is not");

  await transfer.roll.add({ peer: pad, name: "pad" });
  t.strictSame(transfer.devices.silent, [pad]);
  clock.shiftMs = limits.devices.goneMs + 60_000;
  t.strictSame(transfer.devices.silent, [pad], "nobody was asked");
  await transfer.devices.step(signal);
  t.strictSame(transfer.devices.silent, [], "nothing for 90 days");
  await t.rejects(transfer.devices.forget(pad), /NotFound/);
});

test("a head that waits for its blocks is forgotten with what was merged", async (t) => {
  const { world, clock, open } = makeDrive("waiting");
  const transfer = await open();
  transfer.hear(headOf(world, 1, clock.now()).bytes);
  await transfer.devices.step(signal);
  transfer.hear(headOf(world, 2, clock.now()).bytes);
  await transfer.devices.forget(lap);
  t.match(transfer.devices.list(), [{ isMerged: false, isForgotten: true, holdsBack: false }]);
  t.notOk(transfer.devices.areAny);
});

test("a head that never comes in keeps no other device's waiting", async (t) => {
  const { world, clock, merged } = makeDrive("hopeless");
  const merge = async (root: Uint8Array): Promise<void> => {
    if (Buffer.from(root).toString() === "lap 1") throw new HiveError("Corrupt", "test", "lap");
    await world.merger.merge(root);
  };
  const passing = Object.assign(clock, {
    monotonicMs: () => systemClock.monotonicMs() + clock.shiftMs,
  });
  const picky = { ...world, merger: { ...world.merger, merge } };
  const transfer = await openWorld(picky, { clock: passing });
  for (const peer of [lap, pad]) transfer.hear(headOf(world, 1, clock.now(), peer).bytes);
  for (let turn = 0; turn < 2; turn++) {
    await transfer.devices.step(signal);
    clock.shiftMs += limits.devices.retryMs;
  }
  t.strictSame(merged, ["pad 1"]);
});

test("a device without news for long holds nothing back", async (t) => {
  const { world, clock, open } = makeDrive("old");
  const transfer = await open();
  world.source.commit("root", makeBlocks(random, { count: 3, bytesMax: 400 }));
  await transfer.flush(timeoutMs);
  transfer.hear(headOf(world, 1, clock.now()).bytes);
  clock.shiftMs = limits.devices.goneMs + 60_000;
  t.match(transfer.devices.list(), [{ isForgotten: false, holdsBack: true }]);
  t.ok(transfer.devices.areAny, "this machine may have been off, and nobody was asked");
  await transfer.devices.step(signal);
  t.match(transfer.devices.list(), [{ isForgotten: false, holdsBack: false }]);
  t.notOk(transfer.devices.areAny);
});

test("where two devices tell other places of a block, the later one is right on both", async (t) => {
  const { world, clock, open } = makeDrive("places");
  const transfer = await open();
  const [block, more] = makeBlocks(random, { count: 2, bytesMax: 4000 }) as [Uint8Array, Uint8Array];
  world.source.commit("root", [block]);
  await transfer.flush(timeoutMs);
  const [before] = transfer.health.segments() as [SegmentState];
  clock.shiftMs = 1000;
  const others = { books: new MemoryBooks(), source: new MemorySource() };
  const other = await openWorld({ ...world, ...others }, { clock });
  others.source.commit("root", [more, block]);
  await other.flush(timeoutMs);
  const { sealed } = parseHead(others.books.pairs.get(transferKeys.ownHead) as Uint8Array);
  const told = { peer: lap, sequence: 1, publishedAtMs: clock.now(), sealed };
  transfer.hear(signHead(world.keys, told).bytes);
  t.equal(await transfer.devices.step(signal), "busy");
  // It packed its segments anew and gave back the old ones, while this device was off for long.
  const { roots } = await transfer.health.record(before.segment, signal);
  for (const { host } of world.network.members.values()) {
    for (const root of roots) (host as HonestHost).shards.delete(root);
  }
  t.strictSame(await missing(transfer, [block]), []);
});

test("who is not known cannot be forgotten", async (t) => {
  const transfer = await makeDrive("nobody").open();
  await t.rejects(transfer.devices.forget(lap), /NotFound/);
});

test("rows tell of this device first, and of the others what their heads say", async (t) => {
  const { world, open } = makeDrive("rows");
  const transfer = await open();
  transfer.hear(headOf(world, 1, 1_700_000_000_000).bytes);
  const self = { known: world.network.peers(), self: world.network.self, name: "desk" };
  t.match(await deviceRows(transfer, self), [
    { peer: world.network.self, name: "desk", isThis: true, lastHeadAt: null },
    { peer: lap, name: "lap", isThis: false, online: false, isMerged: false,
      lastHeadAt: "2023-11-14T22:13:20.000Z" },
  ]);
});

test("a device is chosen by a beginning that is long enough, and no other's", (t) => {
  const [one, other] = ["12D3KooWAAAA1111", "12D3KooWAAAA2222"]
    .map((start) => parsePeerId(start.padEnd(52, "x"))) as [PeerId, PeerId];
  t.equal(chosenDevice([one, other], one), one);
  t.equal(chosenDevice([one, other], "12D3KooWAAAA2"), other);
  t.throws(() => chosenDevice([one, other], "12D3KooWAAAA"), /Invalid/);
  t.throws(() => chosenDevice([one], "12D3KooW"), /Invalid/, "all ids begin so");
  t.throws(() => chosenDevice([one], "12D3KooWBBBB"), /NotFound/);
  t.end();
});

test("a device that is to be shut out is named by its name, unless several have it", (t) => {
  const rowOf = (peer: string, name: string, isThis: boolean): DeviceRow => ({
    peer, name, isThis, online: true, lastHeadAt: null, isMerged: true, isForgotten: false,
    holdsBack: false, standing: "words",
  });
  const [here, there, other] = ["here", "there", "other"].map((seed) => loopbackKeys(seed).peer);
  const rows = [rowOf(here!, "desk", true), rowOf(there!, "lap", false), rowOf(other!, "desk", false)];
  t.equal(namedDevice(rows, "lap"), rows[1]);
  t.equal(namedDevice(rows, other!), rows[2]);
  t.throws(() => namedDevice(rows, "desk"), /device.which: several .* desk: name one by its id: Invalid/);
  t.throws(() => namedDevice(rows, here!), /that is this device/);
  t.end();
});
