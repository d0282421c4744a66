/** What a revocation does not reach: snapshots from before, which go if the user wants them to. */
import { test } from "tap";
import { Writer } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { type Ino, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { NodeDuties } from "../../src/base/node.ts";
import { seededRandom } from "../../src/base/random.ts";
import { sharingOf } from "../../src/drive/sharing.ts";
import { Withdrawals } from "../../src/sharing/given/withdrawals.ts";
import { SegmentBooks } from "../../src/transfer/books.ts";
import { openClearing } from "../../src/transfer/placed/clearing.ts";
import { openTree } from "../../src/tree/tree.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { at, put } from "../support/shared-folder.ts";
import { MemoryBooks } from "../support/transfer-world.ts";
import { nobody } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.withdrawals/${seed}`);

async function withdrawalsOver(books: MemoryBooks): Promise<Withdrawals> {
  const clearing = await openClearing({ books, segments: new SegmentBooks(books) });
  const withdrawals = new Withdrawals({ books, clock: systemClock, clearing });
  await withdrawals.open();
  return withdrawals;
}

test("snapshots that have something of a folder go, wherever it was, and no others", async (t) => {
  const tree = await openTree(
    { store: new MemoryStore(), clock: systemClock, random, log: silentLog },
    { treeSecret: Buffer.alloc(32, 5), keep: [] },
  );
  const names = async () => (await tree.past.list()).map(({ name }) => name);
  await put(tree, "diary", "before the folder");
  const without = await tree.past.create();
  const { ino } = await tree.mkdir(nobody, at("photos"), { mode: 0o755 });
  await put(tree, "one", "a picture", ino);
  await tree.past.create();
  await tree.mkdir(nobody, at("private"), { mode: 0o700 });
  const { ino: above } = await tree.lookup(at("private"));
  await tree.rename(nobody, at("photos"), at("pictures", above), "replace");
  await tree.past.create();
  const { era, renewed } = await tree.withdraw(ino);
  t.ok(era > 0);
  for (let turn = 0; turn < 50; turn++) {
    for (const step of [tree.renewer, tree.resealer]) await step.step(new AbortController().signal);
  }
  await renewed;
  const sealed = await tree.resealed();
  // A moment that is not before it is another one.
  while (systemClock.now() <= sealed.atMs) await systemClock.delay(1);
  await put(tree, "later", "written since", ino);
  const since = await tree.past.create();
  t.equal((await names()).length, 4);
  t.equal(await tree.past.removeWith(ino, sealed.atMs), 2);
  t.strictSame(await names(), [without, since]);
  t.equal(await tree.past.removeWith(ino, sealed.atMs), 0, "that is all of them");
  t.equal(await tree.past.removeWith(rootIno, sealed.atMs), 1, "the drive itself is in all");
  t.strictSame(await names(), [since]);
});

test("that snapshots are to go is remembered until they went", async (t) => {
  const books = new MemoryBooks();
  const first = await withdrawalsOver(books);
  const told = { path: "/photos", from: "Ben" };
  await first.begin({ era: 1, ...told, dropping: 7 as Ino });
  await first.begin({ era: 2, ...told, dropping: null });
  const again = await withdrawalsOver(books);
  t.match(again.list(null), [
    { era: 2, dropping: null, isDropped: false }, { era: 1, dropping: 7, isDropped: false },
  ]);
  await again.dropped(1);
  t.match((await withdrawalsOver(books)).list(null)[1], { dropping: 7, isDropped: true });
});

test("what an older version wrote down of a revocation is read as ever", async (t) => {
  const books = new MemoryBooks();
  const writer = new Writer(64).u8(1).varint(1e12).bytes(Buffer.from("Ben"));
  await books.put("w/3", writer.bytes(Buffer.from("/photos")).varint(0).varint(1e12 + 5).finish());
  t.match((await withdrawalsOver(books)).list(null), [
    { era: 3, path: "/photos", from: "Ben", dropping: null, isDropped: false },
  ]);
});

test("whoever is shut out of a folder, and reads one that holds it, is told of", async (t) => {
  const tree = await openTree(
    { store: new MemoryStore(), clock: systemClock, random, log: silentLog },
    { treeSecret: Buffer.alloc(32, 5) },
  );
  const { ino } = await tree.mkdir(nobody, at("work"), { mode: 0o755 });
  await tree.mkdir(nobody, at("deep", ino), { mode: 0o755 });
  const [ben, eve] = [{ name: "Ben" }, { name: "Eve" }];
  const given = [
    { path: "/", with: [ben], groups: [] }, { path: "/work", with: [eve], groups: [] },
    { path: "/wo", with: [ben], groups: [] }, { path: "/work/deep", with: [eve, ben], groups: [{ name: "team" }] },
  ];
  const sharing = { losses: async () => [], revoke: async () => undefined, list: async () => ({ given }) };
  const { revoke } = sharingOf(tree, { sharing } as unknown as NodeDuties);
  const stillBy = async (path: readonly string[], who: string) => {
    return (await revoke(path, who, { dropsSnapshots: false })).stillBy;
  };
  t.strictSame(await stillBy(["work"], "Ben"), ["/"]);
  t.strictSame(await stillBy(["work", "deep"], "Eve"), ["/work", "/work/deep"], "or by a group");
  t.strictSame(await stillBy(["work"], "team"), []);
});
