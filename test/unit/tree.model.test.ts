/**
 * The tree against a model: random operations, commits in the middle of them, remounts, and power
 * cuts that lose what was not synced. After a cut the tree must be what it was after some
 * operation since the last sync, and each file's bytes must be some version since its own fsync.
 */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { assert, isFault } from "../../src/base/errors.ts";
import { type Ino, type Name, parseName, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Random, seededRandom, systemRandom } from "../../src/base/random.ts";
import type { FsckProblem } from "../../src/base/damages.ts";
import { checkTree } from "../../src/tree/check/check.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { type Seen, hashOf, nobody, walkTree } from "../support/walk.ts";

const seeds = process.env["HIVE_SEED"]?.split(",") ?? Array.from({ length: 12 }, (_, i) => `${i}`);
const stepsMax = Number(process.env["HIVE_STEPS"] ?? 250);
const treeSecret = Buffer.alloc(32, 9);
const readWrite = { read: true, write: true, append: false, truncate: false };

interface ModelNode {
  readonly ino: Ino;
  readonly type: "file" | "directory" | "symlink";
  mode: number;
  bytes: Buffer;
  readonly names: Map<Name, ModelNode>;
  readonly xattrs: Map<string, string>;
  links: number;
}

interface Slot {
  readonly parent: ModelNode;
  readonly name: Name;
  readonly node: ModelNode | undefined;
}

class World {
  readonly random: Random;
  store: MemoryStore;
  tree: Tree;
  root: ModelNode;
  /** Structures since the last sync, oldest first: what a power cut may leave. */
  possible: string[] = [];
  /** Versions of each file's bytes since its last fsync. */
  versions = new Map<Ino, string[]>();
  commits: Promise<void>[] = [];
  log: string[] = [];

  constructor(random: Random, store: MemoryStore, tree: Tree) {
    this.random = random;
    this.store = store;
    this.tree = tree;
    this.root = modelNode(rootIno, "directory", 0o755);
    this.synced();
  }

  pick<T>(items: readonly T[]): T {
    return items[this.random.below(items.length)] as T;
  }

  all(): Slot[] {
    const slots: Slot[] = [];
    const walk = (parent: ModelNode) => {
      for (const [name, node] of parent.names) {
        slots.push({ parent, name, node });
        if (node.type === "directory") walk(node);
      }
    };
    walk(this.root);
    return slots;
  }

  files(): ModelNode[] {
    return this.all().map(({ node }) => node).filter((node) => node?.type === "file") as ModelNode[];
  }

  directories(): ModelNode[] {
    const below = this.all().map(({ node }) => node as ModelNode);
    return [this.root, ...below.filter(({ type }) => type === "directory")];
  }

  /** A place that may or may not have a name in it. */
  slot(): Slot {
    const parent = this.pick(this.directories());
    const name = parseName(`n${this.random.below(6)}`);
    return { parent, name, node: parent.names.get(name) };
  }

  /** Structure only: what metadata records tell. */
  structure(): string {
    const lines: string[] = [`/ ${this.root.links} ${this.root.mode.toString(8)}`];
    const walk = (node: ModelNode, path: string) => {
      for (const [name, child] of [...node.names].sort(([a], [b]) => (a < b ? -1 : 1))) {
        const below = `${path}/${name}`;
        const xattrs = [...child.xattrs].sort().map(([k, v]) => `${k}=${v}`);
        const target = child.type === "symlink" ? child.bytes.toString("latin1") : "";
        const mode = child.mode.toString(8);
        lines.push([below, child.ino, child.type, mode, child.links, xattrs, target].join(" "));
        if (child.type === "directory") walk(child, below);
      }
    };
    walk(this.root, "");
    return lines.sort().join("\n");
  }

  changed(): void {
    this.possible.push(this.structure());
  }

  wrote(node: ModelNode): void {
    const known = this.versions.get(node.ino) ?? [hashOf(Buffer.alloc(0))];
    this.versions.set(node.ino, [...known, hashOf(node.bytes)]);
  }

