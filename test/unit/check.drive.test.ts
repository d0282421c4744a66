/**
 * A drive's whole local state, damaged at random while nobody has it open: any file of LevelDB's
 * and any block file flipped, cut, emptied or taken away. A look touches nothing; a repair leaves
 * a drive that a second look finds well, and that reads as it did, or fails where that was told.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Test, test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { FsckProblem, FsckReport } from "../../src/base/damages.ts";
import { HiveError, isFault } from "../../src/base/errors.ts";
import { type Cid, type Ino, parseGroupId, parseName, parseSegmentId, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Random, seededRandom, systemRandom } from "../../src/base/random.ts";
import { type Cache, openCache, openKeyValue } from "../../src/cache/cache.ts";
import { checkDrive } from "../../src/check/check.ts";
import { Catalog } from "../../src/transfer/catalog/catalog.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { hashOf, listDirectory, nobody, readFile } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const rounds = Number(process.env["HIVE_ROUNDS"] ?? 12);
const treeSecret = Buffer.alloc(32, 7);
const world = { clock: systemClock, random: systemRandom, log: silentLog };
/** A busy machine must not fail it. */
const slow = { timeout: 120_000 };

type Answer = FsckReport & { readonly found: readonly FsckProblem[] };

/** A drive's folder, what peers have of it, and what each path held, the newest last. */
interface Drive {
  readonly directory: string;
  readonly peers: ReadonlyMap<Cid, Buffer>;
  readonly versions: ReadonlyMap<string, readonly Buffer[]>;
}

for (const state of ["unmounted", "killed", "on peers"] as const) {
  test(`a drive that was ${state}, damaged at random`, slow, async (t) => {
    const original = await newDrive(state);
    t.teardown(() => rmSync(original.directory, { recursive: true }));
    t.match(await fsck(original, {}), { problems: 0 }, "whole, it is found whole");
    let harmed = 0;
    for (let round = 0; round < rounds / 3; round++) {
      const random = seededRandom(`${seed}/${state}/${round}`);
      const directory = mkdtempSync(join(tmpdir(), "hive-check-"));
      try {
        cpSync(original.directory, directory, { recursive: true });
        const words = damage(directory, random);
        const where = `${words}; HIVE_SEED=${seed} node ${process.argv[1]}`;
        if (await playRound(t, { ...original, directory }, where)) harmed++;
      } finally {
        rmSync(directory, { recursive: true });
      }
    }
    t.ok(harmed > 0, `${harmed} rounds did harm`);
  });
}

test("books that are gone: what is here is uploaded again, nothing is given up", slow, async (t) => {
  const drive = await newDrive("on peers");
  t.teardown(() => rmSync(drive.directory, { recursive: true }));
  rmSync(join(drive.directory, "books"), { recursive: true });
  const cache = await open(drive);
  await cache.dropClean();
  await cache.close();
  const lost = await fsck(drive, { repair: true });
  t.ok(lost.left > 0 && lost.found.every(({ mended }) => !mended), "told, and left as it is");
  await writeBooks(drive, [...drive.peers.keys()]);
  t.match(await fsck(drive, {}), { problems: 0 }, "with the books of a backup all is well");
  await agree(t, drive, { problems: [], where: "books" });
});

/** True when something was found. */
async function playRound(t: Test, drive: Drive, where: string): Promise<boolean> {
  const before = stateOf(drive);
  const looked = await fsck(drive, {});
  t.strictSame(stateOf(drive), before, `a look touches nothing; ${where}`);
  const repaired = await fsck(drive, { repair: true });
  t.strictSame(kinds(repaired), kinds(looked), `the look told what the repair did; ${where}`);
  const again = await fsck(drive, {});
  const left = again.found.filter(({ mended }) => mended);
  t.strictSame(left, [], `a second look finds nothing to mend; ${where}`);
  t.equal(again.left, repaired.left, `what stays stays; ${where}`);
  const rootless = repaired.found.some(({ what }) => what === "root");
  if (!rootless) await agree(t, drive, { problems: repaired.found, where });
  return repaired.problems > 0;
}

function kinds({ found }: Answer): string[] {
  return found.map(({ what, path, words }) => `${what} ${path} ${words}`).sort();
}

