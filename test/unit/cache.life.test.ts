/** The number that a store has in common with the books beside it: it is kept, or there is none. */
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { HiveError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { openKeyValue, readLife, writeLife } from "../../src/cache/cache.ts";
import { keepLife } from "../../src/check/bring-back.ts";
import { keepLife as keepInBooks, openLife } from "../../src/transfer/life.ts";

test("a store keeps its number, and a damaged one counts as none", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "hive-life-"));
  t.teardown(() => rm(directory, { recursive: true }));
  t.equal(await readLife(directory), 0);
  await writeLife(directory, 300);
  await writeLife(directory, 301);
  t.equal(await readLife(directory), 301);
  const file = join(directory, "life");
  const bytes = await readFile(file);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
    await writeFile(file, damaged);
    t.equal(await readLife(directory), 0, `bit ${bit}`);
  }
  await writeFile(file, "");
  t.equal(await readLife(directory), 0);
});

test("a start on a disk that takes nothing is as the one before, wherever it stops", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "hive-life-"));
  t.teardown(() => rm(directory, { recursive: true }));
  await using books = await openKeyValue(join(directory, "books"));
  const node = { keepLife: (life: Parameters<typeof keepInBooks>[1]) => keepInBooks(books, life) };
  const situation = { directory, log: silentLog };
  t.equal(await keepLife(node, situation, 1), 1);
  const isWhole = async (): Promise<void> => {
    const found = await openLife(books, { life: await readLife(directory), isPublished: true });
    t.match(found, { isStoreOld: false, areBooksOld: false });
  };
  const full = async (): Promise<void> => {
    throw new HiveError("NoSpace", "cache.write", directory);
  };
  t.equal(await keepLife({ keepLife: full }, situation, 2), 1);
  await isWhole();
  await symlink("/dev/full", join(directory, "life.new"));
  t.equal(await keepLife(node, situation, 2), 1);
  await isWhole();
  await rm(join(directory, "life.new"));
  const once: typeof node = { keepLife: (life) => (life.other === 1 ? node.keepLife(life) : full()) };
  t.equal(await keepLife(once, situation, 2), 2);
  await isWhole();
});
