/**
 * `hive publish` and `hive import` as they are typed: into the drive and out of it, what they say,
 * what they refuse, and what is left when Ctrl-C ends one.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { newMachine, root, run, until } from "../support/cli.ts";

test("a folder goes into a CAR file, from there into the drive, and out of it by the same CID", async (t) => {
  const machine = newMachine("ipfs");
  t.teardown(() => machine.end());
  const at = (...names: readonly string[]): string => join(machine.directory, ...names);
  mkdirSync(at("site"));
  writeFileSync(at("site", "index.html"), "hello\n");
  const first = await machine.must(t, ["publish", at("site"), at("site.car")]);
  t.match(first.out, /^bafybei\w{52}\n$/);
  t.match(first.error, /1 files \(6 B\), 1 folders\n/);
  t.match(first.error, /^hive: nothing in it is encrypted: whoever has the file reads what is in it$/m);

  await machine.must(t, ["mount", machine.mount]);
  const inDrive = join(machine.mount, "site");
  t.match((await machine.must(t, ["import", at("site.car"), "--into", inDrive])).error, /1 files \(6 B\), 1 folders\n/);
  t.equal(readFileSync(join(inDrive, "index.html"), "utf8"), "hello\n");
  const second = await machine.must(t, ["publish", inDrive, join(machine.mount, "again.car"), "--json"]);
  const told = JSON.parse(second.out) as Record<string, unknown>;
  t.match(told, { cid: first.out.trim(), files: 1, folders: 1, symlinks: 0, bytes: 6, leftOut: 0 });
  t.ok(readFileSync(join(machine.mount, "again.car")).equals(readFileSync(at("site.car"))));
  t.strictSame(readdirSync(machine.mount).filter((name) => name.startsWith(".hive-")), []);
});

test("what is there is not written over, what is wrong is named, and an exit code tells", async (t) => {
  const machine = newMachine("ipfs-wrong");
  t.teardown(() => rmSync(machine.directory, { recursive: true }));
  const at = (name: string): string => join(machine.directory, name);
  writeFileSync(at("hello"), "hello\n");
  await machine.must(t, ["publish", at("hello"), at("hello.car")]);
  const car = readFileSync(at("hello.car"));
  writeFileSync(at("short.car"), car.subarray(0, -1));
  writeFileSync(at("bad.car"), Buffer.concat([car.subarray(0, -1), Buffer.from("!")]));
  const [again, absent, stream, taken, short, bad, needed, ...unfit] = await Promise.all([
    ["publish", at("hello"), at("hello.car")],
    ["publish", at("nothing"), at("nothing.car")],
    ["publish", at("hello"), "-"],
    ["import", at("hello.car"), "--into", at("hello")],
    ["import", at("short.car"), "--into", at("into")],
    ["import", at("bad.car"), "--into", at("into")],
    ["import", at("hello.car")],
    ["import", machine.directory, "--into", at("into")],
    ["import", "/dev/null", "--into", at("into")],
    ["publish", "/proc/self/mem", at("mem.car")],
    ["publish", at("hello"), join(at("nowhere"), "hello.car")],
    ["import", at("hello.car"), "--into", join(at("hello"), "into")],
  ].map((words) => machine.hive(words)));
  t.strictSame([again, absent, stream, taken, short, bad, needed].map((ran) => ran?.code), [1, 3, 2, 1, 7, 7, 2]);
  t.strictSame(unfit.map((ran) => [ran?.code, ran?.error.split(": ")[1]]), [
    [2, "is a directory"], [2, "not valid"], [5, "not available"], [3, "not found"], [2, "not a directory"],
  ]);
  t.match(again?.error, /exists already: .*hello\.car .*\nhive: hint: --force replaces a file\n/);
  t.match(bad?.error, /damaged: block bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am has other bytes/);
  t.notOk(existsSync(at("into")));
  await machine.must(t, ["publish", at("hello"), at("hello.car"), "--force"]);
});

test("Ctrl-C leaves nothing", async (t) => {
  const machine = newMachine("ipfs-end");
  t.teardown(() => rmSync(machine.directory, { recursive: true }));
  const [endless, out] = [join(machine.directory, "endless"), join(machine.directory, "out")];
  writeFileSync(endless, "");
  truncateSync(endless, 2 ** 42);
  mkdirSync(out);
  const words = [join(root, "src", "cli", "main.ts"), "publish", endless, join(out, "endless.car")];
  const child = spawn(process.execPath, words, { env: { ...process.env, HIVE_HOME: machine.home }, stdio: "ignore" });
  const ended = once(child, "exit");
  const isWriting = (): boolean => readdirSync(out, { recursive: true }).length === 2;
  await until(async () => isWriting(), { seconds: 60, what: "it writes" });
  child.kill("SIGINT");
  t.strictSame(await ended, [130, null]);
  t.strictSame(readdirSync(out), []);
});

test("a full disk is told as one, and nothing of the file or folder is left on it", async (t) => {
  const machine = newMachine("ipfs-full");
  const [source, disk] = ["source", "disk"].map((name) => join(machine.directory, name)) as [string, string];
  for (const one of [source, disk]) mkdirSync(one);
  for (const name of ["one", "two"]) writeFileSync(join(source, name), randomBytes(2 ** 20));
  const car = join(machine.directory, "source.car");
  await machine.must(t, ["publish", source, car]);
  const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=1536k", "none", disk], {});
  t.equal(mounted.code, 0, "this test needs root, to mount a tmpfs");
  t.teardown(async () => {
    await run("umount", [disk], {});
    rmSync(machine.directory, { recursive: true });
  });
  const place = join(disk, "new");
  for (const words of [["publish", source, place], ["import", car, "--into", place]]) {
    const full = await machine.hive(words);
    t.equal(full.code, 6, words.join(" "));
    t.match(full.error, `hive: no space left: ${place} (unixfs.place)\nhive: hint: `);
    t.strictSame(readdirSync(disk), []);
  }
});
