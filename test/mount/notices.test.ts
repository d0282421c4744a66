/**
 * Notices wait in the kernel for answers of ours. Those may need one of libuv's few threads, or
 * another notice; so none may be kept from them, however many notices wait.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Test, test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import type { Attributes, Caller, NewNode, Place as At } from "../../src/base/filesystem.ts";
import { type Handle, nameFromText, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { MemoryTree } from "../support/memory-tree.ts";
import { type Place, ended, mountTree, run } from "./harness.ts";

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
/** Far longer than it takes: whoever is not done by then waits for ever. */
const patienceMs = 20_000;

/** A tree whose writes take a thread of libuv's pool, as sealing and the disk do. */
class PooledTree extends MemoryTree {
  override write(handle: Handle, offsetBytes: number, bytes: Uint8Array): number {
    const later = stat(tmpdir()).then(() => super.write(handle, offsetBytes, bytes));
    // The port allows a promise; only this class's parent is always quick.
    return later as unknown as number;
  }
}

/** A tree whose mkdir waits until it is let go, and the kernel's lock on the folder with it. */
class HeldTree extends PooledTree {
  readonly #came = Promise.withResolvers<void>();
  readonly #gate = Promise.withResolvers<void>();
  readonly came = this.#came.promise;
  readonly letGo = this.#gate.resolve;

  override mkdir(caller: Caller, at: At, node: NewNode): Attributes {
    this.#came.resolve();
    return this.#gate.promise.then(() => super.mkdir(caller, at, node)) as unknown as Attributes;
  }
}

/** A program with a page that is not written yet; once told to, it looks for data (SEEK_DATA). */
async function writer(file: string): Promise<ChildProcess> {
  const script = "open(F, '+>', $ARGV[0]) or die; syswrite(F, 'x' x 5000); $| = 1; print 'x';" +
    "<STDIN>; exit(sysseek(F, 0, 3) ? 0 : 1)";
  const child = spawn("perl", ["-e", script, file], { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout!, "data");
  return child;
}

/** Tells them all at once. If they hang, what they wait for is broken off. */
async function allFind(t: Test, writers: readonly ChildProcess[], place: Place): Promise<void> {
  for (const { stdin } of writers) stdin!.end("\n");
  const codes = Promise.all(writers.map(ended));
  const late = Promise.withResolvers<string>();
  using _timer = systemClock.after(patienceMs, () => late.resolve("they wait for each other"));
  const found = await Promise.race([codes, late.promise]);
  t.strictSame(found, writers.map(() => 0));
  if (typeof found === "string") await run("umount", "-f", place.directory);
  await codes;
}

test("more files are settled at once than libuv has threads", async (t) => {
  const tree = new PooledTree({ clock: systemClock }, owner);
  await using place = await mountTree(tree, "kernel");
  const names = Array.from({ length: limits.mount.noticesAtOnce * 2 }, (_, at) => `file-${at}`);
  const writers = await Promise.all(names.map((name) => writer(join(place.directory, name))));
  await allFind(t, writers, place);
});

test("notices about the names of a folder that is held keep none about files", async (t) => {
  const tree = new HeldTree({ clock: systemClock }, owner);
  await using place = await mountTree(tree, "kernel");
  const one = await writer(join(place.directory, "file"));
  const made = run("mkdir", join(place.directory, "folder"));
  await tree.came;
  const told = Array.from({ length: limits.mount.noticesAtOnce * 2 }, (_, at) =>
    place.mounted.invalidateEntry(rootIno, nameFromText(`name-${at}`)));
  await allFind(t, [one], place);
  tree.letGo();
  t.equal((await made).code, 0);
  await Promise.all(told);
});