async function fsck(drive: Drive, how: { readonly repair?: boolean }): Promise<Answer> {
  const found: FsckProblem[] = [];
  const { directory } = drive;
  const report = await checkDrive(
    { ...world, report: (problem) => void found.push(problem), progress: () => undefined },
    {
      cacheDirectory: join(directory, "cache"),
      booksDirectory: join(directory, "books"),
      treeSecret, repair: how.repair === true, giveUp: false,
    },
  );
  return { ...report, found };
}

async function newDrive(state: "unmounted" | "killed" | "on peers"): Promise<Drive> {
  const directory = mkdtempSync(join(tmpdir(), "hive-check-"));
  const random = seededRandom(`${seed}/${state}`);
  const versions = new Map<string, Buffer[]>();
  const peers = new Map<Cid, Buffer>();
  const drive = { directory, peers, versions };
  const cache = await open(drive);
  const tree = await openTree({ ...world, store: cache }, { treeSecret });
  const { ino } = await tree.mkdir(nobody, { parent: rootIno, name: parseName("folder") }, { mode: 0o755 });
  for (let index = 0; index < 14; index++) {
    const parent = index % 2 === 0 ? rootIno : ino;
    const path = `${index % 2 === 0 ? "" : "/folder"}/file ${index}`;
    await write(tree, { parent, path }, { random, versions });
  }
  await tree.link(nobody, (await tree.lookup({ parent: rootIno, name: parseName("file 0") })).ino, {
    parent: ino, name: parseName("linked"),
  });
  versions.set("/folder/linked", versions.get("/file 0") as Buffer[]);
  await tree.commit();
  if (state === "on peers") await placeAll(drive, cache, peers);
  // These are in the journal alone.
  for (const index of [2, 4, 20]) {
    await write(tree, { parent: rootIno, path: `/file ${index}` }, { random, versions });
  }
  await tree.fsyncdir(await tree.opendir(rootIno));
  if (state === "killed") {
    // What the disk has at this moment is what a kill leaves.
    const left = mkdtempSync(join(tmpdir(), "hive-check-"));
    cpSync(directory, left, { recursive: true });
    await tree.close();
    await cache.close();
    rmSync(directory, { recursive: true });
    return { ...drive, directory: left };
  }
  await tree.close();
  await cache.close();
  return drive;
}

async function write(
  tree: Tree,
  at: { readonly parent: Ino; readonly path: string },
  into: { readonly random: Random; readonly versions: Map<string, Buffer[]> },
): Promise<void> {
  const { random, versions } = into;
  const name = parseName(at.path.split("/").at(-1) as string);
  const flags = { read: true, write: true, append: false, truncate: true, exclusive: false };
  const place = { parent: at.parent, name };
  const { handle, attributes } = await tree.create(nobody, place, { mode: 0o644 }, flags);
  const lengthBytes = random.below(2) === 0 ? random.below(2000) : random.below(MiB);
  const outputLength = Math.max(1, lengthBytes);
  const bytes = createHash("shake256", { outputLength }).update(random.bytes(8)).digest();
  await tree.write(handle, 0, bytes);
  await tree.fsync(handle);
  tree.release(handle);
  tree.forget(attributes.ino, 1);
  // An emptied file between two versions is a version too.
  const before = versions.get(at.path) ?? [];
  versions.set(at.path, [...before, Buffer.alloc(0), bytes]);
}

async function placeAll(drive: Drive, cache: Cache, peers: Map<Cid, Buffer>): Promise<void> {
  const round = await cache.beginRound();
  if (round === undefined) throw new Error("nothing to place");
  for (const { cid } of round.blocks) peers.set(cid, Buffer.from(await cache.read(cid)));
  await writeBooks(drive, [...peers.keys()]);
  await cache.placed([...peers.keys()]);
  await cache.endRound(round.root);
}

async function writeBooks(drive: Drive, cids: readonly Cid[]): Promise<void> {
  await using books = await openKeyValue(join(drive.directory, "books"));
  const fetch = () => Promise.reject(new Error("no peers"));
  const catalog = new Catalog({ books, random: systemRandom, catalogKey: Buffer.alloc(32) }, fetch);
  const place = { segment: parseSegmentId("5".repeat(64)), group: parseGroupId("6".repeat(32)) };
  const entries = cids.map((cid) => ({ ...place, cid, offsetBytes: 0, lengthBytes: 100 }));
  await books.batch(await catalog.changesFor(entries));
}

