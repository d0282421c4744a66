/**
 * Programs as people run them, on a mount of the real tree over the real store. git, npm, tar and a
 * C compiler must be here; of the others, what is not installed is named and not tried.
 */
import { accessSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type Test, test } from "tap";
import { run } from "../support/cli.ts";
import { Daemon } from "../fuzz/sides.ts";

interface Place {
  /** A folder of the mount for this program alone. */
  readonly mount: string;
  /** One elsewhere. */
  readonly plain: string;
  /** Runs it in `mount`; the test fails unless it ends with 0. */
  readonly must: (program: string, ...words: readonly string[]) => Promise<string>;
}

type Act = (t: Test, place: Place) => Promise<void>;

const required: Readonly<Record<string, readonly [programs: readonly string[], act: Act]>> = {
  "git commits, clones, packs, checks and grows worktrees": [["git"], git],
  "npm installs a package and its command": [["npm"], npm],
  "make -j2 builds once, and again what changed": [["make", "cc"], make],
  "four SQLite writers keep a database whole, with WAL and without": [["node"], sqlite],
  "tar finds no difference after the way there": [["tar"], tar],
  "a watcher sees what is made, changed, moved and removed": [["node"], watcher],
};

const optional: typeof required = {
  "rsync -aHAX there and back has nothing left to say": [["rsync", "setfacl", "setfattr"], rsync],
  "vim saves by renaming and by writing over": [["vim"], vim],
  "unzip unpacks": [["zip", "unzip"], unzip],
  "python makes a virtual environment that runs": [["python3"], python],
};

test("programs work on the mount as on a disk", { timeout: 120_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "hive-programs-"));
  const mount = join(directory, "mount");
  mkdirSync(mount);
  const daemon = await Daemon.start(mount, join(directory, "store"), 256);
  t.teardown(async () => {
    await daemon.end();
    rmSync(directory, { recursive: true });
  });
  const cases = [...Object.entries(required), ...Object.entries(optional)];
  for (const [sentence, [programs, act]] of cases) {
    const missing = programs.filter((program) => !isHere(program));
    const skip = missing.length > 0 && sentence in optional ? `not here: ${missing}` : false;
    await t.test(sentence, { skip, timeout: 60_000 }, async (t) => {
      if (missing.length > 0) throw new Error(`this test needs ${missing}`);
      await act(t, newPlace(t, directory, programs[0] as string));
    });
  }
});

function isHere(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), 1);
      return true;
    } catch {
      return false;
    }
  });
}

let places = 0;

function newPlace(t: Test, directory: string, name: string): Place {
  const folder = `${name}-${places++}`;
  const [mount, plain] = [join(directory, "mount", folder), join(directory, folder)];
  mkdirSync(mount);
  mkdirSync(plain);
  const must: Place["must"] = async (program, ...words) => {
    const { code, out, error } = await run(program, words, { cwd: mount, env: quiet });
    if (code !== 0) t.fail(`${program} ${words.join(" ")}: ${code}\n${out}${error}`.slice(0, 2000));
    return out;
  };
  return { mount, plain, must };
}

const quiet = {
  ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_AUTHOR_NAME: "a", GIT_AUTHOR_EMAIL: "a@b",
  GIT_COMMITTER_NAME: "a", GIT_COMMITTER_EMAIL: "a@b", npm_config_update_notifier: "false",
};

async function git(t: Test, { mount, must }: Place): Promise<void> {
  mkdirSync(join(mount, "repo", "src"), { recursive: true });
  for (let i = 0; i < 150; i++) writeFileSync(join(mount, "repo", "src", `${i}.txt`), `${i}\n`.repeat(i));
  const at = ["-C", "repo"];
  await must("git", "init", "-q", "repo");
  await must("git", ...at, "add", ".");
  await must("git", ...at, "commit", "-qm", "first");
  for (let i = 0; i < 50; i++) writeFileSync(join(mount, "repo", "src", `${i}.txt`), "changed\n");
  await must("git", ...at, "commit", "-qam", "second");
  await must("git", "clone", "-q", "repo", "clone");
  await must("git", ...at, "gc", "-q", "--aggressive", "--prune=now");
  t.equal(await must("git", ...at, "status", "--porcelain"), "");
  await must("git", ...at, "fsck", "--strict");
  await must("git", "-C", "clone", "fsck", "--strict");
  await must("git", ...at, "worktree", "add", "-q", "../tree", "HEAD~1");
  t.equal(readFileSync(join(mount, "tree", "src", "3.txt"), "utf8"), "3\n3\n3\n");
  t.equal(await must("git", "-C", "tree", "status", "--porcelain"), "");
}