  synced(): void {
    this.possible = [this.structure()];
  }
}

function modelNode(ino: Ino, type: ModelNode["type"], mode: number): ModelNode {
  const links = type === "directory" ? 2 : 1;
  return { ino, type, mode, bytes: Buffer.alloc(0), names: new Map(), xattrs: new Map(), links };
}

type Act = (world: World) => Promise<string>;

const acts: readonly (readonly [weight: number, act: Act])[] = [
  [14, createFile], [6, makeDirectory], [3, makeSymlink], [5, makeLink], [8, removeFile],
  [4, removeDirectory], [14, renameAny], [24, writeFile], [5, truncateFile], [4, punchFile],
  [4, changeMode], [5, setXattr], [3, copyFile], [6, fsyncFile], [3, commitLater], [1, syncAll],
];
const total = acts.reduce((sum, [weight]) => sum + weight, 0);

async function createFile(world: World): Promise<string> {
  const { parent, name, node } = world.slot();
  const at = { parent: parent.ino, name };
  const flags = { ...readWrite, exclusive: true };
  const call = async () => world.tree.create(nobody, at, { mode: 0o644 }, flags);
  if (node !== undefined) return expectFault(call, "Exists");
  const { attributes, handle } = await call();
  world.tree.release(handle);
  parent.names.set(name, modelNode(attributes.ino, "file", 0o644));
  world.wrote(parent.names.get(name) as ModelNode);
  return `create ${name}`;
}

async function makeDirectory(world: World): Promise<string> {
  const { parent, name, node } = world.slot();
  const call = async () => world.tree.mkdir(nobody, { parent: parent.ino, name }, { mode: 0o755 });
  if (node !== undefined) return expectFault(call, "Exists");
  const { ino } = await call();
  parent.names.set(name, modelNode(ino, "directory", 0o755 | (parent.mode & 0o2000)));
  parent.links++;
  return `mkdir ${name} ${ino}`;
}

async function makeSymlink(world: World): Promise<string> {
  const { parent, name, node } = world.slot();
  const target = Buffer.from("t".repeat(1 + world.random.below(900)));
  const call = async () => world.tree.symlink(nobody, { parent: parent.ino, name }, target);
  if (node !== undefined) return expectFault(call, "Exists");
  const made = modelNode((await call()).ino, "symlink", 0o777);
  made.bytes = target;
  parent.names.set(name, made);
  return `symlink ${name}`;
}

async function makeLink(world: World): Promise<string> {
  const { parent, name, node } = world.slot();
  const file = world.files().at(0) && world.pick(world.files());
  if (file === undefined) return "no file to link";
  const call = async () => world.tree.link(nobody, file.ino, { parent: parent.ino, name });
  if (node !== undefined) return expectFault(call, "Exists");
  await call();
  parent.names.set(name, file);
  file.links++;
  return `link ${file.ino} ${name}`;
}

async function removeFile(world: World): Promise<string> {
  const { parent, name, node } = world.slot();
  const call = async () => world.tree.unlink(nobody, { parent: parent.ino, name });
  if (node === undefined) return expectFault(call, "NotFound");
  if (node.type === "directory") return expectFault(call, "IsDirectory");
  await call();
  parent.names.delete(name);
  node.links--;
  return `unlink ${name}`;
}

async function removeDirectory(world: World): Promise<string> {
  const { parent, name, node } = world.slot();
  const call = async () => world.tree.rmdir(nobody, { parent: parent.ino, name });
  if (node === undefined) return expectFault(call, "NotFound");
  if (node.type !== "directory") return expectFault(call, "NotDirectory");
  if (node.names.size > 0) return expectFault(call, "NotEmpty");
  await call();
  parent.names.delete(name);
  parent.links--;
  return `rmdir ${name}`;
}

