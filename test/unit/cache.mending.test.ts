/** Files of LevelDB are mended by one process at a time, and what a crash interrupts is told by the next start. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Test, test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { openKeyValue, openKeyValueClone } from "../../src/cache/cache.ts";
import { openLevel } from "../../src/cache/index/level.ts";
import { attempt } from "../contract/store.ts";

for (const least of ["repaired", "replaced"] as const) {
  test(`what was ${least} is told until whoever has to know says so`, async (t) => {
    const directory = await filled(t);
    // Killed before anybody wrote down that something may be missing.
    await (await openLevel(directory, least)).table.close();
    for (const _start of ["the next", "and again"]) {
      await using books = await openKeyValue(directory);
      t.not(books.mending, "none");
    }
    {
      await using clone = await openKeyValueClone(directory);
      const { books } = clone;
      t.not(books.mending, "none", "and to whoever looks at a clone");
      await books.mended();
    }
    t.strictSame((await readdir(dirname(directory))).filter((name) => name.startsWith("check-")), []);
    {
      await using books = await openKeyValue(directory);
      await books.mended();
    }
    await using books = await openKeyValue(directory);
    t.equal(books.mending, "none");
  });
}

test("a crash while files are set aside leaves no books that seem to be new", async (t) => {
  const directory = await filled(t);
  await (await openLevel(directory, "replaced")).table.close();
  await rm(directory, { recursive: true });
  await using books = await openKeyValue(directory);
  t.not(books.mending, "none");
});

test("a value that is dropped for its check is told after a crash, too", async (t) => {
  const directory = await filled(t);
  {
    const { table } = await openLevel(directory);
    await table.batch([{ type: "put", key: Buffer.from("c/7"), value: Buffer.from("wrong") }], { sync: true });
    await table.close();
  }
  {
    await using books = await openKeyValue(directory);
    t.ok(isFault(await attempt(() => books.get("c/7")), "Corrupt"));
  }
  for (const _start of ["which drops it", "which finds nothing to drop"]) {
    await using books = await openKeyValue(directory);
    t.equal(books.mending, "repaired");
  }
});

test("what is set aside takes no other's place", async (t) => {
  const directory = await filled(t);
  await mkdir(join(`${directory}.damaged-2`, "kept"), { recursive: true });
  await (await openLevel(directory, "replaced")).table.close();
  const names = (await readdir(dirname(directory))).filter((name) => name.includes("damaged"));
  t.strictSame(names.sort(), ["transfer.damaged-2", "transfer.damaged-3"]);
});

test("nobody mends what another process has open, nor condemns a table that it just writes", async (t) => {
  const directory = await filled(t);
  await using _other = await openElsewhere(directory);
  const [name = ""] = (await readdir(directory)).filter((each) => each.endsWith(".ldb"));
  const half = join(directory, "000099.ldb");
  const bytes = (await readFile(join(directory, name))).subarray(0, 3000);
  await writeFile(half, bytes);
  const before = await stat(half);
  for (const least of ["none", "repaired", "replaced"] as const) {
    const fault = await attempt(() => openLevel(directory, least));
    t.ok(isFault(fault, "Busy"), `${least}: ${String(fault)}`);
  }
  t.same((await stat(half)).ino, before.ino);
  t.ok(bytes.equals(await readFile(half)));
});

test("a second look at books does not take the first one's clone away, and is told whose they are", async (t) => {
  const directory = await filled(t);
  await using other = await openElsewhere(directory, { clone: true });
  const before = await readdir(dirname(directory));
  const fault = await attempt(() => openKeyValueClone(directory));
  t.ok(isFault(fault, "Busy") && fault.op === "fsck.open", String(fault));
  t.equal(isFault(fault) && fault.subject, directory);
  t.strictSame(await readdir(dirname(directory)), before);
  await other[Symbol.asyncDispose]();
  t.strictSame(await readdir(dirname(directory)), ["transfer"]);
});

/** Of enough values for a table, and opened once more, so that there is one. */
async function filled(t: Test): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), "hive-mending-"));
  t.teardown(() => rm(parent, { recursive: true }));
  const directory = join(parent, "transfer");
  {
    await using books = await openKeyValue(directory);
    for (let each = 0; each < 40; each++) await books.put(`c/${each}`, Buffer.alloc(200, each));
  }
  await using _again = await openKeyValue(directory);
  return directory;
}

async function openElsewhere(directory: string, { clone } = { clone: false }): Promise<AsyncDisposable> {
  const cache = new URL("../../src/cache/cache.ts", import.meta.url);
  const source = `
    import { openKeyValue, openKeyValueClone } from "${cache}";
    const opened = await ${clone ? "openKeyValueClone" : "openKeyValue"}(${JSON.stringify(directory)});
    console.log("open");
    process.stdin.once("end", () => opened[Symbol.asyncDispose]()).resume();
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  await once(child.stdout, "data");
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}