function open({ directory, peers }: Pick<Drive, "directory" | "peers">): Promise<Cache> {
  const fetcher = {
    async fetch(cid: Cid) {
      const bytes = peers.get(cid);
      if (bytes !== undefined) return bytes;
      throw new HiveError("NotFound", "test.fetch", cid);
    },
  };
  return openCache({ ...world, directory: join(directory, "cache"), fetcher }, { limitBytes: 64 * MiB });
}

/** One to three files, each hurt in one way; in words. */
function damage(directory: string, random: Random): string {
  const parts = ["index", "blocks", "journal"].flatMap((part) => {
    const inside = join(directory, "cache", part);
    return readdirSync(inside).map((name) => join(inside, name));
  });
  const files = parts.filter((path) => !/LOCK$|LOG(\.old)?$/.test(path));
  const words: string[] = [];
  for (let each = 0; each <= random.below(3); each++) {
    const path = files[random.below(files.length)] as string;
    const way = ["flip", "flip", "flip", "cut", "zero", "remove"][random.below(6)] as string;
    words.push(`${way} ${path.split("/").slice(-2).join("/")}`);
    if (way === "remove") rmSync(path, { force: true });
    else if (existsSync(path)) writeFileSync(path, hurt(readFileSync(path), way, random));
  }
  return words.join(", ");
}

function hurt(bytes: Buffer, way: string, random: Random): Buffer {
  if (bytes.length === 0) return bytes;
  const at = random.below(bytes.length);
  if (way === "cut") return bytes.subarray(0, at);
  if (way === "zero") return bytes.fill(0, at);
  for (let flips = 0; flips <= random.below(4); flips++) {
    const flipped = random.below(bytes.length);
    bytes[flipped] = (bytes[flipped] as number) ^ (1 + random.below(255));
  }
  return bytes;
}

function stateOf({ directory }: Drive): string[] {
  const inside = readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = inside.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => {
    const path = join(parentPath, name);
    return `${path} ${hashOf(readFileSync(path))}`;
  }).sort();
}

/** Everything is the newest version; or an error, an older one or gone, where that was told. */
async function agree(
  t: Test,
  drive: Drive,
  { problems, where }: { readonly problems: readonly FsckProblem[]; readonly where: string },
): Promise<void> {
  const cache = await open(drive);
  const tree = await openTree({ ...world, store: cache }, { treeSecret });
  const is = await contents(tree);
  await tree.close();
  await cache.close();
  // Without the newest changes of the journal, or an older root, an older state is what is left.
  const isOlder = problems.some(({ what }) => what === "journal" || what === "index");
  const told = (what: string, path: string): boolean =>
    problems.some((problem) => {
      const same = drive.versions.get(problem.path ?? "") === drive.versions.get(path);
      const above = problem.path !== null && path.startsWith(problem.path);
      return problem.what === what && (same || above || problem.path === null);
    });
  for (const [path, versions] of drive.versions) {
    const bytes = is.get(path);
    const newest = versions.at(-1) as Buffer;
    const known = isOlder ? versions : [newest];
    if (bytes === undefined) {
      const allowed = isOlder || told("names-lost", path) || told("name-to-nothing", path);
      if (!allowed) t.fail(`${path} went silently; ${where}`);
    } else if (bytes === "EIO") {
      if (!told("data-lost", path)) t.fail(`${path}: EIO was not told; ${where}`);
    } else if (!known.some((version) => version.equals(bytes))) {
      t.fail(`${path} has ${bytes.length} bytes that were never there; ${where}`);
    }
  }
  t.pass(where);
}

async function contents(tree: Tree): Promise<Map<string, Buffer | "EIO">> {
  const found = new Map<string, Buffer | "EIO">();
  const walk = async (ino: Ino, path: string): Promise<void> => {
    for (const { name, attributes } of await listDirectory(tree, ino)) {
      const below = `${path}/${name}`;
      if ((attributes.mode & 0o170000) === 0o040000) await walk(attributes.ino, below);
      else found.set(below, await read(tree, attributes.ino));
      tree.forget(attributes.ino, 1);
    }
  };
  await walk(rootIno, "");
  return found;
}

async function read(tree: Tree, ino: Ino): Promise<Buffer | "EIO"> {
  try {
    return await readFile(tree, ino);
  } catch (error) {
    if (isFault(error, "Corrupt")) return "EIO";
    throw error;
  }
}
