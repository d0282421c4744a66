/** A folder and its copy, on this disk: what is copied, kept, left out, and what a kill leaves. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync }
  from "node:fs";
import { lutimesSync, readlinkSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync }
  from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Test, test } from "tap";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { type HiveError, isFault } from "../../src/base/errors.ts";
import { copyFile } from "../../src/watch/copy.ts";
import { type Extent, Mirror } from "../../src/watch/mirror.ts";
import { openXattrs } from "../../src/watch/xattrs.ts";
import { sameTree } from "../support/cli.ts";
import { faultOf } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";

class World {
  readonly root = mkdtempSync(join(tmpdir(), "hive-mirror-"));
  readonly source = join(this.root, "source");
  copy = join(this.root, "copy", "deep");
  /** Is told of the first thing that a look comes to. */
  onLooked: (() => void) | undefined;
  counts = { looked: 0, copied: 0, bytes: 0, removed: 0, skipped: 0, failed: 0 };
  #mirror: Mirror | undefined;

  constructor(t: Test) {
    mkdirSync(this.source);
    t.teardown(() => rmSync(this.root, { recursive: true, force: true }));
  }

  at(...names: readonly string[]): string {
    return join(this.source, ...names);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    writeFileSync(this.at(path), text);
  }

  open({ deletes, drive }: { readonly deletes: boolean; readonly drive?: bigint }): Mirror {
    const { counts } = this;
    const signal = new AbortController().signal;
    const owner = { mayGive: process.getuid?.() === 0 };
    const never = new Set(drive === undefined ? [] : [drive]);
    const needs = { owner, xattrs: openXattrs(() => counts.failed++), signal, never };
    this.#mirror = new Mirror({ source: this.source, copy: this.copy, deletes }, needs, {
      looked: () => {
        counts.looked++;
        this.onLooked?.();
      },
      copied: (bytes) => {
        counts.copied++;
        counts.bytes += bytes;
      },
      removed: () => counts.removed++,
      skipped: () => counts.skipped++,
      failed: () => counts.failed++,
    });
    return this.#mirror;
  }

  async look(folder = "", extent: Extent = "below"): Promise<typeof this.counts> {
    const mirror = this.#mirror ?? this.open({ deletes: false });
    for (const key of Object.keys(this.counts) as (keyof typeof this.counts)[]) this.counts[key] = 0;
    await mirror.look(folder, extent);
    return this.counts;
  }

  /** "" when the copy is the source. */
  differs(): Promise<string> {
    return sameTree(this.source, this.copy);
  }
}

test("bytes that are others under the same size and time are copied, and only these", async (t) => {
  const world = new World(t);
  world.write("edited", "0123456789".repeat(300_000));
  world.write("same", "as it was");
  symlinkSync("one", world.at("link"));
  const names = ["edited", "same"];
  for (const name of names) utimesSync(world.at(name), 1_000, 1_000);
  await world.look();
  t.match(await world.look(), { copied: 0 });
  world.write("edited", `${"0123456789".repeat(299_999)}0123456_89`);
  const before = lstatSync(join(world.copy, "same")).ino;
  for (const name of names) utimesSync(world.at(name), 1_000, 1_000);
  t.match(await world.look(), { copied: 1, bytes: 3_000_000 });
  t.equal(await world.differs(), "");
  t.equal(lstatSync(join(world.copy, "same")).ino, before, "it was dressed and is the same file");
  const { mtime, atime } = lstatSync(world.at("link"));
  rmSync(world.at("link"));
  symlinkSync("two", world.at("link"));
  lutimesSync(world.at("link"), atime, mtime);
  await world.look();
  t.equal(readlinkSync(join(world.copy, "link")), "two");
  t.match(await world.look(), { copied: 0 });
});

test("where no folder can be made, as in Shared, it is said what is missing and what to do", async (t) => {
  const world = new World(t);
  world.write("file", "content");
  world.copy = "/proc/not there/deep";
  const error = await world.look().then(() => undefined, (thrown: unknown) => thrown);
  t.ok(isFault(error, "Unavailable"));
  t.match((error as HiveError).subject, /^\/proc\/not there is not there and cannot be made .*hive accept/);
});

