/** The number that a store has in common with the books beside it: it is kept, or there is none. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { readLife, writeLife } from "../../src/cache/cache.ts";

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
