/** Books on a disk that lies: each value is what was put, or its loss is told; old books stay readable. */
import { cp, mkdtemp, open, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Test, test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type OpenKeyValue, openKeyValue } from "../../src/cache/cache.ts";
import { openLevel } from "../../src/cache/index/level.ts";
import { withCheck } from "../../src/cache/index/records.ts";
import { attempt } from "../contract/store.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const volume = new URL("../volumes/books-1", import.meta.url).pathname;
/** What the volume holds, but for an empty value. */
const pairs = numbered(40, 0);
/** Enough for several blocks of a table. */
const many = numbered(200, 150);

for (const interrupted of [false, true]) {
  const when = interrupted ? ", though a crash came between" : "";
  test(`books whose values had no checks open with all of them, and get checks${when}`, async (t) => {
    const directory = await directoryFor(t);
    await cp(volume, directory, { recursive: true });
    if (interrupted) await checkSome(directory);
    for (const _time of ["the first", "and again"]) {
      await using books = await openKeyValue(directory);
      t.equal(books.mending, "none");
      t.strictSame(await all(books), new Map([...pairs, ["x/empty", ""]]));
    }
  });
}

test("a value that is flipped while books are open is Corrupt, and the next start tells of it", async (t) => {
  const directory = await directoryFor(t);
  await fill(directory);
  {
    await using books = await openKeyValue(directory);
    await flipValue(directory, "value 77");
    t.ok(isFault(await attempt(() => books.get("c/0077")), "Corrupt"));
    t.ok(isFault(await attempt(() => all(books)), "Corrupt"));
    t.equal(String(await books.get("c/0078")), many.get("c/0078"), "its neighbours are whole");
  }
  for (const mending of ["repaired", "none"] as const) {
    await using books = await openKeyValue(directory);
    t.equal(books.mending, mending);
    await books.mended();
    const found = await all(books);
    for (const [key, value] of found) t.equal(value, many.get(key));
    t.notOk(found.has("c/0077"));
    t.ok(found.size > 100, `${found.size}: what lies in other blocks stays`);
  }
});

test("a damaged value that was given a right sum goes alone, once somebody has read it", async (t) => {
  const directory = await directoryFor(t);
  await fill(directory);
  await putUnchecked(directory, "c/0077");
  {
    await using books = await openKeyValue(directory);
    t.equal(books.mending, "none", "nobody has looked");
    t.ok(isFault(await attempt(() => books.get("c/0077")), "Corrupt"));
  }
  for (const mending of ["repaired", "none"] as const) {
    await using books = await openKeyValue(directory);
    t.equal(books.mending, mending);
    await books.mended();
    t.strictSame(await all(books), new Map([...many].filter(([key]) => key !== "c/0077")));
  }
});

test("a table that a crash left unfinished is no damage", async (t) => {
  const directory = await directoryFor(t);
  await fill(directory);
  const half = (await readFile(await tableIn(directory))).subarray(0, 5000);
  await writeFile(join(directory, "000099.ldb"), half);
  await using books = await openKeyValue(directory);
  t.equal(books.mending, "none");
  t.strictSame(await all(books), many);
});

test("what a repair sets aside can be deleted by whoever owns it", async (t) => {
  const directory = await directoryFor(t);
  await fill(directory);
  for (const _time of ["makes it", "opens it again"]) {
    await (await openLevel(directory, "repaired")).table.close();
  }
  const { mode } = await stat(join(directory, "lost"));
  t.equal(mode & 0o777, 0o700);
});

test("random bits flipped in LevelDB's tables never make a wrong value, nor a loss that is not told", async (t) => {
  for (let round = 0; round < 60; round++) {
    const random = seededRandom(`${seed}/books/${round}`);
    const replay = `round ${round}; replay: HIVE_SEED=${seed} node ${process.argv[1]}`;
    const directory = await directoryFor(t);
    await fill(directory);
    // What it repaired it compresses.
    if (round % 2 === 1) await (await openLevel(directory, "repaired")).table.close();
    const path = await tableIn(directory);
    const bytes = await readFile(path);
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    await writeFile(path, bytes);
    await using books = await openKeyValue(directory);
    const found = await all(books);
    const wrong = [...found].filter(([key, value]) => value !== many.get(key));
    t.strictSame(wrong, [], replay);
    const alone = new Map<string, string>();
    for (const key of many.keys()) {
      const value = await books.get(key);
      if (value !== undefined) alone.set(key, String(value));
    }
    t.strictSame(alone, found, `each is found alone, too; ${replay}`);
    if (found.size < many.size) t.not(books.mending, "none", replay);
  }
});

function numbered(count: number, fillBytes: number): ReadonlyMap<string, string> {
  return new Map(Array.from({ length: count }, (_, index) => {
    return [`c/${String(index).padStart(4, "0")}`, `value ${index}`.padEnd(fillBytes, ".")];
  }));
}

/** Their values lie in a table, not in LevelDB's log. */
async function fill(directory: string): Promise<void> {
  {
    await using books = await openKeyValue(directory);
    await books.batch([...many].map(([key, value]) => ({ type: "put", key, value: Buffer.from(value) })));
  }
  await using _again = await openKeyValue(directory);
}

async function all(books: OpenKeyValue): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const [key, value] of books.list("")) found.set(key, Buffer.from(value).toString());
  return found;
}

/** As a pass over old books leaves them that does not come to its end. */
async function checkSome(directory: string): Promise<void> {
  const { table } = await openLevel(directory);
  const some = [...pairs].slice(0, 10).map(([name, value]) => {
    const key = Buffer.from(name);
    return { type: "put", key, value: withCheck(key, Buffer.from(value)) } as const;
  });
  await table.batch(some, { sync: true });
  await table.close();
}

/** As a compaction leaves a value that it read damaged. */
async function putUnchecked(directory: string, key: string): Promise<void> {
  const { table } = await openLevel(directory);
  await table.batch([{ type: "put", key: Buffer.from(key), value: Buffer.from("wrong") }], { sync: true });
  await table.close();
}

/** In place, as a disk does it: LevelDB has the file mapped. */
async function flipValue(directory: string, value: string): Promise<void> {
  const path = await tableIn(directory);
  const at = (await readFile(path)).indexOf(value);
  await using file = await open(path, "r+");
  await file.write(Buffer.from("w"), 0, 1, at);
}

async function tableIn(directory: string): Promise<string> {
  const [name = ""] = (await readdir(directory)).filter((each) => each.endsWith(".ldb"));
  return join(directory, name);
}

async function directoryFor(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "hive-books-"));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}
