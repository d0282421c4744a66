/**
 * What is said of one folder on several devices: all come to say the same of it, and no policy that
 * one of them gave it, or that it went by, is lost in a merge.
 */
import { test } from "tap";
import type { Tree } from "../../src/tree/tree.ts";
import { Devices } from "../support/merge-devices.ts";
import { at, put } from "../support/shared-folder.ts";
import { nobody } from "../support/walk.ts";

async function modeOf(tree: Tree, name: string): Promise<number> {
  return (await tree.lookup(at(name))).mode & 0o777;
}

test("modes that a folder was given apart become one, whenever each put something into it", async (t) => {
  const devices = new Devices("modes");
  const desk = await devices.add("desk");
  const { ino } = await desk.tree.mkdir(nobody, at("d"), { mode: 0o755 });
  const [lap, pad] = [await devices.add("lap"), await devices.add("pad")];
  for (const { tree } of [lap, pad]) await tree.lookup(at("d"));
  await desk.tree.setattr(nobody, ino, { mode: 0o700 });
  await devices.publish(desk);
  await devices.hear(pad, desk);
  await put(lap.tree, "of lap", "x", ino);
  await devices.publish(lap);
  await devices.hear(pad, lap);
  await lap.tree.setattr(nobody, ino, { mode: 0o750 });
  // The folder's time on this device is later than any edit of it.
  await put(pad.tree, "of pad", "x", ino);
  await devices.settle();
  const modes = await Promise.all(devices.all.map(({ tree }) => modeOf(tree, "d")));
  t.equal(new Set(modes).size, 1, `${modes}`);
});
