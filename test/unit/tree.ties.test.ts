/** What a drive knows of other people, as its tree keeps it: in each root, no garbage, heard first. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import type { FsckProblem } from "../../src/base/damages.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { openRoot } from "../../src/dag/root.ts";
import { checkTree } from "../../src/tree/check/check.ts";
import { openTree } from "../../src/tree/tree.ts";
import { Devices } from "../support/merge-devices.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { writeIn } from "../support/walk.ts";

const random = seededRandom("tree.ties");
const treeSecret = Buffer.alloc(32, 5);
/** Two pieces. */
const many = random.bytes(limits.tree.chunkBytes + 1000);
const few = Buffer.from("few");

async function opened(store: MemoryStore) {
  const needs = { store, clock: systemClock, random, log: silentLog };
  return openTree(needs, { treeSecret });
}

function linksOf(store: MemoryStore) {
  return openRoot(treeKeys(treeSecret), store.root()!).ties;
}

test("the next root has them, a search for garbage leaves them, and the one after", async (t) => {
  const store = new MemoryStore();
  const tree = await opened(store);
  t.equal((await tree.ties.bytes()).length, 0);
  await tree.ties.keep(many);
  await tree.commit();
  t.equal(linksOf(store).length, 2);
  const { commits } = store;
  await tree.ties.keep(Buffer.from(many));
  await tree.commit();
  t.equal(store.commits, commits, "what is there already is no change");
  await tree.census(100);
  await tree.commit();
  const again = await opened(store);
  t.ok(Buffer.from(await again.ties.bytes()).equals(many), "and an open after a search");
  await again.ties.keep(few);
  await writeIn(again, "other", "a change besides");
  await again.close();
  const last = await opened(store);
  t.equal(Buffer.from(await last.ties.bytes()).toString(), "few");
  await last.close();
});

test("what another device's root has is heard before anything of it comes in", async (t) => {
  const devices = new Devices("tree.ties");
  const [desk, lap] = [await devices.add("desk"), await devices.add("lap")];
  await desk.tree.ties.keep(few);
  await writeIn(desk.tree, "note", "of desk");
  const root = await devices.publish(desk);
  const heard: string[] = [];
  const before = lap.tree.knownInos().length;
  lap.tree.ties.heard = async (bytes) => {
    heard.push(Buffer.from(bytes).toString());
    throw new Error("not now");
  };
  const merge = () => lap.tree.devices.merge(root, async () => undefined);
  await t.rejects(merge(), "while it cannot be heard");
  t.equal(lap.tree.knownInos().length, before, "nothing comes in");
  lap.tree.ties.heard = async (bytes) => lap.tree.ties.keep(bytes);
  t.equal(await merge(), true);
  t.strictSame(heard, ["few"]);
  await lap.tree.commit();
  lap.tree.ties.heard = async () => void t.fail("it is known");
  await merge();
});

test("a check tells of a piece that is lost, and the next root does without", async (t) => {
  const store = new MemoryStore();
  const tree = await opened(store);
  await tree.ties.keep(few);
  await tree.close();
  const problems: FsckProblem[] = [];
  const check = async () => {
    problems.length = 0;
    await checkTree({
      store, clock: systemClock, random, progress: () => undefined,
      report: (problem) => void problems.push(problem), whereIs: async () => "nowhere",
    }, { treeSecret, spoilt: [] });
  };
  await check();
  t.strictSame(problems, []);
  t.equal(linksOf(store).length, 1, "what is sound stays");
  const [link] = linksOf(store);
  store.discard(link!.cid);
  await store.commit(store.root()!, 0);
  await check();
  t.match(problems, [{ what: "sharing", loss: true }]);
  t.equal(linksOf(store).length, 0);
});
