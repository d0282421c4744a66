/** How mounts begin and end: signals, kills, busy files, other users, interrupts, notices. */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { ByteRange } from "../../src/base/filesystem.ts";
import { type Handle, nameFromText, rootIno } from "../../src/base/ids.ts";
import { clearStaleMount, isMounted, mount, staleMount } from "../../src/mount/mount.ts";
import { silentLog } from "../../src/base/log.ts";
import { faultOf } from "../support/faults.ts";
import { MemoryTree } from "../support/memory-tree.ts";
import {
  type Client, ended, mountTree, run, startClient, startDaemon,
} from "./harness.ts";

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

function memoryTree(): MemoryTree {
  return new MemoryTree({ clock: systemClock }, owner);
}

/** A new directory, which is taken off and away whatever happened to it. */
async function newDirectory(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "hive-life-"));
  return {
    path,
    async [Symbol.asyncDispose]() {
      if (await isMounted(path)) await run("umount", "-l", path);
      await rm(path, { recursive: true });
    },
  };
}

for (const driver of ["kernel", "fuse-native"] as const) {
  test(`SIGTERM unmounts and leaves nothing behind (${driver})`, async (t) => {
    await using directory = await newDirectory();
    const daemon = await startDaemon(directory.path, [driver]);
    t.equal((await run("sh", "-c", 'echo x > "$0/a" && cat "$0/a"', directory.path)).out, "x\n");
    daemon.kill("SIGTERM");
    t.equal(await ended(daemon), 0);
    t.equal(await isMounted(directory.path), false);
  });

  test(`an unmount by somebody else ends the daemon, flushed (${driver})`, async (t) => {
    await using directory = await newDirectory();
    const daemon = await startDaemon(directory.path, [driver]);
    t.equal((await run("fusermount3", "-u", directory.path)).code, 0);
    t.equal(await ended(daemon), 0);
  });

  test(`what a killed daemon left is seen as stale and cleared (${driver})`, async (t) => {
    await using directory = await newDirectory();
    const daemon = await startDaemon(directory.path, [driver]);
    t.equal(await staleMount(directory.path), false, "a living mount is not stale");
    t.equal(await clearStaleMount(directory.path), false);
    t.equal(await isMounted(directory.path), true);
    daemon.kill("SIGKILL");
    await ended(daemon);
    t.equal(await staleMount(directory.path), true);
    t.equal(await clearStaleMount(directory.path), true);
    t.equal(await isMounted(directory.path), false);
    const again = await startDaemon(directory.path, [driver]);
    again.kill("SIGTERM");
    t.equal(await ended(again), 0);
  });
}

/** A tree whose reads wait until they are let go or interrupted. */
class SlowTree extends MemoryTree {
  interrupted = 0;
  readonly #reading = Promise.withResolvers<void>();
  readonly #gate = Promise.withResolvers<void>();

  /** Resolves when the first read has come. */
  get reading(): Promise<void> {
    return this.#reading.promise;
  }

  letGo(): void {
    this.#gate.resolve();
  }

