/**
 * What devices tell each other straight is hostile until it was checked: who may tell, how much,
 * and what becomes of wrong bytes. Whatever is refused comes with the head, by way of the peers.
 */
import { test } from "tap";
import type { DeviceHost } from "../../src/base/devices.ts";
import { HiveError } from "../../src/base/errors.ts";
import { type PeerId, cidBytes, cidOf, parseOwnerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Requester } from "../../src/base/network.ts";
import { Hearing } from "../../src/transfer/devices/hearing.ts";
import { DeviceLender } from "../../src/transfer/devices/lender.ts";
import { Telling } from "../../src/transfer/devices/telling.ts";
import { refused } from "../contract/host.ts";
import { DeviceTown, aMoment, attend, publish } from "../support/device-town.ts";
import { pictureOf } from "../support/drive-user.ts";
import { HonestHost } from "../support/honest-host.ts";
import { loopbackKeys } from "../support/loopback-network.ts";
import { MemorySource, makeWorld } from "../support/transfer-world.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { writeIn } from "../support/walk.ts";

const signal = new AbortController().signal;
const block = Buffer.from("a block");
const lap = loopbackKeys("lap").peer;

/** A device that hears, whose tree takes what it is given but for roots of this text. */
function listener() {
  const clock = new VirtualClock();
  const { keys } = makeWorld(0, "direct");
  const source = new MemorySource();
  source.commit("root", [block]);
  const merged: string[] = [];
  const merger = {
    async merge(root: Uint8Array) {
      const text = Buffer.from(root).toString();
      if (text.startsWith("wrong")) throw new HiveError("Corrupt", "test.merge", text);
      if (text.startsWith("early")) throw new HiveError("NotFound", "test.merge", text);
      merged.push(text);
    },
    news: async () => ({ root: Buffer.from("mine"), count: merged.length }),
    listened: async () => undefined,
    namesOf: async () => [],
  };
  const state = { isFree: true, tries: 0, removed: undefined as PeerId | undefined };
  const lender = new DeviceLender({
    network: {}, clock, source, find: async () => undefined, fetch: async () => block,
  });
  const isFreeLine = () => state.isFree;
  const shared = { clock, log: silentLog, merger, isFreeLine };
  const isRemoved = (peer: PeerId) => peer === state.removed;
  const hearing = new Hearing({ ...shared, owner: keys.owner, lender, isRemoved });
  const from = (peer: PeerId): Requester => ({ peer, owners: [keys.owner] });
  return { clock, merged, state, hearing, from, shared };
}

test("only devices of the drive are heard, and lent anything", async (t) => {
  const { hearing, from, merged, state } = listener();
  const stranger: Requester = { peer: lap, owners: [parseOwnerId("ab".repeat(32))] };
  for (const one of [stranger, { peer: lap, owners: [] }]) {
    await refused(t, "a root", hearing.device(one, "root", Buffer.from("r")), "Denied");
    await refused(t, "a block", hearing.device(one, "block", cidBytes(cidOf(block))), "Denied");
  }
  t.equal(await hearing.step(signal), "idle");
  t.strictSame(hearing.peers(), []);
  const lent = await hearing.device(from(lap), "block", cidBytes(cidOf(block)));
  t.ok(Buffer.from(lent).equals(block));
  const other = cidBytes(cidOf(Buffer.from("another")));
  await refused(t, "what is not here", hearing.device(from(lap), "block", other), "NotFound");
  await refused(t, "no CID", hearing.device(from(lap), "block", block), "Corrupt");
  state.isFree = false;
  await refused(t, "limited", hearing.device(from(lap), "root", Buffer.from("r")), "Busy");
  t.strictSame(merged, []);
});

