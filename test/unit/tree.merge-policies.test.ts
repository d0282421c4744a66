/**
 * Policies where devices did something apart: none that a folder was given, or went by, is lost in
 * a merge, and all comes to lie as it says, though whoever began with that is gone.
 */
import { test } from "tap";
import { type Cid, type Ino, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Tree } from "../../src/tree/tree.ts";
import type { Device } from "../support/merge-devices.ts";
import { PatientDevices, reseal } from "../support/patient-devices.ts";
import { at, put } from "../support/shared-folder.ts";
import { nobody } from "../support/walk.ts";

const large = seededRandom("policies of devices").bytes(700_000);
const never = new AbortController().signal;
const { resealForsakenMs } = limits.tree;

async function folder(tree: Tree, name: string, parent?: Ino): Promise<Ino> {
  return (await tree.mkdir(nobody, at(name, parent), { mode: 0o755 })).ino;
}

async function govern(tree: Tree, ino: Ino, policy: string): Promise<void> {
  await tree.setxattr(nobody, ino, "user.hive.policy", Buffer.from(policy), "any");
  await reseal(tree);
}

async function cidsIn(tree: Tree, name: string): Promise<ReadonlySet<Cid>> {
  const cids = new Set<Cid>();
  for await (const cid of tree.cidsBelow(await tree.walk([name]))) cids.add(cid);
  return cids;
}

async function policyAt(device: Device, ...path: readonly string[]): Promise<string | undefined> {
  return (await device.tree.policyAt(path)).name;
}

test("a folder out of a circle keeps the policy that it went by", async (t) => {
  for (const [seed, isStrictFirst] of [["circle", true], ["circle the other way", false]] as const) {
    const world = new PatientDevices(seed);
    const { devices } = world;
    const desk = await world.add("desk");
    const strict = await folder(desk.tree, "strict");
    await govern(desk.tree, strict, "home");
    const x = await folder(desk.tree, "x", isStrictFirst ? strict : undefined);
    const y = await folder(desk.tree, "y", isStrictFirst ? undefined : strict);
    await put(desk.tree, "in x", large, x);
    await put(desk.tree, "in y", large.subarray(1), y);
    const lap = await world.add("lap");
    const above = (is: boolean) => (is ? strict : undefined);
    for (const [name, is] of [["x", isStrictFirst], ["y", !isStrictFirst]] as const) {
      await lap.tree.lookup(at(name, above(is)));
    }
    await desk.tree.rename(nobody, at("x", above(isStrictFirst)), at("x", y), "replace");
    await lap.tree.rename(nobody, at("y", above(!isStrictFirst)), at("y", x), "replace");
    await devices.settle();
    for (const device of devices.all) {
      t.equal(await policyAt(device, "x", "y"), "home", `${seed}: ${device.name}`);
    }
    await world.patience();
    t.strictSame(world.misplaced(), []);
  }
});

test("of two folders of one name that become one, the policy stays", async (t) => {
  const world = new PatientDevices("twins");
  const desk = await world.add("desk");
  const lap = await world.add("lap");
  await put(desk.tree, "of desk", large, await folder(desk.tree, "d"));
  // Its number is the larger one, and so the folder that is no more.
  const ino = await folder(lap.tree, "d");
  await put(lap.tree, "of lap", large.subarray(1), ino);
  await govern(lap.tree, ino, "home");
  await world.devices.settle();
  for (const device of world.devices.all) t.equal(await policyAt(device, "d"), "home");
  await world.patience();
  t.strictSame(world.misplaced(), []);
});

test("a policy outlives another edit of the folder", async (t) => {
  const world = new PatientDevices("edits");
  const desk = await world.add("desk");
  const ino = await folder(desk.tree, "d");
  const lap = await world.add("lap");
  await govern(desk.tree, ino, "home");
  await lap.tree.setattr(nobody, ino, { mode: 0o700 });
  await world.devices.settle();
  for (const device of world.devices.all) t.equal(await policyAt(device, "d"), "home");
});

test("what one device wrote into a folder that another gave a policy comes to lie by it", async (t) => {
  const world = new PatientDevices("meanwhile");
  const desk = await world.add("desk");
  const ino = await folder(desk.tree, "d");
  const lap = await world.add("lap");
  await govern(lap.tree, ino, "home");
  await put(desk.tree, "of desk", large, ino);
  await world.devices.settle();
  await world.patience();
  t.equal(desk.tree.resealing(), undefined);
  t.strictSame(world.misplaced(), []);
});