  override read(
    handle: Handle, range: ByteRange, signal?: AbortSignal,
  ): readonly Uint8Array[] {
    this.#reading.resolve();
    const interrupted = Promise.withResolvers<never>();
    signal?.addEventListener("abort", () => {
      this.interrupted++;
      interrupted.reject(signal.reason);
    });
    // The port allows a promise; only this class's parent is always quick.
    const slow = Promise.race([this.#gate.promise, interrupted.promise]).then(() =>
      super.read(handle, range));
    return slow as unknown as readonly Uint8Array[];
  }
}

async function coldFile(client: Client): Promise<void> {
  await client.run(({ fs, path }) => fs.writeFileSync(path("file"), "slow to come"));
  await run("sh", "-c", "sync; echo 1 > /proc/sys/vm/drop_caches");
}

for (const how of ["cached", "direct"] as const) {
  test(`a slow ${how} read holds nobody else up, and Ctrl-C ends it`, async (t) => {
    const tree = new SlowTree({ clock: systemClock }, owner);
    await using place = await mountTree(tree, "kernel");
    await coldFile(place.client);
    const file = join(place.directory, "file");
    const [program, ...words] = how === "cached"
      ? ["cat", file] as const
      : ["dd", `if=${file}`, "iflag=direct"] as const;
    const reader = spawn(program, words, { stdio: "ignore" });
    await tree.reading;
    const names = await place.client.run(({ fs, directory }) => fs.readdirSync(directory));
    t.strictSame(names, ["file"]);
    reader.kill("SIGINT");
    t.equal(await ended(reader), null);
    t.equal(reader.signalCode, "SIGINT");
    // Read-ahead belongs to no program, so only the direct read is called off.
    t.equal(tree.interrupted, how === "direct" ? 1 : 0);
    tree.letGo();
  });
}

test("a signal that ends nobody interrupts no read", async (t) => {
  const tree = new SlowTree({ clock: systemClock }, owner);
  await using place = await mountTree(tree, "kernel");
  await coldFile(place.client);
  const script = "$SIG{ALRM} = sub {}; sysopen(F, $ARGV[0], $ARGV[1]) or die;" +
    "sysread(F, $text, 100) or die $!; print $text";
  const words = [join(place.directory, "file"), String(constants.O_DIRECT)];
  const reader = spawn("perl", ["-e", script, ...words], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  reader.stdout.on("data", (bytes: Buffer) => void (said += bytes.toString()));
  await tree.reading;
  reader.kill("SIGALRM");
  for (let tries = 0; tries < 200 && place.mounted.stats()["INTERRUPT"] === undefined; tries++) {
    await systemClock.delay(5);
  }
  t.equal(place.mounted.stats()["INTERRUPT"], 1);
  // Time for the wrong answer to come, had it been on its way.
  await systemClock.delay(50);
  tree.letGo();
  t.equal(await ended(reader), 0);
  t.equal(said, "slow to come");
  t.equal(tree.interrupted, 0);
});

test("a busy mount says so, and goes lazily", async (t) => {
  const tree = memoryTree();
  await using directory = await newDirectory();
  const needs = { tree, log: silentLog, clock: systemClock };
  const options = {
    directory: directory.path, driver: "kernel", allowOther: true, readOnly: false, fsName: "hive",
  } as const;
  const mounted = await mount(needs, options);
  const client = startClient(directory.path);
  await client.run(({ fs, path }) => void fs.openSync(path("open"), "w"));
  t.equal(await faultOf(mounted.unmount()), "Busy");
  t.equal(await faultOf(mount(needs, options)), "Busy");
  await mounted.unmount({ lazy: true });
  t.equal(await isMounted(directory.path), false);
  client.stop();
  await mounted.ended;
  t.strictSame([tree.census().handles, tree.syncs], [0, 1]);
});

test("a read-only mount refuses changes, and says what it is in df", async (t) => {
  await using place = await mountTree(memoryTree(), "kernel", { readOnly: true, fsName: "mine" });
  const code = await place.client.run(({ fs, path, code }) => {
    return code(() => fs.writeFileSync(path("file"), ""));
  });
  t.equal(code, "EROFS");
  t.match((await run("df", place.directory)).out, /^mine /m);
});

test("faults come out as their errno, bugs as EIO, logged once each", async (t) => {
  const tree = memoryTree();
  const lines: string[] = [];
  const error = (_: string, fields = {}) => void lines.push(JSON.stringify(fields));
  const log = { ...silentLog, error };
  tree.mkdir = () => {
    throw new HiveError("TooManyLinks", "test.mkdir", "");
  };
  tree.readlink = () => {
    throw new TypeError("a bug");
  };
  await using place = await mountTree(tree, "kernel", { log });
  t.strictSame(await place.client.run(({ fs, path, code }) => {
    fs.symlinkSync("x", path("link"));
    const codes = [code(() => fs.mkdirSync(path("a"))), code(() => fs.readlinkSync(path("link")))];
    for (let i = 0; i < 9; i++) code(() => fs.readlinkSync(path("link")));
    return codes;
  }), ["EMLINK", "EIO"]);
  t.equal(lines.filter((line) => line.includes("a bug")).length, 4, "times 1, 2, 4, 8");
});

test("the kernel forgets what we tell it to", async (t) => {
  const tree = memoryTree();
  await using place = await mountTree(tree, "kernel");
  const name = nameFromText("late");
  const seen = () => place.client.run(({ code, fs, path }) => {
    return code(() => fs.statSync(path("late")));
  });
  t.equal(await seen(), "ENOENT");
  const made = tree.mknod({ ...owner, pid: 1 }, { parent: rootIno, name }, { mode: 0o100644 });
  t.equal(await seen(), "ENOENT", "it believes what it knew");
  await place.mounted.invalidateEntry(rootIno, name);
  t.equal(await seen(), "none");
  tree.setattr({ ...owner, pid: 1 }, made.ino, { mode: 0o600 });
  await place.mounted.invalidateInode(made.ino);
  const mode = await place.client.run(({ fs, path }) => fs.statSync(path("late")).mode & 0o777);
  t.equal(mode, 0o600);
});

test("a small file costs no more requests than it must", async (t) => {
  await using place = await mountTree(memoryTree(), "kernel");
  const before = place.mounted.stats();
  await place.client.run(({ fs, path }) => {
    for (let i = 0; i < 100; i++) {
      const fd = fs.openSync(path(`file-${i}`), "w");
      fs.writeSync(fd, Buffer.alloc(4096));
      fs.closeSync(fd);
    }
  });
  const after = place.mounted.stats();
  const each = (name: string) => Math.round(((after[name] ?? 0) - (before[name] ?? 0)) / 100);
  const total = Object.keys(after).reduce((sum, name) => sum + each(name), 0);
  t.comment(Object.keys(after).map((name) => `${name} ${each(name)}`).join(", "));
  t.ok(total <= 8, `${total} requests for each file`);
});

test("another user mounts through fusermount3", async (t) => {
  if ((await run("fusermount3", "--version")).code !== 0) {
    return void t.fail("fusermount3 is not here: install fuse3");
  }
  await using directory = await newDirectory();
  await chmod(directory.path, 0o777);
  await run("chown", "65534:65534", directory.path);
  // A device of its own that anybody may open, as it is on most systems, seen by this daemon only.
  const setUp = 'mount -t tmpfs -o dev none /mnt && mknod -m 666 /mnt/fuse c 10 229 && ' +
    'mount --bind /mnt/fuse /dev/fuse && exec setpriv --reuid=65534 --regid=65534 ' +
    '--clear-groups "$@"';
  const wrapper = ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", setUp, "sh"];
  const daemon = await startDaemon(directory.path, ["kernel"], wrapper);
  const inside = ["--target", `${daemon.pid}`, "--mount", "setpriv", "--reuid=65534",
    "--regid=65534", "--clear-groups", "sh", "-c"];
  const script = 'echo mine > "$0/a" && cat "$0/a" && stat -c %u "$0/a" && grep "$0" /proc/mounts';
  const seen = await run("nsenter", ...inside, script, directory.path);
  t.match(seen.out, /^mine\n65534\nhive-test .* fuse\.hive .*user_id=65534/);
  daemon.kill("SIGTERM");
  t.equal(await ended(daemon), 0);
});