async function npm(t: Test, { mount, must }: Place): Promise<void> {
  mkdirSync(join(mount, "dependency"));
  mkdirSync(join(mount, "app"));
  const write = (file: string, text: string) => writeFileSync(join(mount, file), text);
  const bin = { "say-it": "say.js" };
  write("dependency/package.json", JSON.stringify({ name: "dependency", version: "1.0.0", bin }));
  write("dependency/say.js", "#!/usr/bin/env node\nconsole.log('said')\n");
  write("app/package.json", JSON.stringify({ name: "app", version: "1.0.0" }));
  await must("npm", "pack", "--silent", "./dependency");
  await must("npm", "--prefix", "app", "install", "--offline", "--no-audit", "--no-fund",
    join(mount, "dependency-1.0.0.tgz"));
  t.match(await must("app/node_modules/.bin/say-it"), "said");
}

async function make(t: Test, { mount, must }: Place): Promise<void> {
  const numbers = Array.from({ length: 8 }, (_, i) => i);
  writeFileSync(join(mount, "all.h"), "#define START 0\n");
  for (const i of numbers) {
    writeFileSync(join(mount, `f${i}.c`), `#include "all.h"\nint f${i}(void){return START+${i};}\n`);
  }
  const [heads, sum] = [numbers.map((i) => `int f${i}(void);`), numbers.map((i) => `f${i}()`)];
  writeFileSync(join(mount, "main.c"), `${heads.join("")}int main(void){return ${sum.join("+")};}\n`);
  const objects = [...numbers.map((i) => `f${i}.o`), "main.o"].join(" ");
  writeFileSync(join(mount, "Makefile"),
    `prog: ${objects}\n\tcc -o $@ ${objects}\n%.o: %.c all.h\n\tcc -c $<\n`);
  await must("make", "-j2");
  t.equal((await run(join(mount, "prog"), [], {})).code, 28);
  t.match(await must("make", "-j2"), "up to date");
  writeFileSync(join(mount, "all.h"), "#define START 1\n");
  await must("make", "-j2");
  t.equal((await run(join(mount, "prog"), [], {})).code, 36);
}

const writer = `
  const { DatabaseSync } = require("node:sqlite");
  const db = new DatabaseSync(process.argv[1]);
  db.exec("PRAGMA busy_timeout = 60000");
  const put = db.prepare("INSERT INTO t (who, n, blob) VALUES (?, ?, randomblob(2000))");
  for (let n = 0; n < 40; n++) {
    db.exec("BEGIN IMMEDIATE");
    for (let i = 0; i < 5; i++) put.run(process.argv[2], n * 5 + i);
    db.exec("COMMIT");
  }
  db.close();`;

async function sqlite(t: Test, { mount, must }: Place): Promise<void> {
  for (const mode of ["wal", "delete"]) {
    const file = join(mount, `${mode}.db`);
    const node = (text: string, ...words: string[]) =>
      must(process.execPath, "--no-warnings", "-e", text, file, ...words);
    const open = `const db = new (require("node:sqlite").DatabaseSync)(process.argv[1]);`;
    await node(`${open} db.exec("PRAGMA journal_mode=${mode}; CREATE TABLE t (who, n, blob)")`);
    await Promise.all(["a", "b", "c", "d"].map((who) => node(writer, who)));
    const told = await node(`${open} console.log(
      db.prepare("PRAGMA integrity_check").get().integrity_check,
      db.prepare("SELECT count(DISTINCT who || n) AS c FROM t").get().c)`);
    t.equal(told, "ok 800\n", mode);
  }
}

