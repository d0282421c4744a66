/** Many names in one directory, and a daemon whose memory does not grow with them. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { type Log, silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { mountTree, run } from "./harness.ts";

const treeSecret = systemRandom.bytes(32);

function treeOver(store: MemoryStore): Promise<Tree> {
  const needs = { store, clock: systemClock, random: systemRandom, log: silentLog };
  return openTree(needs, { treeSecret });
}

test("20,000 names are made, listed, found, mounted again and removed", async (t) => {
  const store = new MemoryStore();
  const tree = await treeOver(store);
  {
    await using place = await mountTree(tree, "kernel");
    await place.client.run(({ fs, path }) => {
      fs.mkdirSync(path("many"));
      for (let i = 0; i < 20_000; i++) fs.closeSync(fs.openSync(path(`many/${i}`), "wx"));
    });
  }
  await tree.close();
  const again = await treeOver(store);
  await using place = await mountTree(again, "kernel");
  t.equal(await place.client.run(({ fs, path }) => {
    return [0, 9_999, 19_999].filter((i) => fs.statSync(path(`many/${i}`)).isFile()).length;
  }), 3);
  const listed = await run("sh", "-c", 'ls -f "$0/many" | sort -u | wc -l', place.directory);
  t.equal(Number(listed.out), 20_002);
  t.equal((await run("rm", "-r", `${place.directory}/many`)).code, 0);
  t.strictSame(await place.client.run(({ fs, directory }) => fs.readdirSync(directory)), []);
});

test("the kernel is asked to forget the oldest of too many files", async (t) => {
  const told: string[] = [];
  const log: Log = { ...silentLog, info: (event) => void told.push(event) };
  const tree = await treeOver(new MemoryStore());
  await using place = await mountTree(tree, "kernel", { log, filesKnownMax: 1000 });
  await place.client.run(({ fs, path }) => {
    fs.mkdirSync(path("open"));
    for (let i = 0; i < 50; i++) fs.writeSync(fs.openSync(path(`open/${i}`), "w"), `still ${i}`);
    for (let i = 0; i < 6000; i++) fs.writeFileSync(path(`file-${i}`), `number ${i}`);
  });
  await tree.commit();
  // Kernels before 6.18 know no such notice: there, only want of memory makes them forget.
  if (told.includes("mount.prunes-never")) return void t.comment("this kernel cannot be asked");
  t.ok(tree.knownInos().length < 3000, `${tree.knownInos().length} of 6052 are in memory`);
  t.equal(await place.client.run(({ fs, path }) => {
    const files = Array.from({ length: 6000 }, (_, i) =>
      fs.readFileSync(path(`file-${i}`), "utf8"));
    const open = Array.from({ length: 50 }, (_, i) =>
      fs.readFileSync(path(`open/${i}`), "utf8"));
    return files.every((text, i) => text === `number ${i}`) &&
      open.every((text, i) => text === `still ${i}`);
  }), true);
});

test("a walk over names alone leaves few files known once many are", async (t) => {
  const [folders, names] = [40, 100];
  const store = new MemoryStore();
  const tree = await treeOver(store);
  {
    await using place = await mountTree(tree, "kernel");
    await place.client.run(({ fs, path }) => {
      for (let i = 0; i < 4000; i++) {
        if (i % 100 === 0) fs.mkdirSync(path(`folder-${i / 100}`));
        fs.closeSync(fs.openSync(path(`folder-${Math.floor(i / 100)}/${i}`), "wx", 0o640));
      }
    });
  }
  await tree.close();
  const again = await treeOver(store);
  await using place = await mountTree(again, "kernel", { filesKnownMax: folders * names });
  const walked = await run("find", place.directory, "-name", "[0-9]*");
  t.equal(walked.out.trim().split("\n").length, folders * names);
  const known = again.knownInos().length;
  // A quarter of what may be known, one folder more, and sixteen of each of the others.
  t.ok(known < folders * names / 2, `${known} of ${folders * names} are known`);
  const looked = await run("find", place.directory, "-name", "[0-9]*", "-perm", "640");
  t.equal(looked.out.trim().split("\n").length, folders * names, "whoever looks finds all");
});
