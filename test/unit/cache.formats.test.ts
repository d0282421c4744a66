/** What a later program wrote is refused, and not a byte of it is taken for damaged. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Test, test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { openKeyValue } from "../../src/cache/cache.ts";
import { type LevelTable, openLevel } from "../../src/cache/index/level.ts";
import { formatKey, formatNumber, withCheck } from "../../src/cache/index/records.ts";
import { attempt } from "../contract/store.ts";
import { openIn } from "../support/temporary-cache.ts";

const end = Buffer.from([0xff, 0xff]);
/** A value whose check is another one, as that of a later program may be. */
const strange = { type: "put", key: Buffer.from("b of another length"), value: Buffer.from("new") } as const;

test("books of a later format are refused as they are", async (t) => {
  const directory = await directoryFor(t);
  await (await openKeyValue(directory))[Symbol.asyncDispose]();
  const state = Buffer.from([0xff]);
  await unchanged(t, directory, [{ type: "put", key: state, value: withCheck(state, Buffer.from([3, 1, 9])) }],
    () => openKeyValue(directory));
});

test("a local store of a later format is refused as it is", async (t) => {
  const directory = await directoryFor(t);
  await (await openIn(directory)).close();
  const format = withCheck(formatKey, Buffer.from([formatNumber + 1, 7]));
  await unchanged(t, join(directory, "index"), [{ type: "put", key: formatKey, value: format }],
    () => openIn(directory));
});

async function unchanged(
  t: Test, index: string, changes: Parameters<LevelTable["batch"]>[0], open: () => Promise<unknown>,
): Promise<void> {
  const { table } = await openLevel(index);
  await table.batch([strange, ...changes], { sync: true });
  const before = await all(table);
  await table.close();
  const fault = await attempt(open);
  t.ok(isFault(fault, "Unsupported") && fault.op === "cache.format", String(fault));
  const again = await openLevel(index);
  t.equal(again.mending, "none");
  t.strictSame(await all(again.table), before);
  await again.table.close();
}

async function all(table: LevelTable): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const [key, value] of table.range(Buffer.alloc(0), end)) {
    found.push(`${key.toString("hex")} ${Buffer.from(value).toString("hex")}`);
  }
  return found;
}

async function directoryFor(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "hive-formats-"));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}