async function renameAny(world: World): Promise<string> {
  const from = world.slot();
  const to = world.slot();
  const kind = world.pick(["replace", "replace", "noreplace", "exchange"] as const);
  const places = [
    { parent: from.parent.ino, name: from.name },
    { parent: to.parent.ino, name: to.name },
  ] as const;
  const call = async () => world.tree.rename(nobody, places[0], places[1], kind);
  const fault = renameFault(from, to, kind);
  const text = `rename ${kind} ${places[0].parent}/${from.name} ${places[1].parent}/${to.name}`;
  if (fault !== undefined) return `${text} ${await expectFault(call, fault)}`;
  await call();
  if (from.node !== to.node) renameModel(from, to, kind === "exchange");
  return text;
}

function renameFault(from: Slot, to: Slot, kind: string) {
  if (from.node === undefined) return "NotFound" as const;
  if (kind === "exchange" && to.node === undefined) return "NotFound" as const;
  if (kind === "noreplace" && to.node !== undefined) return "Exists" as const;
  if (isBelow(to.parent, from.node)) return "Invalid" as const;
  if (kind === "exchange") {
    return isBelow(from.parent, to.node as ModelNode) ? ("Invalid" as const) : undefined;
  }
  if (to.node === undefined || from.node === to.node) return undefined;
  const [moves, goes] = [from.node.type === "directory", to.node.type === "directory"];
  if (moves && !goes) return "NotDirectory" as const;
  if (!moves && goes) return "IsDirectory" as const;
  return goes && to.node.names.size > 0 ? ("NotEmpty" as const) : undefined;
}

function renameModel(from: Slot, to: Slot, exchange: boolean): void {
  const node = from.node as ModelNode;
  const isDirectory = (other: ModelNode | undefined) => Number(other?.type === "directory");
  from.parent.names.delete(from.name);
  from.parent.links -= isDirectory(node);
  to.parent.links += isDirectory(node) - isDirectory(to.node);
  to.parent.names.set(to.name, node);
  if (exchange) {
    from.parent.names.set(from.name, to.node as ModelNode);
    from.parent.links += isDirectory(to.node);
  } else if (to.node !== undefined) to.node.links--;
}

function isBelow(node: ModelNode, above: ModelNode): boolean {
  return node === above || [...above.names.values()].some((child) => isBelow(node, child));
}

async function withFile(
  world: World,
  act: (file: ModelNode, handle: Awaited<ReturnType<Tree["open"]>>) => Promise<string>,
): Promise<string> {
  const files = world.files();
  if (files.length === 0) return "no file";
  const file = world.pick(files);
  const handle = await world.tree.open(nobody, file.ino, readWrite);
  const text = await act(file, handle);
  await world.tree.release(handle);
  return `${text} ${file.ino}`;
}

const offsets = [0, 0, 1, 1000, 2000, 2048, 4096, 100_000, 262_144, 262_140, 300_000, 524_288];
const lengths = [1, 10, 100, 2000, 2048, 2049, 4096, 5000, 65_536, 70_000, 262_144, 300_000];

function writeFile(world: World): Promise<string> {
  return withFile(world, async (file, handle) => {
    const small = world.random.below(3) === 0;
    const offset = small ? world.random.below(1500) : world.pick(offsets);
    const length = small ? 1 + world.random.below(500) : world.pick(lengths);
    const bytes = Buffer.alloc(length, 1 + world.random.below(255));
    const written = Buffer.from(bytes);
    const count = await world.tree.write(handle, offset, written);
    written.fill(0);
    assert(count === length);
    const grown = Buffer.alloc(Math.max(file.bytes.length, offset + length));
    file.bytes.copy(grown);
    bytes.copy(grown, offset);
    file.bytes = grown;
    world.wrote(file);
    return `write ${offset}+${length}`;
  });
}

