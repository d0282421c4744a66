/** Several writers at once, commits without a pause, a store that answers late: no byte astray. */
import { setImmediate } from "node:timers/promises";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { assert } from "../../src/base/errors.ts";
import type { Handle } from "../../src/base/ids.ts";
import { parseName, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { nobody, readFile } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/tree.stress.test.ts`;
const treeSecret = Buffer.alloc(32, 3);
const flags = { read: true, write: true, append: false, truncate: false, exclusive: false };
const place = (name: string) => ({ parent: rootIno, name: parseName(name) });

async function openOn(store: MemoryStore): Promise<Tree> {
  const random = seededRandom(`stress ${seed}`);
  return await openTree({ store, clock: systemClock, random, log: silentLog }, { treeSecret });
}

/** One program: it makes, writes, cuts, reads and removes its own few files. */
async function writer(tree: Tree, random: Random, own: string, files: Map<string, Buffer>) {
  for (let round = 0; round < 25; round++) {
    const name = `${own}-${random.below(4)}`;
    const { handle, attributes } = await tree.create(nobody, place(name), { mode: 0o644 }, flags);
    for (let step = 0; step < 5; step++) {
      files.set(name, await writeSome(tree, random, handle, files.get(name) ?? Buffer.alloc(0)));
      const dice = random.below(6);
      if (dice === 0) await tree.fsync(handle);
      if (dice === 1) {
        const sizeBytes = random.below(600_000);
        await tree.setattr(nobody, attributes.ino, { sizeBytes });
        files.set(name, resized(files.get(name) as Buffer, sizeBytes));
      }
      const bytes = await readFile(tree, attributes.ino);
      assert(bytes.equals(files.get(name) as Buffer), `${name} in round ${round}, ${replay}`);
    }
    await tree.release(handle);
    if (random.below(4) > 0) continue;
    await tree.unlink(nobody, place(name));
    files.delete(name);
  }
}

async function writeSome(tree: Tree, random: Random, handle: Handle, before: Buffer) {
  const offset = random.below(700_000);
  const bytes = Buffer.alloc(1 + random.below(400_000), random.below(256));
  await tree.write(handle, offset, bytes);
  const after = resized(before, Math.max(before.length, offset + bytes.length));
  bytes.copy(after, offset);
  return after;
}

function resized(bytes: Buffer, sizeBytes: number): Buffer {
  const next = Buffer.alloc(sizeBytes);
  bytes.copy(next);
  return next;
}

test("six writers and a committer that never rests", async (t) => {
  const store = new MemoryStore({ late: seededRandom(`late ${seed}`) });
  const tree = await openOn(store);
  const files = new Map<string, Buffer>();
  let writing = true;
  const committing = (async () => {
    let commits = 0;
    for (; writing; commits++) {
      await tree.commit();
      // A commit with nothing to do ends at once, and the writers need their turn.
      await setImmediate();
    }
    return commits;
  })();
  const own = ["a", "b", "c", "d", "e", "f"];
  const work = own.map((name) => writer(tree, seededRandom(`${seed} ${name}`), name, files));
  await Promise.all(work).finally(() => (writing = false));
  t.ok((await committing) > 3, "commits in the middle of it");
  await tree.close();
  const again = await openOn(store.crash());
  t.equal((await again.statfs()).files, files.size + 1);
  for (const [name, bytes] of files) {
    const { ino } = await again.lookup(place(name));
    if (!(await readFile(again, ino)).equals(bytes)) t.fail(`${name} after a remount, ${replay}`);
  }
});
