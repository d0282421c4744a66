/** A folder whose policy takes nothing more, as programs meet it: a full disk, there and only there. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { openTree } from "../../src/tree/tree.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { mountTree } from "./harness.ts";

function treeOfPolicies() {
  const policies = (name: string) => `policy ${name} { require country in AQ; }`;
  const needs = {
    store: new MemoryStore(), clock: systemClock, random: systemRandom, log: silentLog, policies,
  };
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  return openTree(needs, { treeSecret: systemRandom.bytes(32), ...owner });
}

for (const driver of ["kernel", "fuse-native"] as const) {
  test(`nothing more is taken there, all else goes on, and it ends (${driver})`, async (t) => {
    const tree = await treeOfPolicies();
    await using place = await mountTree(tree, driver);
    const { client } = place;
    await client.run(({ fs, path }) => {
      for (const name of ["cold/below", "cold/own", "warm"]) {
        fs.mkdirSync(path(name), { recursive: true });
      }
      for (const name of ["cold/below/file", "cold/below/more", "cold/own/file", "warm/file"]) {
        fs.writeFileSync(path(name), "before");
      }
    });
    await tree.setPolicy(["cold"], "pole");
    await tree.setPolicy(["cold", "own"], "other");
    const open = await client.run(({ fs, path }) => fs.openSync(path("cold/below/more"), "r+"));
    tree.refuse(new Map([["pole", "60 are known, 0 after require country in [AQ]"]]));
    const met = await client.run(({ fs, path, code }, open: number) => {
      const written = (): void => {
        fs.writeSync(open, "x");
        // The kernel may have kept it.
        fs.fsyncSync(open);
      };
      const codes = {
        create: code(() => fs.writeFileSync(path("cold/new"), "x")),
        write: code(written),
        open: code(() => fs.openSync(path("cold/below/file"), "r+")),
        replace: code(() => fs.writeFileSync(path("cold/below/file"), "x")),
        append: code(() => fs.appendFileSync(path("cold/below/file"), "x")),
        grow: code(() => fs.ftruncateSync(open, 1_000_000)),
        mkdir: code(() => fs.mkdirSync(path("cold/folder"))),
        symlink: code(() => fs.symlinkSync("x", path("cold/link"))),
        link: code(() => fs.linkSync(path("warm/file"), path("cold/linked"))),
        arrive: code(() => fs.renameSync(path("warm/file"), path("cold/file"))),
        copy: code(() => fs.copyFileSync(path("warm/file"), path("cold/copy"))),
      };
      const isWhole = fs.readFileSync(path("cold/below/file"), "utf8") === "before";
      const free = {
        read: code(() => fs.readSync(open, new Uint8Array(6))),
        shrink: code(() => fs.ftruncateSync(open, 2)),
        mode: code(() => fs.chmodSync(path("cold/below/more"), 0o600)),
        within: code(() => fs.renameSync(path("cold/below/more"), path("cold/more"))),
        remove: code(() => fs.unlinkSync(path("cold/more"))),
        elsewhere: code(() => fs.writeFileSync(path("warm/new"), "x")),
        own: code(() => fs.writeFileSync(path("cold/own/file"), "x")),
        leave: code(() => fs.renameSync(path("cold/below/file"), path("warm/left"))),
        rmdir: code(() => fs.rmdirSync(path("cold/below"))),
      };
      fs.closeSync(open);
      return { codes: Object.entries(codes), isWhole, free: Object.entries(free) };
    }, open);
    t.strictSame(met.codes.filter(([, code]) => code !== "ENOSPC"), []);
    t.ok(met.isWhole, "and what could not be replaced is as it was");
    t.strictSame(met.free.filter(([, code]) => code !== "none"), []);
    tree.refuse(new Map());
    const after = await client.run(({ fs, path, code }) => {
      return code(() => fs.writeFileSync(path("cold/new"), "x"));
    });
    t.equal(after, "none", "once there are peers enough, it is taken");
    await tree.setPolicy([], "pole");
    tree.refuse(new Map([["", "nobody"]]));
    const whole = await client.run(({ fs, path, code }) => [
      code(() => fs.writeFileSync(path("new"), "x")),
      code(() => fs.writeFileSync(path("cold/own/new"), "x")),
    ]);
    t.strictSame(whole, ["ENOSPC", "none"], "the drive's own policy, and a folder's in it");
  });
}