function truncateFile(world: World): Promise<string> {
  return withFile(world, async (file) => {
    const sizeBytes = world.pick([0, 1, 500, 2048, 3000, 150_000, 262_144, 262_145, 700_000]);
    await world.tree.setattr(nobody, file.ino, { sizeBytes });
    const cut = Buffer.alloc(sizeBytes);
    file.bytes.copy(cut);
    file.bytes = cut;
    world.wrote(file);
    return `truncate ${sizeBytes}`;
  });
}

function punchFile(world: World): Promise<string> {
  return withFile(world, async (file, handle) => {
    const offsetBytes = world.pick(offsets);
    const lengthBytes = world.pick(lengths);
    const kind = world.pick(["punch-hole", "zero-range", "zero-keep-size", "extend"] as const);
    // Its parts are published one after the other: none of them is a version of its own.
    await world.tree.fsync(handle);
    await world.tree.allocate(handle, { offsetBytes, lengthBytes }, kind);
    await world.tree.fsync(handle);
    const end = offsetBytes + lengthBytes;
    const grows = kind === "zero-range" || kind === "extend";
    const next = Buffer.alloc(grows ? Math.max(end, file.bytes.length) : file.bytes.length);
    file.bytes.copy(next);
    if (kind !== "extend") next.fill(0, Math.min(offsetBytes, next.length), Math.min(end, next.length));
    file.bytes = next;
    fsynced(world, file);
    return `${kind} ${offsetBytes}+${lengthBytes}`;
  });
}

function copyFile(world: World): Promise<string> {
  return withFile(world, async (file, handle) => {
    const others = world.files().filter((other) => other !== file);
    if (others.length === 0) return "no other";
    const other = world.pick(others);
    const from = await world.tree.open(nobody, other.ino, readWrite);
    const lengthBytes = world.pick([5000, 300_000, 524_288, 600_000]);
    const range = { offsetBytes: world.pick([0, 0, 262_144, 777]), lengthBytes };
    const to = world.pick([0, 0, 262_144, 4096]);
    const count = await world.tree.copyRange(from, range, handle, to);
    await world.tree.release(from);
    await world.tree.fsync(handle);
    const part = other.bytes.subarray(range.offsetBytes, range.offsetBytes + lengthBytes);
    assert(count === part.length, `copied ${count} of ${part.length}`);
    const next = Buffer.alloc(count === 0 ? file.bytes.length : Math.max(file.bytes.length, to + count));
    file.bytes.copy(next);
    part.copy(next, to);
    file.bytes = next;
    fsynced(world, file);
    return `copy ${other.ino} ${range.offsetBytes}+${lengthBytes} to ${to}`;
  });
}

function fsyncFile(world: World): Promise<string> {
  return withFile(world, async (file, handle) => {
    await world.tree.fsync(handle);
    fsynced(world, file);
    return "fsync";
  });
}

function fsynced(world: World, file: ModelNode): void {
  world.versions.set(file.ino, [hashOf(file.bytes)]);
  world.synced();
}

async function changeMode(world: World): Promise<string> {
  const slots = world.all().filter(({ node }) => node?.type !== "symlink");
  if (slots.length === 0) return "nothing to chmod";
  const node = world.pick(slots).node as ModelNode;
  node.mode = world.random.below(0o10000);
  await world.tree.setattr(nobody, node.ino, { mode: node.mode });
  return `chmod ${node.ino}`;
}

async function setXattr(world: World): Promise<string> {
  const slots = world.all();
  if (slots.length === 0) return "nothing to mark";
  const node = world.pick(slots).node as ModelNode;
  const name = `user.x${world.random.below(3)}`;
  if (world.random.below(3) === 0) {
    const call = async () => world.tree.removexattr(nobody, node.ino, name);
    if (!node.xattrs.delete(name)) return expectFault(call, "NoData");
    await call();
    return `removexattr ${node.ino}`;
  }
  const value = Buffer.alloc(world.pick([0, 10, 300, 5000]), 7);
  await world.tree.setxattr(nobody, node.ino, name, value, "any");
  node.xattrs.set(name, value.toString("hex"));
  return `setxattr ${node.ino}`;
}