async function tar(t: Test, { mount, plain, must }: Place): Promise<void> {
  mkdirSync(join(plain, "deep", "er"), { recursive: true });
  for (let i = 0; i < 60; i++) writeFileSync(join(plain, "deep", `${i}`), Buffer.alloc(i * 3000, i));
  await must("ln", join(plain, "deep", "3"), join(plain, "deep", "er", "link"));
  await must("ln", "-s", "../3", join(plain, "deep", "er", "symbolic"));
  await must("mkfifo", join(plain, "pipe"));
  await must("truncate", "-s", "5M", join(plain, "sparse"));
  await must("touch", "-d", "1999-12-31 23:59:59.987654321", join(plain, "deep", "7"));
  await must("tar", "--sparse", "--format=pax", "-cf", "all.tar", "-C", plain, ".");
  mkdirSync(join(mount, "out"));
  await must("tar", "-xpf", "all.tar", "-C", "out");
  t.equal(await must("tar", "-df", "all.tar", "-C", "out"), "");
  t.equal(statSync(join(mount, "out", "sparse")).blocks, 0);
  t.equal(statSync(join(mount, "out", "deep", "3")).nlink, 2);
}

async function watcher(t: Test, { mount }: Place): Promise<void> {
  const seen = new Set<string>();
  const enough = Promise.withResolvers<void>();
  const wanted = ["change new", "rename gone", "rename moved", "rename new"];
  // Every watcher of node's (chokidar too) stands on this.
  const watching = watch(mount, (event, name) => {
    seen.add(`${event} ${name}`);
    if (wanted.every((word) => seen.has(word))) enough.resolve();
  });
  const { code } = await run("sh", ["-c",
    "echo a > new; echo b >> new; echo c > old; mv old moved; echo d > gone; rm gone"],
  { cwd: mount });
  t.equal(code, 0);
  await enough.promise;
  watching.close();
  t.pass([...seen].sort().join(", "));
}

async function rsync(t: Test, { mount, plain, must }: Place): Promise<void> {
  const file = join(plain, "a", "file");
  mkdirSync(join(plain, "a", "b"), { recursive: true });
  writeFileSync(file, "contents");
  await must("ln", file, join(plain, "a", "b", "hard"));
  await must("ln", "-s", "../file", join(plain, "a", "b", "soft"));
  await must("setfattr", "-n", "user.colour", "-v", "green", file);
  await must("setfacl", "-m", "u:1234:rwx,d:g:99:r", join(plain, "a", "b"));
  await must("setfacl", "-m", "u:1234:r", file);
  await must("touch", "-hd", "2001-02-03 04:05:06.789", join(plain, "a", "b", "soft"));
  const again = ["-aHAXc", "--itemize-changes"];
  await must("rsync", "-aHAX", `${plain}/`, "there/");
  t.equal(await must("rsync", ...again, "--dry-run", `${plain}/`, "there/"), "");
  await must("rsync", "-aHAX", "there/", `${plain}-back/`);
  t.equal(await must("rsync", ...again, "--dry-run", `${plain}/`, `${plain}-back/`), "");
  t.equal(statSync(join(mount, "there", "a", "file")).nlink, 2);
}

async function vim(t: Test, { mount, must }: Place): Promise<void> {
  for (const [copy, same] of [["no", false], ["yes", true]] as const) {
    const file = join(mount, copy);
    writeFileSync(file, "one\n");
    await must("chmod", "640", file);
    const { ino } = statSync(file);
    const how = `set swapfile backup backupskip= backupcopy=${copy}`;
    await must("vim", "-u", "NONE", "-i", "NONE", "-es", "-c", how, "-c", "%s/one/two/", "-c", "wq", copy);
    t.equal(readFileSync(file, "utf8"), "two\n");
    t.equal(readFileSync(`${file}~`, "utf8"), "one\n", "the backup");
    t.equal(statSync(file).mode & 0o777, 0o640);
    t.equal(statSync(file).ino === ino, same, `backupcopy=${copy}`);
  }
}

async function unzip(t: Test, { mount, plain, must }: Place): Promise<void> {
  mkdirSync(join(plain, "z"));
  for (let i = 0; i < 40; i++) writeFileSync(join(plain, "z", `\u00e9${i}`), Buffer.alloc(i * 999, i));
  await must("sh", "-c", `cd ${plain} && zip -qry all.zip z`);
  await must("unzip", "-q", join(plain, "all.zip"));
  const diff = await run("diff", ["-r", join(plain, "z"), join(mount, "z")], {});
  t.equal(diff.out, "");
}

async function python(t: Test, { must }: Place): Promise<void> {
  await must("python3", "-m", "venv", "--without-pip", "env");
  t.match(await must("env/bin/python", "-c", "import sys; print(sys.prefix)"), /env$/m);
}
