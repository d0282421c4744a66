/**
 * tar unpacks a real tree, again and again. What it has finished is fsynced by another process, and
 * acknowledged then: it must have its bytes, its mode, its time and its links. All the rest, while
 * it is there, has bytes of the archive or none: no name ever shows what it never had.
 *
 * Run: untar.ts write ARCHIVE DIRECTORY NAME | untar.ts check DIRECTORY REFERENCE LIST
 */
import { spawn } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import { writeFileSync, writeSync } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { root, run } from "../cli.ts";
import { type Place, type Workload, checkProgram, limited, startProgram } from "./workload.ts";

const self = fileURLToPath(import.meta.url);
const packages = ["libp2p", "multiformats", "@multiformats", "@noble", "level"];
const parts = ["src", "test", "man", ...packages.map((name) => `node_modules/${name}`)];
/** Older trees are removed before a round begins. */
const treesKept = 2;
const syncsAtOnce = 16;
const pageBytes = 4096;

export function untarWorkload({ mount, outside }: Place): Workload {
  const directory = join(mount, "untar");
  const [archive, reference] = [join(outside, "tree.tar"), join(outside, "tree")];
  const list = join(outside, "unpacked.json");
  /** Tree by tree, in their order. */
  const promised = new Map<string, string[]>();
  return {
    name: "untar",
    async start(seed) {
      if (!existsSync(archive)) await makeArchive(archive, reference);
      const keep = [...promised.keys()].slice(-treesKept);
      const old = existsSync(directory) ? readdirSync(directory) : [];
      const unwanted = old.filter((tree) => !keep.includes(tree));
      for (const tree of promised.keys()) if (!keep.includes(tree)) promised.delete(tree);
      if (unwanted.length > 0) {
        await limited("rm", ["-rf", ...unwanted.map((tree) => join(directory, tree))]);
      }
      return [startProgram(self, ["write", archive, directory, seed.replaceAll(/\W+/g, "-")])];
    },
    acknowledge(lines) {
      for (const line of lines) {
        const [tree = ""] = line.split("/", 1);
        const names = promised.get(tree) ?? [];
        promised.set(tree, names);
        names.push(line.slice(tree.length + 1));
      }
    },
    async check() {
      if (!existsSync(archive)) return [];
      writeFileSync(list, JSON.stringify([...promised]));
      return checkProgram(self, ["check", directory, reference, list]);
    },
  };
}

async function makeArchive(archive: string, reference: string): Promise<void> {
  mkdirSync(reference);
  for (const [program, ...words] of [
    ["tar", "-cf", archive, "-C", root, ...parts],
    ["tar", "-xf", archive, "-C", reference],
  ]) {
    const ran = await run(program as string, words, {});
    if (ran.code !== 0) throw new Error(`${program} ended with ${ran.code}: ${ran.error}`);
  }
}

async function write(archive: string, directory: string, name: string): Promise<void> {
  for (let number = 0; ; number++) {
    const tree = `${name}-${number}`;
    mkdirSync(join(directory, tree), { recursive: true });
    await unpack(archive, directory, tree);
  }
}

async function unpack(archive: string, directory: string, tree: string): Promise<void> {
  const tar = spawn("tar", ["-xvf", archive, "-C", join(directory, tree)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => tar.once("close", resolve));
  let done: string[] = [];
  let syncing = Promise.resolve();
  const sync = (): void => {
    const batch = done;
    done = [];
    syncing = syncing.then(() => syncAll(directory, batch));
  };
  let current: string | undefined;
  for await (const line of createInterface({ input: tar.stdout })) {
    // tar says a name when it begins with it: the one before is finished.
    if (current !== undefined) done.push(`${tree}/${current}`);
    current = line.replace(/\/$/, "");
    if (done.length >= syncsAtOnce) sync();
  }
  const code = await ended;
  if (code !== 0) throw new Error(`tar ended with ${code}`);
  sync();
  await syncing;
}

async function syncAll(directory: string, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => syncOne(join(directory, name))));
  for (const name of names) writeSync(1, `${name}\n`);
}

/** A link has its name as soon as anything later is synced: the journal is one, in order. */
async function syncOne(path: string): Promise<void> {
  if ((await lstat(path)).isSymbolicLink()) return;
  const file: FileHandle = await open(path, "r");
  await file.sync();
  await file.close();
}

function check(directory: string, reference: string, list: string): readonly string[] {
  const promised = JSON.parse(readFileSync(list, "utf8")) as [string, string[]][];
  const wrong: string[] = [];
  for (const [tree, names] of promised) {
    for (const name of names) {
      const why = differs(join(reference, name), join(directory, tree, name));
      if (why !== "") wrong.push(`untar/${tree}/${name}: ${why}`);
    }
  }
  if (!existsSync(directory)) return wrong;
  for (const tree of readdirSync(directory)) {
    const top = join(directory, tree);
    for (const name of readdirSync(top, { recursive: true, encoding: "utf8" })) {
      if (!mayBe(join(reference, name), join(top, name))) wrong.push(`${tree}/${name}: garbage`);
    }
  }
  return wrong.slice(0, 20);
}

function differs(right: string, path: string): string {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return "gone";
  const [one, other] = [lstatSync(right), lstatSync(path)];
  if (one.mode !== other.mode) {
    // tar gives a directory its own mode and time at the very end.
    return one.isDirectory() && other.isDirectory() ? "" : `mode ${other.mode.toString(8)}`;
  }
  if (one.isSymbolicLink()) return readlinkSync(right) === readlinkSync(path) ? "" : "target";
  if (one.isDirectory()) return "";
  if (one.mtimeMs !== other.mtimeMs) return `time ${other.mtimeMs}`;
  return readFileSync(right).equals(readFileSync(path)) ? "" : `bytes, of ${other.size}`;
}

/** Never promised: each page has the archive's bytes or nothing yet. */
function mayBe(right: string, path: string): boolean {
  const [one, other] = [lstatSync(right, { throwIfNoEntry: false }), lstatSync(path)];
  if (one === undefined || !other.isFile()) return one !== undefined;
  const [bytes, found] = [readFileSync(right), readFileSync(path)];
  if (found.length > bytes.length) return false;
  for (let at = 0; at < found.length; at += pageBytes) {
    const page = found.subarray(at, at + pageBytes);
    const wanted = bytes.subarray(at, at + page.length);
    if (!page.equals(wanted) && page.some((byte) => byte !== 0)) return false;
  }
  return true;
}

if (process.argv[1] === self) {
  const [act, ...rest] = process.argv.slice(2) as [string, string, string, string];
  if (act === "write") await write(rest[0], rest[1], rest[2]);
  else process.stdout.write(JSON.stringify(check(rest[0], rest[1], rest[2])));
}
