/**
 * Folders that are moved while devices are apart, in a tree whose folders were found alike before
 * and are passed over: nothing passes for removed, or for staying, since one side was not looked at.
 */
import { test } from "tap";
import type { Ino } from "../../src/base/ids.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { pictureOf } from "../support/drive-user.ts";
import { type Device, Devices } from "../support/merge-devices.ts";
import { at, put } from "../support/shared-folder.ts";
import { nobody } from "../support/walk.ts";

/** As many as lie in pages of their own, which are passed over. */
const many = 300;

interface World {
  readonly devices: Devices;
  readonly desk: Device;
  readonly lap: Device;
  readonly above: Ino;
  readonly within: Ino;
}

/** Two devices that have /above/within, and many files in both. */
async function world(seed: string): Promise<World> {
  const devices = new Devices(seed);
  const desk = await devices.add("desk");
  const above = await folder(desk.tree, "above");
  for (let one = 0; one < many; one++) await put(desk.tree, `beside ${one}`, "x", above);
  const within = await folder(desk.tree, "within", above);
  for (let one = 0; one < many; one++) await put(desk.tree, `file ${one}`, "kept", within);
  const lap = await devices.add("lap");
  await lap.tree.lookup(at("above"));
  await lap.tree.lookup(at("within", above));
  return { devices, desk, lap, above, within };
}

async function folder(tree: Tree, name: string, parent?: Ino): Promise<Ino> {
  return (await tree.mkdir(nobody, at(name, parent), { mode: 0o755 })).ino;
}

async function tell(devices: Devices, from: Device, to: Device): Promise<void> {
  await devices.publish(from);
  await devices.hear(to, from);
}

async function filesIn(tree: Tree, path: string): Promise<number> {
  return Object.keys(await pictureOf(tree)).filter((one) => one.startsWith(`${path}/file`)).length;
}

test("a folder moved out of one that the other device has not changed since", async (t) => {
  const { devices, desk, lap, above } = await world("out");
  await put(lap.tree, "extra", "y", above);
  await tell(devices, lap, desk);
  await desk.tree.rename(nobody, at("within", above), at("within"), "replace");
  await put(lap.tree, "other", "z");
  await tell(devices, lap, desk);
  t.equal(await filesIn(desk.tree, "/within"), many);
  await devices.settle();
  t.equal(await filesIn(lap.tree, "/within"), many);
});

test("a folder moved into a new one, and told of where it was", async (t) => {
  const { devices, desk, lap, above, within } = await world("into");
  await put(lap.tree, "extra", "y", within);
  await tell(devices, lap, desk);
  const fresh = await folder(desk.tree, "fresh");
  await desk.tree.rename(nobody, at("within", above), at("within", fresh), "replace");
  await put(lap.tree, "other", "z");
  await tell(devices, lap, desk);
  t.equal(await filesIn(desk.tree, "/fresh/within"), many);
  await devices.settle();
  t.equal(await filesIn(lap.tree, "/fresh/within"), many);
});

test("a folder that both moved, one of them deeper", async (t) => {
  const { devices, desk, lap, above } = await world("both");
  const fresh = await folder(desk.tree, "fresh");
  await desk.tree.rename(nobody, at("within", above), at("within", fresh), "replace");
  const deep = await folder(lap.tree, "deeper", await folder(lap.tree, "deep"));
  await lap.tree.rename(nobody, at("within", above), at("within", deep), "replace");
  await tell(devices, lap, desk);
  await devices.settle();
  const found = await Promise.all(["/fresh/within", "/deep/deeper/within"].flatMap((path) => {
    return [desk, lap].map(({ tree }) => filesIn(tree, path));
  }));
  t.strictSame(found.toSorted((a, b) => a - b), [0, 0, many, many], "in one place, on both");
});

test("a removal that comes by another device, whose folder is as it was", async (t) => {
  const { devices, desk, lap, above } = await world("by way of");
  const pad = await devices.add("pad");
  await pad.tree.lookup(at("above"));
  const has = async (): Promise<boolean> => "/above/passes" in await pictureOf(desk.tree);
  await put(lap.tree, "stays", "y", above);
  for (const other of [desk, pad]) await tell(devices, lap, other);
  await put(pad.tree, "passes", "z", above);
  await tell(devices, pad, desk);
  t.ok(await has());
  await pad.tree.unlink(nobody, at("passes", above));
  await tell(devices, pad, lap);
  // It never had the file, and knows by now that it is gone.
  await put(lap.tree, "news", "n");
  await tell(devices, lap, desk);
  t.notOk(await has());
  await devices.settle();
});
