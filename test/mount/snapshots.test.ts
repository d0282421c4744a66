/** The drive's past through the kernel: hidden folders that nobody can change, in every folder. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { parseName } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { Grafts } from "../../src/graft/graft.ts";
import { openTree } from "../../src/tree/tree.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { mountTree } from "./harness.ts";

async function graftedTree() {
  const needs = {
    store: new MemoryStore(), clock: systemClock, random: systemRandom, log: silentLog,
  };
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const tree = await openTree(needs, { treeSecret: systemRandom.bytes(32), ...owner });
  const everywhere = new Map([[parseName(".snapshots"), tree.past.pointAt]]);
  const table = { root: new Map(), everywhere };
  const now = () => systemClock.now();
  return { tree, grafts: new Grafts({ base: tree, table, log: silentLog, now }, owner) };
}

for (const driver of ["kernel", "fuse-native"] as const) {
  test(`snapshots are folders, and what is restored is seen at once (${driver})`, async (t) => {
    const { tree, grafts } = await graftedTree();
    await using place = await mountTree(grafts, driver);
    grafts.begin(place.mounted);
    const { client } = place;
    const before = await client.run(({ fs, path, code }) => {
      fs.mkdirSync(path("folder/below"), { recursive: true });
      fs.writeFileSync(path("folder/file"), "as it was");
      fs.linkSync(path("folder/file"), path("folder/below/other name"));
      return [fs.readdirSync(path("")), fs.readdirSync(path(".snapshots")),
        code(() => fs.statSync(path("folder/.snapshots/2020-01-01T00:00:00Z")))];
    });
    t.strictSame(before, [["folder"], [], "ENOENT"]);
    const name = await tree.past.create();
    const seen = await client.run(({ fs, path, code }, name: string) => {
      fs.writeFileSync(path("folder/file"), "as it is");
      fs.rmSync(path("folder/below"), { recursive: true });
      const [whole, part] = [path(`.snapshots/${name}`), path(`folder/.snapshots/${name}`)];
      const inode = (file: string) => fs.statSync(file).ino;
      return {
        shown: [fs.readdirSync(path("")), fs.readdirSync(path("folder"))],
        names: [fs.readdirSync(path(".snapshots")), fs.readdirSync(path("folder/.snapshots"))],
        inside: [fs.readdirSync(whole), fs.readdirSync(part).sort()],
        read: [`${whole}/folder/file`, `${part}/file`, `${part}/below/other name`].map((file) =>
          fs.readFileSync(file, "utf8")),
        links: inode(`${part}/file`) === inode(`${part}/below/other name`),
        isItself: inode(`${part}/file`) === inode(path("folder/file")),
        refused: [
          code(() => fs.writeFileSync(`${part}/file`, "")),
          code(() => fs.unlinkSync(`${part}/file`)),
          code(() => fs.mkdirSync(`${whole}/new`)),
          code(() => fs.renameSync(`${part}/file`, path("folder/taken"))),
          code(() => fs.mkdirSync(path("folder/.snapshots"))),
          code(() => fs.rmdirSync(path(".snapshots"))),
        ],
        gone: code(() => fs.statSync(path("folder/below"))),
        empty: code(() => {
          fs.mkdirSync(path("empty"));
          fs.statSync(path("empty/.snapshots"));
          fs.rmdirSync(path("empty"));
        }),
      };
    }, name);
    t.strictSame(seen, {
      shown: [["folder"], ["file"]],
      names: [[name], [name]],
      inside: [["folder"], ["below", "file"]],
      read: ["as it was", "as it was", "as it was"],
      links: true,
      isItself: false,
      refused: ["EROFS", "EROFS", "EROFS", "EXDEV", "EEXIST",
        // By paths nobody knows of it for longer than it is looked at.
        driver === "kernel" ? "EBUSY" : "ENOENT"],
      gone: "ENOENT",
      empty: "none",
    });
    const { mounted } = place;
    await tree.past.restore(name, ["folder"], {
      exact: true,
      changed: (parent, what) => what === undefined
        ? mounted.invalidateInode(parent) : mounted.invalidateEntry(parent, what),
    });
    const after = await client.run(({ fs, path }) => [
      fs.readFileSync(path("folder/file"), "utf8"), fs.readdirSync(path("folder")).sort(),
      fs.readFileSync(path("folder/below/other name"), "utf8"), fs.statSync(path("folder/file")).nlink,
    ]);
    t.strictSame(after, ["as it was", ["below", "file"], "as it was", 2]);
  });
}
