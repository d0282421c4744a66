/**
 * `hive fsck` as a person meets it: a real drive on a real swarm, whose local state is damaged
 * while it is not mounted. What peers have comes back whole; what only this disk had is an error
 * there and nowhere else; and a check alone touches nothing.
 */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, openSync, readSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Test, test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import type { FsckProblem, FsckReport } from "../../src/base/damages.ts";
import { seededRandom } from "../../src/base/random.ts";
import { headerBytes, parseHeader } from "../../src/cache/files/frame.ts";
import { type Machine, newMachine } from "../support/cli.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const chunkBytes = 256 * 1024;

type Answer = FsckReport & { readonly found: readonly FsckProblem[]; readonly code: number | null };

test("damage, a check, a repair, and everything is right again", { timeout: 300_000 }, async (t) => {
  const machine = newMachine("fsck");
  t.teardown(() => machine.end());
  t.equal((await machine.hive(["fsck"])).code, 3, "without a drive there is nothing to check");
  await machine.must(t, ["mount", machine.mount, "--swarm", "4"]);
  const files = makeFiles(machine.mount);
  const mounted = await machine.hive(["fsck"]);
  t.equal(mounted.code, 8, "not while it is mounted");
  t.match(mounted.error, /hive unmount/);
  await machine.must(t, ["flush", "--timeout", "90"]);
  await machine.must(t, ["unmount"]);
  const whole = await fsck(machine, []);
  t.match(whole, { code: 0, problems: 0, givenUp: 0, elsewhere: 0, directories: 2 });
  t.equal(whole.files, files.size + 2);

  await onPeers(t, machine, files);
  await withoutIndex(t, machine, files);
  await oneLostChunk(t, machine, files);
});

/** Every block file is flipped, cut or taken away. */
async function onPeers(t: Test, machine: Machine, files: Files): Promise<void> {
  const random = seededRandom(seed);
  for (const [number, path] of blockFiles(machine).entries()) {
    const bytes = readFileSync(path);
    if (number % 3 === 2) truncateSync(path, random.below(bytes.length));
    else writeFileSync(path, flipped(bytes, { random, count: 20 }));
  }
  const before = stateOf(machine);
  const found = await fsck(machine, []);
  t.equal(found.code, 7);
  t.match(found.found, [{ what: "block", mended: true, loss: false }]);
  t.strictSame(stateOf(machine), before, "a check touches nothing");
  const text = await machine.hive(["fsck"]);
  t.match(text.out, /whole with peers: they are fetched again {2}\[can be mended\]/);
  t.match(text.error, /hive fsck --repair/);
  t.match(await fsck(machine, ["--repair"]), { code: 0, losses: 0, left: 0, repaired: true });
  t.match(await fsck(machine, []), { code: 0, problems: 0 });
  await mountAndCompare(t, machine, files);
}

async function withoutIndex(t: Test, machine: Machine, files: Files): Promise<void> {
  rmSync(join(machine.home, "state", "cache", "index"), { recursive: true });
  const [path] = blockFiles(machine);
  const bytes = readFileSync(path as string);
  writeFileSync(path as string, flipped(bytes, { random: seededRandom(`${seed}/2`), count: 3 }));
  t.match(await fsck(machine, []), { code: 7, losses: 0, left: 0 });
  t.match(await fsck(machine, ["--repair"]), { code: 0, losses: 0, left: 0 });
  t.match(await fsck(machine, []), { code: 0, problems: 0 });
  await mountAndCompare(t, machine, files);
}