test("of each device the newest root alone waits, and few devices can", async (t) => {
  const { hearing, from, merged } = listener();
  const large = Buffer.alloc(limits.dag.rootBytesMax + 1);
  await refused(t, "large", hearing.device(from(lap), "root", large), "TooLarge");
  for (const text of ["one", "two", "three"]) {
    await hearing.device(from(lap), "root", Buffer.from(text));
  }
  t.equal(await hearing.step(signal), "busy");
  t.strictSame(merged, ["three"]);
  await hearing.device(from(lap), "root", Buffer.from("three"));
  t.equal(await hearing.step(signal), "idle", "it is merged already");
  for (let number = 1; number < limits.devices.countMax; number++) {
    await hearing.device(from(loopbackKeys(`${number}`).peer), "root", Buffer.from("r"));
  }
  const more = loopbackKeys("one more").peer;
  await refused(t, "too many", hearing.device(from(more), "root", Buffer.from("r")), "Busy");
});

test("a wrong root is dropped, and one that is early is tried for a while", async (t) => {
  const { hearing, from, merged, clock } = listener();
  await hearing.device(from(lap), "root", Buffer.from("wrong"));
  t.equal(await hearing.step(signal), "busy");
  t.equal(await hearing.step(signal), "idle");
  await hearing.device(from(lap), "root", Buffer.from("early"));
  let tries = 0;
  for (let second = 0; second < 120; second++) {
    if (await hearing.step(signal) === "busy") tries++;
    await clock.pass(1_000);
  }
  t.equal(tries, limits.devices.newsTriesMax);
  await hearing.device(from(lap), "root", Buffer.from("right"));
  await hearing.step(signal);
  t.strictSame(merged, ["right"]);
});

test("what waits of a device is not merged once that was shut out", async (t) => {
  const { hearing, from, merged, state, clock } = listener();
  await hearing.device(from(lap), "root", Buffer.from("early"));
  await hearing.step(signal);
  await hearing.device(from(lap), "root", Buffer.from("of lap"));
  await hearing.device(from(loopbackKeys("pad").peer), "root", Buffer.from("of pad"));
  state.removed = lap;
  for (let second = 0; second < 20; second++) {
    await hearing.step(signal);
    await clock.pass(1_000);
  }
  t.strictSame(merged, ["of pad"]);
});

test("a device that takes nothing is told ever more seldom", async (t) => {
  const { shared, clock } = listener();
  let calls = 0;
  const world = makeWorld(0, "deaf");
  world.network.add("lap", (keys) => new HonestHost(keys));
  const network = Object.assign(world.network, {
    device: async () => {
      calls++;
      throw new HiveError("Unavailable", "test.device", "deaf");
    },
  });
  const telling = new Telling({ ...shared, network, devices: () => [lap] });
  for (let second = 0; second < 3600; second++) {
    await telling.step(signal);
    await clock.pass(1_000);
  }
  t.ok(calls > 5 && calls < 30, `${calls} calls in an hour`);
});

test("wrong blocks are never linked, and the head brings the right ones", async (t) => {
  await using town = await DeviceTown.begin("wrong blocks", { haste: 1 });
  const desk = await town.add("desk");
  await writeIn(desk.tree, "first", "first");
  await publish(desk);
  const other = await town.add("lap");
  for (const device of [other, other, desk]) {
    await attend(device);
    await aMoment();
  }
  const member = town.network.members.get(desk.keys.peer)!;
  const honest = member.host.device as DeviceHost["device"];
  let lies = 0;
  town.network.members.set(desk.keys.peer, { ...member, host: { ...member.host,
    async device(...asked) {
      const bytes = Buffer.from(await honest(...asked));
      if (asked[1] === "block") bytes[lies++ % bytes.length]! ^= 1;
      return bytes;
    },
  } });
  const before = await pictureOf(other.tree);
  await writeIn(desk.tree, "second", "second\n".repeat(1000));
  await desk.tree.commit();
  await attend(desk);
  await aMoment();
  await attend(other);
  t.ok(lies > 0);
  t.strictSame(await pictureOf(other.tree), before);
  await publish(desk);
  await attend(other);
  t.strictSame(await pictureOf(other.tree), await pictureOf(desk.tree));
});
