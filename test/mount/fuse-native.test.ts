/** The fuse-native driver, with the tree in memory: the same suite, less what it cannot do. */
import { readFileSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { MemoryTree } from "../support/memory-tree.ts";
import { mountTree } from "./harness.ts";
import { mountSuite } from "./suite.ts";

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const makeTree = () => new MemoryTree({ clock: systemClock }, owner);

test("the fuse-native driver serves a tree in memory", async (t) => {
  await mountSuite(t, { driver: "fuse-native", makeTree });
});

/** Its threads are libfuse's, which cancels them: one that handles a signal then stops them all. */
test("no thread that serves the mount is sent a signal", async (t) => {
  const before = new Set(readdirSync("/proc/self/task"));
  await using place = await mountTree(makeTree(), "fuse-native");
  await place.client.run(({ fs, path }) => fs.writeFileSync(path("file"), "served"));
  const made = readdirSync("/proc/self/task").filter((id) => !before.has(id));
  const status = made.map((id) => readFileSync(`/proc/self/task/${id}/status`, "utf8"));
  const serving = status.filter((text) => !/^Name:\s+libuv-worker/.test(text));
  t.ok(serving.length > 0);
  const childEnded = 1n << BigInt(constants.signals.SIGCHLD - 1);
  for (const text of serving) {
    const [, blocked] = /^SigBlk:\s+([0-9a-f]+)/m.exec(text) ?? [];
    t.ok((BigInt(`0x${blocked}`) & childEnded) > 0n, `blocked: ${blocked}`);
  }
});

test("a folder is backed up from and to one whose listings do not tell what is what", async (t) => {
  await using place = await mountTree(makeTree(), "fuse-native");
  const modules = ["watch/mirror.ts", "watch/xattrs.ts"]
    .map((name) => new URL(`../../src/${name}`, import.meta.url).href);
  const counts = await place.client.run(async ({ fs, path }, [mirror, xattrs]: string[]) => {
    const { Mirror } = await import(mirror as string);
    const { openXattrs } = await import(xattrs as string);
    fs.mkdirSync(path("from/deep"), { recursive: true });
    for (let file = 0; file < 50; file++) fs.writeFileSync(path(`from/\u00e9 ${file}`), `${file}`);
    fs.writeFileSync(path("from/deep/file"), "below");
    const counts = { looked: 0, copied: 0, removed: 0, skipped: 0, failed: 0 };
    const count = (what: keyof typeof counts) => (): void => void counts[what]++;
    const { signal } = new AbortController();
    const needs = { owner: { mayGive: false }, xattrs: openXattrs(() => undefined), signal, never: new Set() };
    const copier = new Mirror({ source: path("from"), copy: path("to"), deletes: true }, needs, {
      looked: count("looked"), copied: count("copied"), removed: count("removed"),
      skipped: count("skipped"), failed: count("failed"),
    });
    await copier.look("", "below");
    fs.rmSync(path("from/\u00e9 7"));
    fs.rmSync(path("from/deep"), { recursive: true });
    await copier.look("", "below");
    return { ...counts, left: fs.readdirSync(path("to")).length };
  }, modules);
  t.match(counts, { failed: 0, removed: 2, left: 49 });
});