async function oneLostChunk(t: Test, machine: Machine, files: Files): Promise<void> {
  await machine.must(t, ["swarm", "stop"]);
  await machine.must(t, ["mount", machine.mount]);
  const bytes = randomBytes(3 * chunkBytes);
  const path = join(machine.mount, "only here");
  writeFileSync(path, bytes);
  await machine.must(t, ["unmount"]);
  spoilChunk(machine, 1);

  const found = await fsck(machine, []);
  const told = { what: "data-lost", path: "/only here", loss: true, mended: true };
  t.match(found.found.filter(({ what }) => what !== "block"), [told]);
  t.match(found.found.at(-1)?.words, `bytes ${chunkBytes}-${2 * chunkBytes - 1} are lost`);
  t.match(await fsck(machine, ["--repair"]), { code: 7, losses: 1, left: 0 });
  t.match(await fsck(machine, []), { code: 0, problems: 0, givenUp: 1 });

  await machine.must(t, ["mount", machine.mount]);
  t.same(readPart(path, 0), bytes.subarray(0, chunkBytes), "before the lost range");
  t.throws(() => readPart(path, chunkBytes), { code: "EIO" }, "the lost range is an error");
  t.same(readPart(path, 2 * chunkBytes), bytes.subarray(2 * chunkBytes), "behind it");
  compare(t, machine, files);
  await machine.must(t, ["swarm", "start"]);
  await machine.must(t, ["flush", "--timeout", "90"]);
  t.equal((await machine.status()).dirtyBytes, 0, "what is lost keeps nothing from the peers");
  await machine.must(t, ["unmount"]);
}

type Files = ReadonlyMap<string, string>;

function makeFiles(mount: string): Files {
  const files = new Map<string, string>();
  const add = (name: string, bytes: Buffer): void => {
    writeFileSync(join(mount, name), bytes);
    files.set(name, hashOf(bytes));
  };
  mkdirSync(join(mount, "folder"));
  for (let index = 0; index < 30; index++) add(`folder/small ${index}`, randomBytes(100 + index));
  for (let index = 0; index < 5; index++) add(`large ${index}`, randomBytes(3 * MiB + index * 999));
  return files;
}

async function mountAndCompare(t: Test, machine: Machine, files: Files): Promise<void> {
  await machine.must(t, ["mount", machine.mount]);
  compare(t, machine, files);
  await machine.must(t, ["unmount"]);
}

function compare(t: Test, machine: Machine, files: Files): void {
  for (const [name, hash] of files) {
    const is = hashOf(readFileSync(join(machine.mount, name)));
    if (is !== hash) t.fail(`${name} is not what it was; HIVE_SEED=${seed}`);
  }
  t.equal(readdirSync(join(machine.mount, "folder")).length, 30);
}

async function fsck(machine: Machine, words: readonly string[]): Promise<Answer> {
  const { code, out, error } = await machine.hive(["fsck", "--json", ...words]);
  try {
    return { code, ...(JSON.parse(out) as Omit<Answer, "code">) };
  } catch {
    throw new Error(`hive fsck: ${code}\n${error}${out}`);
  }
}

function blockFiles(machine: Machine): string[] {
  const blocks = join(machine.home, "state", "cache", "blocks");
  return readdirSync(blocks).sort().map((name) => join(blocks, name));
}

/** The last but so many frames of a whole chunk: one flipped bit in its body. */
function spoilChunk(machine: Machine, fromEnd: number): void {
  const found: { path: string; at: number }[] = [];
  for (const path of blockFiles(machine)) {
    const bytes = readFileSync(path);
    for (let at = 0; at + headerBytes <= bytes.length; ) {
      const frame = parseHeader(bytes.subarray(at));
      const isChunk = frame?.kind === "block" && frame.lengthBytes > chunkBytes;
      if (isChunk) found.push({ path, at: at + headerBytes + 1000 });
      at += frame === undefined ? 1 : headerBytes + frame.lengthBytes;
    }
  }
  const { path, at } = found.at(-1 - fromEnd) as { path: string; at: number };
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}

function flipped(
  bytes: Buffer,
  { random, count }: { random: ReturnType<typeof seededRandom>; count: number },
): Buffer {
  for (let each = 0; each < count && bytes.length > 0; each++) {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 + random.below(255));
  }
  return bytes;
}

/** Every file of the local store and of the books, by hash. */
function stateOf(machine: Machine): string[] {
  const state = join(machine.home, "state");
  const names = ["cache", "node/books"].flatMap((part) => {
    const inside = readdirSync(join(state, part), { recursive: true, withFileTypes: true });
    return inside.filter((entry) => entry.isFile()).map((e) => join(e.parentPath, e.name));
  });
  return names.sort().map((name) => `${name} ${hashOf(readFileSync(name))}`);
}

function readPart(path: string, position: number): Buffer {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(chunkBytes);
    readSync(file, bytes, { position });
    return bytes;
  } finally {
    closeSync(file);
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