async function commitLater(world: World): Promise<string> {
  world.commits.push(world.tree.commit());
  return "commit";
}

async function syncAll(world: World): Promise<string> {
  await world.tree.syncAll();
  for (const file of world.files()) world.versions.set(file.ino, [hashOf(file.bytes)]);
  world.synced();
  return "sync";
}

async function expectFault(call: () => unknown, kind: Parameters<typeof isFault>[1]) {
  try {
    await call();
  } catch (error) {
    if (isFault(error, kind as "Exists")) return `${kind}`;
    throw error;
  }
  throw new Error(`expected ${kind}`);
}

/** The tree is what the model says, byte by byte. */
function compare(world: World, seen: ReadonlyMap<string, Seen>, versions: boolean): string {
  const lines: string[] = [];
  for (const [path, { attributes, xattrs, content }] of seen) {
    const { ino, links } = attributes;
    const mode = (attributes.mode & 0o7777).toString(8);
    const type = typeOf(attributes.mode);
    if (path === "/") lines.push(`/ ${links} ${mode}`);
    else {
      const target = type === "symlink" ? content : "";
      lines.push([path, ino, type, mode, links, xattrs, target].join(" "));
    }
    if (type !== "file" || !versions) continue;
    const known = world.versions.get(ino) ?? [];
    if (known.includes(content)) continue;
    throw new Error(`bytes of ${path} (${ino}, ${attributes.sizeBytes})`);
  }
  return lines.sort().join("\n");
}

function typeOf(mode: number): ModelNode["type"] {
  const type = mode & 0o170000;
  return type === 0o040000 ? "directory" : type === 0o120000 ? "symlink" : "file";
}

async function check(world: World): Promise<void> {
  const seen = await walkTree(world.tree);
  const lines = compare(world, seen, false);
  if (lines !== world.structure()) throw new Error(`\n${lines}\nis not\n${world.structure()}`);
  const bytes = new Map(world.files().map((file) => [file.ino, file.bytes]));
  for (const [path, { attributes, content }] of seen) {
    const expected = bytes.get(attributes.ino);
    if (expected === undefined) continue;
    if (attributes.sizeBytes !== expected.length) throw new Error(`size of ${path}`);
    if (content !== hashOf(expected)) throw new Error(`bytes of ${path} (${attributes.ino})`);
  }
}

/** Power off, at any moment; what comes back must be a state that was. */
async function crash(world: World): Promise<void> {
  const kept = world.random.below(world.store.unsyncedRecords + 1);
  world.store = world.store.crash(kept);
  world.tree = await openTree(needsOf(world.store, world.random), { treeSecret });
  await findWhole(world.store);
  await takeOver(world, await walkTree(world.tree));
}

/** Whatever happened before, a check finds nothing wrong with what was committed. */
async function findWhole(store: MemoryStore): Promise<void> {
  const problems: FsckProblem[] = [];
  const report = (problem: FsckProblem): void => void problems.push(problem);
  const needs = { store, clock: systemClock, random: systemRandom, report };
  const more = { whereIs: async () => "nowhere" as const, progress: () => undefined };
  await checkTree({ ...needs, ...more }, { treeSecret, spoilt: [] });
  if (problems.length > 0) throw new Error(`a check: ${JSON.stringify(problems, undefined, 1)}`);
}

