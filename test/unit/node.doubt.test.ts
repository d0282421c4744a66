/** Books of what peers have that a node, or `hive fsck --repair`, had to mend are marked in that very opening. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Test, test } from "tap";
import type { FsckProblem } from "../../src/base/damages.ts";
import { HiveError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { openKeyValue } from "../../src/cache/cache.ts";
import { openBooks } from "../../src/check/books.ts";
import type { NodeConfig } from "../../src/node/config.ts";
import { openHouse } from "../../src/node/house.ts";
import { reclaimedInAll, unlessDoubted } from "../../src/node/sums.ts";
import { Doubt, doubtBooks } from "../../src/transfer/doubt.ts";
import { MemoryBooks } from "../support/transfer-world.ts";

const writers = ["o/1AnnsRight/t/", "o/1BobsRight/t/"];

/** The newest writes of these books are gone with LevelDB's log. */
async function damaged(t: Test, name: string, prefixes: readonly string[]) {
  const directory = await mkdtemp(join(tmpdir(), "hive-doubt-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const place = join(directory, "books", name);
  for (const key of ["s/1", "s/2"]) {
    await using books = await openKeyValue(place);
    for (const prefix of prefixes) await books.put(prefix + key, Buffer.from("a segment"));
  }
  for (const file of await readdir(place)) if (file.endsWith(".log")) await rm(join(place, file));
  return { directory, place };
}

async function marked(place: string): Promise<readonly string[]> {
  await using books = await openKeyValue(place);
  const found: string[] = [];
  for await (const [key] of books.list("")) if (key.endsWith("x/doubt")) found.push(key);
  return found;
}

for (const { name, prefixes } of [
  { name: "transfer", prefixes: [""] }, { name: "sharing", prefixes: writers },
]) {
  const expected = prefixes.map((prefix) => `${prefix}x/doubt`);

  test(`a node marks its books of ${name}, for good`, async (t) => {
    const { directory, place } = await damaged(t, name, prefixes);
    // Whoever mended them died before he could mark them.
    await (await openKeyValue(place))[Symbol.asyncDispose]();
    const config = { directory, peerSeed: Buffer.alloc(32, 7), quotaBytes: 2 ** 20 } as unknown as NodeConfig;
    for (const _start of ["the first", "and again"]) {
      await using parts = new AsyncDisposableStack();
      const house = await openHouse({ log: silentLog }, config, parts);
      await house.openBooks(name);
    }
    t.strictSame(await marked(place), expected);
  });

  test(`books of ${name} that stay in doubt are told by each check, and begun anew by one that gives up`, async (t) => {
    const { place } = await damaged(t, name, prefixes);
    const problems: FsckProblem[] = [];
    const [prefix] = prefixes;
    const look = async (giveUp: boolean): Promise<void> => {
      const report = (problem: FsckProblem) => void problems.push(problem);
      await using books = await openBooks(place, { report, prefix, repair: true, giveUp });
      t.equal(books.mayLack, true, "what they do not tell of is not lost");
      await books.end();
    };
    for (const giveUp of [false, true, false, true]) await look(giveUp);
    t.strictSame(problems.map(({ mended }) => mended), [true, true, false, true]);
    await using books = await openKeyValue(place);
    t.same(await books.get(`${prefix}x/doubt`), Buffer.of(1));
    t.equal(await books.get(`${prefix}s/1`), undefined);
  });

  test(`a check that mends books of ${name} marks them`, async (t) => {
    const { place } = await damaged(t, name, prefixes);
    const asked = { report: () => undefined, prefix: prefixes[0], giveUp: false };
    await (await openBooks(place, { ...asked, repair: true }))[Symbol.asyncDispose]();
    t.strictSame(await marked(place), expected);
  });
}

test("a folder of somebody else's whose books are in doubt keeps nothing else from being given back", async (t) => {
  const found = { blocks: 1, segments: 2, bytes: 3 };
  t.same(await unlessDoubted(Promise.resolve(found)), found);
  const books = new MemoryBooks();
  await doubtBooks(books, "drive");
  const doubted = new Doubt(books);
  await doubted.open();
  const refused = unlessDoubted((async () => (doubted.refuse(), found))());
  t.same(reclaimedInAll([found, await refused]), { ...found, doubted: 1 });
  const other = new HiveError("Unavailable", "transfer.publish", "x");
  await t.rejects(unlessDoubted(Promise.reject(other)), other);
});