test("attributes that one device gave a folder follow where another moved it", async (t) => {
  const world = new PatientDevices("attributes");
  const desk = await world.add("desk");
  const home = await folder(desk.tree, "home");
  await govern(desk.tree, home, "home");
  const ino = await folder(desk.tree, "d");
  await put(desk.tree, "file", "short", ino);
  const lap = await world.add("lap");
  await desk.tree.rename(nobody, at("d"), at("d", home), "replace");
  await reseal(desk.tree);
  await lap.tree.setxattr(nobody, ino, "user.large", Buffer.alloc(3000, 7), "any");
  await world.devices.settle();
  await world.patience();
  for (const { tree } of world.devices.all) t.equal(tree.resealing(), undefined);
  t.strictSame(world.misplaced(), []);
});

test("what a device left undone another one does, when it was silent for long", async (t) => {
  const world = new PatientDevices("lost");
  const { devices } = world;
  const [desk, lap, pad] = [await world.add("desk"), await world.add("lap"), await world.add("pad")];
  const ino = await folder(pad.tree, "d");
  await put(pad.tree, "file", large, ino);
  await devices.settle();
  await pad.tree.setxattr(nobody, ino, "user.hive.policy", Buffer.from("home"), "any");
  await devices.publish(pad);
  for (const device of [desk, lap]) await devices.hear(device, pad);
  // It is never heard of again.
  devices.all.pop();
  for (const { tree } of devices.all) t.equal(await tree.resealer.step(never), "idle");
  t.equal(desk.tree.resealing()?.waitingFor, "another device");
  world.laterMs += resealForsakenMs;
  for (const { tree } of devices.all) await reseal(tree);
  t.equal(desk.tree.resealing(), undefined, "the first has done it");
  t.equal(lap.tree.resealing()?.waitingFor, "another device", "the next one waits for that");
  await devices.settle();
  t.strictSame(world.misplaced(), []);
  const before = lap.store.usage().dirtyBytes;
  world.laterMs += 2 * resealForsakenMs;
  await reseal(lap.tree);
  t.equal(lap.tree.resealing(), undefined);
  t.equal(lap.store.usage().dirtyBytes, before, "and has nothing to do");
});

test("devices that number policies apart have no block that lies under two of them", async (t) => {
  const world = new PatientDevices("numbers");
  const { devices } = world;
  const [desk, lap] = [await world.add("desk"), await world.add("lap")];
  for (const [{ name, tree }, policies] of [
    [desk, ["home", "europe"]], [lap, ["europe", "home"]],
  ] as const) {
    for (const policy of policies) {
      const ino = await folder(tree, `${policy} of ${name}`);
      await govern(tree, ino, policy);
      const file = await put(tree, "file", large, ino);
      await tree.setxattr(nobody, file, "user.large", large.subarray(0, 9_000), "any");
    }
  }
  await devices.settle();
  t.strictSame(world.misplaced(), []);
  for (const device of devices.all) {
    await devices.restart(device, { crash: true });
    const { tree } = device;
    await put(tree, "again", large, await tree.walk(["home of lap"]));
    await tree.commit();
    const home = await cidsIn(tree, "home of desk");
    const europe = await cidsIn(tree, "europe of lap");
    t.strictSame([...home].filter((cid) => europe.has(cid)), []);
    t.equal(home.size, 3);
    t.strictSame(await cidsIn(tree, "home of lap"), home, "under one policy they are the same");
    t.strictSame(await cidsIn(tree, "europe of desk"), europe);
  }
});

test("a file that was to be sealed anew, and is gone by then, keeps no news away", async (t) => {
  const world = new PatientDevices("gone");
  const desk = await world.add("desk");
  const ino = await folder(desk.tree, "d");
  await govern(desk.tree, ino, "home");
  const lap = await world.add("lap");
  // As much as one step seals: the tree has it that the walk goes on.
  const file = await put(lap.tree, "file", Buffer.alloc(limits.tree.resealedBytesPerStep, "file"));
  await lap.tree.commit();
  await lap.tree.link(nobody, file, at("file", ino));
  for (const parent of [rootIno, ino]) await lap.tree.unlink(nobody, at("file", parent));
  await world.devices.publish(lap);
  await lap.tree.resealer.step(never);
  await put(desk.tree, "news", "of desk");
  await world.devices.publish(desk);
  t.ok(await world.devices.hear(lap, desk));
});

test("a file with one name left goes by the folder that another device moved it to", async (t) => {
  const world = new PatientDevices("one name left");
  const desk = await world.add("desk");
  const ino = await folder(desk.tree, "d");
  await govern(desk.tree, ino, "home");
  const file = await put(desk.tree, "file", large);
  await desk.tree.link(nobody, file, at("twin"));
  // There it stays in the table of files with several names.
  await world.add("lap");
  await desk.tree.unlink(nobody, at("twin"));
  await desk.tree.rename(nobody, at("file"), at("file", ino), "replace");
  await reseal(desk.tree);
  await world.devices.settle();
  await world.patience();
  for (const { tree } of world.devices.all) t.equal(tree.resealing(), undefined);
  t.strictSame(world.misplaced(), []);
});
