/** A tree that is not to be written any more: what was stays, and whoever would change it is told. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { rootIno, parseName } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openTree } from "../../src/tree/tree.ts";
import { faultOf } from "../support/faults.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { nobody, readFile } from "../support/walk.ts";

const treeSecret = Buffer.alloc(32, 5);
const reading = { read: true, write: false, append: false, truncate: false };
const writing = { ...reading, write: true };
const at = (name: string) => ({ parent: rootIno, name: parseName(name) });

test("what was written is kept and committed, and nothing more is written", async (t) => {
  const store = new MemoryStore();
  const needs = { store, clock: systemClock, random: seededRandom("tree.bar"), log: silentLog };
  const tree = await openTree(needs, { treeSecret });
  const file = { mode: 0o644 };
  const { handle } = await tree.create(nobody, at("held"), file, { ...writing, exclusive: true });
  await tree.write(handle, 0, Buffer.from("held"));
  tree.endWriting("this device was removed");

  const { ino } = await tree.lookup(at("held"));
  const refused = {
    "a write to an open file": () => tree.write(handle, 4, Buffer.from("more")),
    "an open for writing": () => tree.open(nobody, ino, writing),
    "a new file": () => tree.create(nobody, at("new"), file, { ...writing, exclusive: true }),
    "an old one made anew": () => tree.create(nobody, at("held"), file, { ...writing, exclusive: false }),
    "a folder": () => tree.mkdir(nobody, at("folder"), { mode: 0o755 }),
    "a removal": () => tree.unlink(nobody, at("held")),
    "a rename": () => tree.rename(nobody, at("held"), at("other"), "replace"),
    "a change of mode": () => tree.setattr(nobody, ino, { mode: 0o600 }),
  };
  for (const [what, act] of Object.entries(refused)) {
    t.equal(await faultOf(act), "ReadOnly", what);
  }
  await tree.fsync(handle);
  await tree.release(handle);
  await tree.close();

  const again = await openTree(needs, { treeSecret });
  const found = await again.lookup(at("held"));
  t.equal((await readFile(again, found.ino)).toString(), "held");
  t.equal(await faultOf(() => again.lookup(at("new"))), "NotFound");
});
