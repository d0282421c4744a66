/** What takes the real store, or two mounts of one drive: numbers that stay, room that is told. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { mountTree, probe, run, startClient } from "./harness.ts";

const treeSecret = systemRandom.bytes(32);

function treeOver(store: MemoryStore): Promise<Tree> {
  const needs = { store, clock: systemClock, random: systemRandom, log: silentLog };
  return openTree(needs, { treeSecret });
}

for (const driver of ["kernel", "fuse-native"] as const) {
  test(`inode numbers stay the same across mounts (${driver})`, async (t) => {
    const store = new MemoryStore();
    const seen: string[] = [];
    for (const round of ["first", "second"]) {
      const tree = await treeOver(store);
      {
        await using place = await mountTree(tree, driver);
        const script = 'cd "$0"; test -e d || { mkdir -p d/e; echo x > d/f; echo y > d/e/g; ' +
          'ln d/f d/h; ln -s f d/l; }; stat -c "%n %i" . d d/e d/f d/h d/l d/e/g';
        seen.push((await run("sh", "-c", script, place.directory)).out);
      }
      await tree.close();
      t.match(seen.at(-1), /d\/e\/g \d+/, round);
    }
    t.equal(seen[1], seen[0]);
  });
}

test("a copied range shares the original's chunks", async (t) => {
  const store = new MemoryStore();
  await using place = await mountTree(await treeOver(store), "kernel");
  const sizeBytes = 8 * 2 ** 20;
  await place.client.run(({ fs, path }, sizeBytes: number) => {
    const bytes = Buffer.allocUnsafe(sizeBytes);
    for (let at = 0; at < sizeBytes; at += 4) bytes.writeUInt32LE((at * 2654435761) >>> 0, at);
    fs.writeFileSync(path("file"), bytes, { flush: true });
  }, sizeBytes);
  const before = store.putBytes;
  t.ok(before >= sizeBytes, "the original is stored");
  const [file, copy] = [`${place.directory}/file`, `${place.directory}/copy`];
  t.equal(await probe("copy", file, copy, `${sizeBytes}`), `${sizeBytes}`);
  t.equal((await run("sync", copy)).code, 0);
  t.equal((await run("cmp", file, copy)).code, 0);
  t.ok(store.putBytes - before < sizeBytes / 100, `${store.putBytes - before} bytes for the copy`);
});

test("df tells what the files take and what can still be written", async (t) => {
  const store = new MemoryStore();
  const tree = await treeOver(store);
  await using place = await mountTree(tree, "kernel");
  const volume = async () => {
    await run("sync", place.directory);
    await tree.commit();
    const words = ["-k", "--output=used,avail", place.directory];
    const [used, free] = (await run("df", ...words)).out.split("\n")[1]?.trim().split(/ +/) ?? [];
    return { usedKiB: Number(used), freeKiB: Number(free) };
  };
  const before = await volume();
  const file = `${place.directory}/file`;
  await run("dd", "if=/dev/urandom", `of=${file}`, "bs=1M", "count=16", "conv=fsync");
  const full = await volume();
  t.ok(Math.abs(full.usedKiB - before.usedKiB - 16 * 1024) < 512, `${full.usedKiB} KiB used`);
  t.ok(Math.abs(before.freeKiB - full.freeKiB - 16 * 1024) < 512, `${full.freeKiB} KiB free`);
  await run("rm", file);
  // Free again once peers have them, or once garbage is looked for.
  t.equal((await volume()).usedKiB, before.usedKiB);
});

for (const driver of ["kernel", "fuse-native"] as const) {
  test(`without allow_other nobody else sees a thing (${driver})`, async (t) => {
    await using place = await mountTree(await treeOver(new MemoryStore()), driver, {
      allowOther: false,
    });
    const { client, directory } = place;
    await client.run(({ fs, directory }) => fs.chmodSync(directory, 0o777));
    const stranger = startClient(directory, 65534);
    const codes = await stranger.run(({ fs, path, directory, code }) => [
      code(() => fs.readdirSync(directory)), code(() => fs.writeFileSync(path("file"), "")),
    ]);
    stranger.stop();
    t.strictSame(codes, ["EACCES", "EACCES"]);
  });
}