test("everything that a file is, and nothing the second time", async (t) => {
  const world = new World(t);
  world.write("a/b/file", "content");
  world.write("empty", "");
  chmodSync(world.at("a/b/file"), 0o4751);
  utimesSync(world.at("a/b/file"), 1_000_000_000.25, 1_234_567_890.123456);
  symlinkSync("../no where", world.at("a/link"));
  mkdirSync(world.at("a", "bare"));
  chmodSync(world.at("a", "bare"), 0o711);
  utimesSync(world.at("a", "bare"), 5, 7);
  execFileSync("mkfifo", [world.at("pipe")]);
  writeFileSync(Buffer.concat([Buffer.from(`${world.source}/`), Buffer.from([0xff, 0xfe])]), "odd");
  writeFileSync(world.at("sparse"), "x");
  truncateSync(world.at("sparse"), 40 * 1024 * 1024);
  const xattrs = openXattrs(() => undefined);
  execFileSync("setfattr", ["-n", "user.tag", "-v", "blue", world.at("a/b/file")]);
  const first = await world.look();
  t.match(first, { copied: 5, skipped: 1, failed: 0 });
  const [from, to] = [lstatSync(world.at("a/b/file")), lstatSync(join(world.copy, "a/b/file"))];
  t.equal(to.mode, from.mode);
  t.ok(Math.abs(to.mtimeMs - from.mtimeMs) < 0.002);
  t.equal(readlinkSync(join(world.copy, "a/link")), "../no where");
  t.equal(lstatSync(join(world.copy, "a/bare")).mode & 0o7777, 0o711);
  t.equal(lstatSync(join(world.copy, "a/bare")).mtimeMs, 7000);
  t.ok(lstatSync(join(world.copy, "sparse")).blocks < 5000, "holes stay holes");
  const tag = execFileSync("getfattr", ["--only-values", "-n", "user.tag", join(world.copy, "a/b/file")]);
  t.equal(String(tag), "blue");
  t.equal(readdirSync(world.copy, { encoding: "buffer" }).some((name) => name[0] === 0xff), true);
  rmSync(world.at("pipe"));
  t.equal(await world.differs(), "");
  t.match(await world.look(), { copied: 0, failed: 0 });

  execFileSync("setfattr", ["-n", "user.tag", "-v", "red", world.at("a/b/file")]);
  t.match(await world.look("a/b", new Set(["file"])), { copied: 0, looked: 1 });
  const again = execFileSync("getfattr", ["--only-values", "-n", "user.tag", join(world.copy, "a/b/file")]);
  t.equal(String(again), "red", "an attribute alone");
  chmodSync(world.at("a/b/file"), 0o600);
  await world.look("a/b", "all");
  t.equal(lstatSync(join(world.copy, "a/b/file")).mode & 0o7777, 0o600);
  xattrs.copy(Buffer.from(world.at("empty")), Buffer.from(join(world.copy, "a/b/file")));
  t.equal(String(execFileSync("getfattr", [join(world.copy, "a/b/file")])), "");
});

test("what is deleted stays, or goes where that is asked for; types may change", async (t) => {
  const world = new World(t);
  for (const name of ["kept", "turned/inside", "file"]) world.write(name, name);
  await world.look();
  rmSync(world.at("kept"));
  rmSync(world.at("turned"), { recursive: true });
  world.write("turned", "a file now");
  rmSync(world.at("file"));
  world.write("file/inside", "a folder now");
  await world.look();
  t.equal(readFileSync(join(world.copy, "kept"), "utf8"), "kept");
  t.equal(readFileSync(join(world.copy, "turned"), "utf8"), "a file now");
  t.equal(readFileSync(join(world.copy, "turned.replaced-1", "inside"), "utf8"), "turned/inside");
  t.equal(readFileSync(join(world.copy, "file.replaced-1"), "utf8"), "file");
  world.open({ deletes: true });
  world.write(".hiveignore", "left\n");
  writeFileSync(join(world.copy, "left"), "of before the rule");
  await world.look();
  t.strictSame(readdirSync(world.copy).sort(), [".hiveignore", "file", "left", "turned"]);
  rmSync(world.at("turned"));
  t.equal((await world.look("", new Set(["turned"]))).removed, 1);
  t.notOk(existsSync(join(world.copy, "turned")));
});

test("rules of several folders, and what they leave out is not watched either", async (t) => {
  const world = new World(t);
  world.write(".gitignore", "*.o\nnode_modules/\n");
  world.write(".hiveignore", "!keep.o\n");
  world.write("sub/.gitignore", "/here\n");
  for (const name of ["x.o", "keep.o", "sub/here", "sub/deep/here", "node_modules/a/b"]) {
    world.write(name, name);
  }
  await world.look();
  const found = execFileSync("find", [world.copy, "-type", "f", "-printf", "%P\n"]).toString();
  t.strictSame(found.trim().split("\n").sort(), [
    ".gitignore", ".hiveignore", "keep.o", "sub/.gitignore", "sub/deep/here",
  ]);
  const mirror = world.open({ deletes: false });
  await mirror.look("", "below");
  t.ok(mirror.ignoredFolders.has("node_modules"));
  await mirror.look("node_modules/a", "all");
  t.notOk(existsSync(join(world.copy, "node_modules")), "a notice from there changes nothing");
});

test("what a killed process left behind goes, and what cannot be read is told", async (t) => {
  const world = new World(t);
  world.write("file", "x");
  mkdirSync(world.copy, { recursive: true });
  const names = [1, process.pid].map((pid) => `.hive-watch-${pid}-1`);
  for (const name of names) writeFileSync(join(world.copy, name), "half");
  await world.look();
  t.strictSame(readdirSync(world.copy), ["file"]);
  rmSync(world.copy, { recursive: true });
  writeFileSync(world.copy, "not a folder");
  let kind = "";
  try {
    await world.look();
  } catch (error) {
    kind = isFault(error) ? error.kind : String(error);
  }
  t.equal(kind, "Unavailable", "a copy that cannot be written is waited for");
});