/** The model becomes what the tree is, once that was found possible. */
async function takeOver(world: World, seen: ReadonlyMap<string, Seen>): Promise<void> {
  const lines = compare(world, seen, true);
  if (!world.possible.includes(lines)) {
    throw new Error(`after a crash:\n${lines}\nwas never; newest was\n${world.possible.at(-1)}`);
  }
  const nodes = new Map<Ino, ModelNode>();
  for (const [path, { attributes, xattrs, content }] of seen) {
    const { ino, links } = attributes;
    const type = typeOf(attributes.mode);
    const node = nodes.get(ino) ?? modelNode(ino, type, attributes.mode & 0o7777);
    nodes.set(ino, node);
    node.links = links;
    for (const pair of xattrs) node.xattrs.set(...(pair.split("=") as [string, string]));
    if (type === "symlink") node.bytes = Buffer.from(content, "latin1");
    if (type === "file") node.bytes = await bytesOf(world.tree, ino, path);
    if (type === "file") world.versions.set(ino, [hashOf(node.bytes)]);
    if (path === "/") world.root = node;
    else parentOf(world.root, path).names.set(parseName(path.split("/").at(-1) as string), node);
  }
  world.synced();
}

function parentOf(root: ModelNode, path: string): ModelNode {
  const names = path.split("/").slice(1, -1);
  return names.reduce((node, name) => node.names.get(parseName(name)) as ModelNode, root);
}

async function bytesOf(tree: Tree, ino: Ino, path: string): Promise<Buffer> {
  await tree.walk(path.split("/").slice(1));
  const handle = await tree.open(nobody, ino, readWrite);
  const pieces = await tree.read(handle, { offsetBytes: 0, lengthBytes: 2 ** 30 });
  const bytes = Buffer.concat(pieces);
  await tree.release(handle);
  return bytes;
}

/** The kernel would have looked up each node that it names. */
async function lookUpAll(world: World): Promise<void> {
  const walk = async (node: ModelNode) => {
    for (const [name, child] of node.names) {
      await world.tree.lookup({ parent: node.ino, name });
      if (child.type === "directory") await walk(child);
    }
  };
  await walk(world.root);
}

/** Time passes as the seed says, so that slices of work end where they ended before. */
function needsOf(store: MemoryStore, random: Random) {
  let ms = 0;
  const clock = { ...systemClock, monotonicMs: () => (ms += random.below(3)) };
  return { store, clock, random, log: silentLog };
}

async function play(seed: string): Promise<void> {
  const random = seededRandom(`model ${seed}`);
  const late = random.below(2) === 0 ? { late: seededRandom(`late ${seed}`) } : {};
  const store = new MemoryStore(late);
  const tree = await openTree(needsOf(store, random), { treeSecret });
  const world = new World(random, store, tree);
  try {
    for (let step = 0; step < stepsMax; step++) await playStep(world, step);
    await Promise.all(world.commits);
    await check(world);
  } catch (cause) {
    const log = world.log.slice(-40).join("\n");
    throw new Error(`seed ${seed}: ${String(cause)}\n${log}`, { cause });
  }
}

async function playStep(world: World, step: number): Promise<void> {
  let at = world.random.below(total);
  const chosen = acts.find(([weight]) => (at -= weight) < 0);
  assert(chosen !== undefined);
  world.log.push(`${step} ${chosen[1].name}`);
  const text = await chosen[1](world);
  world.log.push(`${step} ${text}`);
  world.changed();
  const dice = world.random.below(100);
  if (dice < 3) {
    world.log.push("crash");
    await crash(world);
    await lookUpAll(world);
  } else if (dice < 5) {
    world.log.push("remount");
    await world.tree.close();
    if (world.store.journalCount !== 0) throw new Error("a clean close left a journal");
    await findWhole(world.store);
    world.tree = await openTree(needsOf(world.store, world.random), { treeSecret });
    await check(world);
    for (const file of world.files()) world.versions.set(file.ino, [hashOf(file.bytes)]);
    world.synced();
    await lookUpAll(world);
  } else if (dice < 10) await check(world);
}

for (const seed of seeds) {
  test(`seed ${seed}: the tree is the model, through commits and power cuts`, async () => {
    await play(seed);
  });
}

process.on("exit", (code) => {
  if (code !== 0) console.error("replay: HIVE_SEED=<seed> node test/unit/tree.model.test.ts");
});
