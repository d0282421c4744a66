/**
 * Git as people use it, told to sync what it writes. A commit is acknowledged when git has returned
 * and its folder was fsynced: git moves a branch by a rename, which no file system promises to keep
 * before that. After a kill each acknowledged commit is in the branch's history, and fsck is happy.
 *
 * Run: git.ts write REPOSITORY SEED | git.ts check REPOSITORY COMMIT...
 */
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Place, type Workload, checkProgram, numberOf, startProgram } from "./workload.ts";
import { textOf } from "./workload.ts";

const self = fileURLToPath(import.meta.url);
const settings = ["core.fsync=all", "core.fsyncMethod=fsync", "user.name=crash", "gc.auto=0"];
const always = [...settings, "user.email=crash@example.org"].flatMap((words) => ["-c", words]);
/** Every so many commits the loose objects are packed, and the old packs go. */
const commitsPerRepack = 23;
const fileBytesMax = 20_000;

export function gitWorkload({ mount }: Place): Workload {
  const repository = join(mount, "git");
  const promised: string[] = [];
  return {
    name: "git",
    start: async (seed) => [startProgram(self, ["write", repository, seed])],
    acknowledge: (lines) => void promised.push(...lines),
    check: async () => {
      if (promised.length === 0) return [];
      return checkProgram(self, ["check", repository, ...promised]);
    },
  };
}

function write(repository: string, seed: string): void {
  mkdirSync(repository, { recursive: true });
  forgetLocks(join(repository, ".git"));
  if (hasCommit(repository)) must(repository, ["reset", "-q", "--hard"]);
  else begin(repository);
  const first = numberOf(`${seed}/repack`, commitsPerRepack);
  for (let number = 0; ; number++) {
    if ((first + number) % commitsPerRepack === 0) must(repository, ["repack", "-adq"]);
    change(repository, `${seed}/${number}`);
    must(repository, ["add", "-A"]);
    must(repository, ["commit", "-q", "--allow-empty", "-m", `${seed}/${number}`]);
    const commit = must(repository, ["rev-parse", "HEAD"]);
    sync(join(repository, ".git"));
    writeSync(1, `${commit}\n`);
  }
}

/** Whatever it is told, git leaves HEAD and its settings unsynced when it makes a repository. */
function begin(repository: string): void {
  rmSync(join(repository, ".git"), { recursive: true, force: true });
  must(repository, ["init", "-q", "-b", "main"]);
  for (const name of ["HEAD", "config"]) sync(join(repository, ".git", name));
}

function change(repository: string, name: string): void {
  for (let file = numberOf(name, 4); file >= 0; file--) {
    const of = `${name}/${file}`;
    const folder = join(repository, `folder-${numberOf(`folder/${of}`, 5)}`);
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `file-${numberOf(`file/${of}`, 40)}`);
    writeFileSync(path, textOf(of, 1 + numberOf(`length/${of}`, fileBytesMax)));
  }
}

function sync(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}

/** As git itself tells whoever finds one after a crash. */
function forgetLocks(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (name.endsWith(".lock")) rmSync(join(folder, name));
  }
}

function hasCommit(repository: string): boolean {
  return git(repository, ["rev-parse", "--verify", "-q", "HEAD"]).status === 0;
}

function git(repository: string, words: readonly string[]) {
  const all = [...always, "-C", repository, ...words];
  return spawnSync("git", all, { encoding: "utf8", maxBuffer: 2 ** 28 });
}

function must(repository: string, words: readonly string[]): string {
  const ran = git(repository, words);
  if (ran.status === 0) return ran.stdout.trim();
  throw new Error(`git ${words.join(" ")} ended with ${ran.status}: ${ran.stderr}`);
}

function check(repository: string, promised: readonly string[]): readonly string[] {
  const wrong: string[] = [];
  const fsck = git(repository, ["fsck", "--full", "--no-progress", "--no-dangling"]);
  if (fsck.status !== 0) wrong.push(`git fsck: ${fsck.status} ${fsck.stdout} ${fsck.stderr}`);
  const status = git(repository, ["status", "--porcelain"]);
  if (status.status !== 0) wrong.push(`git status: ${status.stderr}`);
  const listed = git(repository, ["rev-list", "HEAD"]);
  if (listed.status !== 0) wrong.push(`git rev-list: ${listed.stderr}`);
  const history = new Set(listed.stdout.split("\n"));
  const lost = promised.filter((commit) => !history.has(commit));
  if (lost.length > 0) wrong.push(`git: lost ${lost.length}: ${lost.slice(0, 3).join(" ")}`);
  return wrong;
}

if (process.argv[1] === self) {
  const [act, repository = "", ...rest] = process.argv.slice(2);
  if (act === "write") write(repository, rest[0] as string);
  else process.stdout.write(JSON.stringify(check(repository, rest)));
}