test("what cannot be kept, or not be had, is told, and keeps nothing else from being copied", async (t) => {
  const world = new World(t);
  // The copy lies deeper by some characters, and no path may be longer than this.
  const room = 4094 - world.at("").length;
  const deep = Array.from({ length: Math.floor(room / 200) }, () => "d".repeat(199)).join("/");
  world.write(`${deep}/${"f".repeat(room - deep.length - 1)}`, "at the end of a path");
  world.write("aa/.snapshots/inside", "of another file system's past");
  world.write("aa/.trash", "a file");
  for (const name of ["aa/beside", "zz/later", "first"]) world.write(name, name);
  t.match(await world.look(), { copied: 3, failed: 3 });
  for (const name of ["aa/beside", "zz/later", "first"]) t.ok(existsSync(join(world.copy, name)), name);
  t.strictSame(readdirSync(join(world.copy, "aa")), ["beside"]);
  t.match(await world.look("aa", "all"), { copied: 0, failed: 2 });
});

test("where the drive went nothing is made of its copy", async (t) => {
  const world = new World(t);
  world.write("file", "x");
  // That of the kernel's processes stands for a mount that is gone.
  const { dev } = lstatSync("/proc", { bigint: true });
  world.open({ deletes: false, drive: dev });
  t.equal(await faultOf(() => world.look()), "Unavailable");
  t.notOk(existsSync(dirname(world.copy)));
});

test("a disk that goes while it is looked at takes nothing of the copy along", async (t) => {
  const world = new World(t);
  for (let file = 0; file < 20; file++) world.write(`folder ${file % 4}/file ${file}`, `${file}`);
  world.open({ deletes: true });
  await world.look();
  const went = `${world.source} went`;
  for (const comes of [() => undefined, () => mkdirSync(world.source)]) {
    world.onLooked = () => {
      world.onLooked = undefined;
      renameSync(world.source, went);
      comes();
    };
    t.equal(await faultOf(() => world.look()), "NotFound");
    rmSync(world.source, { recursive: true, force: true });
    renameSync(went, world.source);
    t.equal(await world.differs(), "");
  }
  rmSync(world.at("folder 1"), { recursive: true });
  await world.look();
  t.equal(await world.differs(), "", "what is deleted there goes as ever");
});

test("a file that is written while it is copied is read again", async (t) => {
  const world = new World(t);
  const length = 8 * 1024 * 1024;
  writeFileSync(world.at("file"), Buffer.alloc(length, 1));
  let looks = 0;
  const signal = new AbortController().signal;
  const from = Buffer.from(world.at("file"));
  const [aside, to] = [Buffer.from(world.at("aside")), Buffer.from(world.at("copy"))];
  // Told each time just before the copy takes its place.
  const xattrs = {
    copy: () => {
      looks++;
      if (looks === 1) writeFileSync(world.at("file"), Buffer.alloc(length, 2));
    },
  };
  const places = { from, aside, to };
  t.equal(await copyFile(places, { owner: { mayGive: false }, xattrs, signal }), length);
  t.equal(looks, 1, "what changes after it was read is for the next look");
  const slow = { ...signal, throwIfAborted: () => {
    // In the midst of it, once.
    if (++looks === 3) writeFileSync(world.at("file"), Buffer.alloc(length, 3));
  } } as AbortSignal;
  await copyFile(places, { owner: { mayGive: false }, xattrs, signal: slow });
  t.ok(readFileSync(world.at("copy")).equals(Buffer.alloc(length, 3)), "no mixture of both");
  let changes = 0;
  const always = { ...signal, throwIfAborted: () => {
    writeFileSync(world.at("file"), Buffer.alloc(length + ++changes, 4));
  } } as AbortSignal;
  t.ok(Number(await copyFile(places, { owner: { mayGive: false }, xattrs, signal: always })) > 0);
  t.ok(changes < 40, "one that never rests is taken as it is");
  t.notOk(existsSync(world.at("aside")));
});

const names = ["a", "b", "c", "d"];

function changeOne(world: World, random: Random): void {
  const pick = (): string => names[random.below(names.length)] as string;
  const path = Array.from({ length: 1 + random.below(3) }, pick).join("/");
  const target = world.at(path);
  const dice = random.below(6);
  try {
    if (dice < 3) world.write(path, "x".repeat(random.below(5000)));
    else if (dice === 3) rmSync(target, { recursive: true, force: true });
    else if (dice === 4) symlinkSync(pick(), target);
    else renameSync(target, world.at(pick()));
  } catch {
    // A folder is in the way, or nothing is there: as programs have it, too.
  }
}

test("after any changes one look makes them alike", async (t) => {
  const random = seededRandom(`mirror ${seed}`);
  const world = new World(t);
  world.open({ deletes: true });
  for (let round = 0; round < 20; round++) {
    for (let change = 0; change < 12; change++) changeOne(world, random);
    await world.look();
    const differs = await world.differs();
    if (differs !== "") t.fail(`round ${round}, HIVE_SEED=${seed}: ${differs}`);
  }
  t.pass();
});
