/**
 * Folders to CAR files and back: what comes out is what went in, every IPFS tool would give it the
 * same CIDs, and Helia itself reads it.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, symlinkSync, truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { unixfs } from "@helia/unixfs";
import { CarReader } from "@ipld/car";
import { MemoryBlockstore } from "blockstore-core";
import { CID } from "multiformats/cid";
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { importCar, publish } from "../../src/unixfs/unixfs.ts";
import { cidOf, temporaryFolder } from "../support/cars.ts";
import { faultOf } from "../support/faults.ts";
import { run } from "../support/cli.ts";

const { signal } = new AbortController();
const toFile = { replaces: false, keepsModes: false, signal };
const whole = { root: undefined, heldBytesMax: undefined, signal };

/** Every path below, with what stands there. */
function treeOf(path: string, below = ""): Record<string, string> {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) return { [below]: `-> ${readlinkSync(path)}` };
  if (stats.isFile()) return { [below]: createHash("sha256").update(readFileSync(path)).digest("hex") };
  const inside = readdirSync(path).map((name) => treeOf(join(path, name), `${below}/${name}`));
  return Object.assign({ [below]: "folder" }, ...inside);
}

test("a folder comes back as it was, with odd names, symlinks and many names", async (t) => {
  const folder = temporaryFolder(t);
  const source = join(folder, "source");
  mkdirSync(join(source, "a", "b", "c"), { recursive: true });
  mkdirSync(join(source, "empty"));
  mkdirSync(join(source, "many"));
  for (const [name, bytes] of [["none", 0], ["one", 1], ["chunk", 262_144], ["large", 5 * 1024 * 1024]] as const) {
    writeFileSync(join(source, "a", name), randomBytes(bytes));
  }
  const odd = ["\n", "-", "a\\b", "ends\\", "ünï ☂", " ", "0A", "__proto__", "..x", "n".repeat(255), "\u202e.txt", "^"];
  for (const name of odd) writeFileSync(join(source, "a", "b", name), name);
  symlinkSync("../none", join(source, "a", "b", "link"));
  symlinkSync("/nowhere/at all", join(source, "a", "b", "c", "dangling"));
  for (let index = 0; index < 3000; index++) writeFileSync(join(source, "many", `${index}${"-".repeat(120)}`), "x");
  const file = join(folder, "out.car");
  const out = await publish(source, { ...toFile, file });
  t.match(out, { files: 3000 + odd.length + 4, folders: 6, symlinks: 2, leftOut: 0 });
  t.equal(out.carBytes, lstatSync(file).size);
  t.ok(out.carBytes < 7 * 1024 * 1024, "a block that comes again is there once");
  const back = await importCar(file, { ...whole, into: join(folder, "back") });
  t.match(back, { root: out.root, files: out.files, folders: 6, symlinks: 2, bytes: out.bytes });
  t.strictSame(treeOf(join(folder, "back")), treeOf(source));
  const reader = await CarReader.fromBytes(readFileSync(file));
  t.strictSame([reader.version, (await reader.getRoots()).map(String)], [1, [String(out.root)]]);
  const blocks = new MemoryBlockstore();
  let largest = 0;
  for await (const { cid, bytes } of reader.blocks()) {
    largest = Math.max(largest, bytes.length);
    await blocks.put(cid, bytes);
  }
  t.ok(largest <= 262_144, "the many names lie in shards");
  const helia = unixfs({ blockstore: blocks });
  const parts = [];
  for await (const part of helia.cat(out.root, { path: "a/large" })) parts.push(part);
  t.ok(readFileSync(join(source, "a", "large")).equals(Buffer.concat(parts)), "Helia reads it, too");
  let names = 0;
  for await (const _ of helia.ls(out.root, { path: "many" })) names += 1;
  t.equal(names, 3000);
  t.strictSame(readdirSync(folder).sort(), ["back", "out.car", "source"], "nothing else is left");
});

test("the CIDs are those that IPFS gives", async (t) => {
  const folder = temporaryFolder(t);
  const rootOf = async (name: string): Promise<string> => {
    const { root } = await publish(join(folder, name), { ...toFile, file: join(temporaryFolder(t), "out.car") });
    return String(root);
  };
  writeFileSync(join(folder, "hello"), "hello\n");
  t.equal(await rootOf("hello"), "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am");
  writeFileSync(join(folder, "none"), "");
  t.equal(await rootOf("none"), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
  mkdirSync(join(folder, "empty"));
  t.equal(await rootOf("empty"), "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354");
  const chunks = [randomBytes(262_144), randomBytes(262_144), randomBytes(5)];
  writeFileSync(join(folder, "three"), Buffer.concat(chunks));
  t.equal(await rootOf("three"), fileByHand(chunks));
});

/** The CID of a file of several raw leaves, as the specification has it, by nobody's library. */
function fileByHand(chunks: readonly Buffer[]): string {
  const varint = (value: number): number[] => value < 128 ? [value] : [(value % 128) + 128, ...varint(value >> 7)];
  const field = (tag: number, bytes: readonly number[]): number[] => [tag, ...varint(bytes.length), ...bytes];
  const links = chunks.flatMap((chunk) => {
    return field(0x12, [...field(0x0a, [...cidOf(chunk).bytes]), 0x12, 0, 0x18, ...varint(chunk.length)]);
  });
  const size = chunks.reduce((sum, { length }) => sum + length, 0);
  const sizes = chunks.flatMap(({ length }) => [0x20, ...varint(length)]);
  const data = field(0x0a, [0x08, 2, 0x18, ...varint(size), ...sizes]);
  return String(cidOf(Uint8Array.from([...links, ...data]), 0x70));
}

test("permission bits are kept where that is asked for", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "tool"), "#!/bin/sh\n");
  chmodSync(join(folder, "tool"), 0o750);
  const file = join(folder, "tool.car");
  const plain = await publish(join(folder, "tool"), { ...toFile, file });
  t.ok(plain.root.equals(cidOf(readFileSync(join(folder, "tool")))), "without, a raw leaf");
  const kept = await publish(join(folder, "tool"), { ...toFile, file, replaces: true, keepsModes: true });
  t.notOk(kept.root.equals(plain.root));
  await importCar(file, { ...whole, into: join(folder, "back") });
  t.equal(lstatSync(join(folder, "back")).mode & 0o777, 0o750);
});

test("a part of a CAR file is had by its CID", async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, "source"));
  writeFileSync(join(folder, "source", "hello"), "hello\n");
  const file = join(folder, "out.car");
  await publish(join(folder, "source"), { ...toFile, file });
  const root = String(cidOf(Buffer.from("hello\n")));
  await importCar(file, { ...whole, root, into: join(folder, "part") });
  t.equal(readFileSync(join(folder, "part"), "utf8"), "hello\n");
  t.equal(await faultOf(importCar(file, { ...whole, root: "no", into: join(folder, "other") })), "Usage");
});

test("nothing is written over, nothing half made is left, and nothing is published into itself", async (t) => {
  const folder = temporaryFolder(t);
  const source = join(folder, "source");
  mkdirSync(source);
  writeFileSync(join(source, "one"), "1");
  const file = join(folder, "out.car");
  writeFileSync(file, "mine");
  t.equal(await faultOf(publish(source, { ...toFile, file })), "Exists");
  t.equal(readFileSync(file, "utf8"), "mine");
  t.equal(await faultOf(publish(source, { ...toFile, file: source, replaces: true })), "Exists", "a folder stays");
  t.equal(await faultOf(publish(source, { ...toFile, file: join(source, "out.car") })), "Usage");
  t.equal(await faultOf(publish(folder, { ...toFile, file: join(source, "out.car") })), "Usage");
  await publish(source, { ...toFile, file, replaces: true });
  t.equal(await faultOf(importCar(file, { ...whole, into: source })), "Exists");
  const ended = AbortSignal.abort(new Error("ended"));
  await t.rejects(publish(source, { ...toFile, signal: ended, file: join(folder, "half.car") }), /ended/);
  await t.rejects(importCar(file, { ...whole, signal: ended, into: join(folder, "half") }), /ended/);
  t.strictSame(readdirSync(folder).sort(), ["out.car", "source"]);
});

test("what no CAR file can have is left out or refused, and no pipe is waited for", async (t) => {
  const folder = temporaryFolder(t);
  const source = join(folder, "source");
  mkdirSync(source);
  t.equal((await run("mkfifo", [join(source, "pipe")], {})).code, 0);
  const out = await publish(source, { ...toFile, file: join(folder, "out.car") });
  t.match(out, { files: 0, leftOut: 1 });
  writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xff])]), "");
  t.equal(await faultOf(publish(source, { ...toFile, file: join(folder, "two.car") })), "Invalid");
  t.notOk(existsSync(join(folder, "two.car")));
});

test("zeros are one block, and is taken back only where it is asked for", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "zeros"), "");
  truncateSync(join(folder, "zeros"), 100 * 1024 * 1024);
  const file = join(folder, "zeros.car");
  const { root, carBytes } = await publish(join(folder, "zeros"), { ...toFile, file });
  t.ok(carBytes < 2 * limits.unixfs.chunkBytes, `${carBytes}`);
  t.equal(CID.parse(String(root)).code, 0x70);
  const into = join(folder, "back");
  t.equal(await faultOf(importCar(file, { ...whole, into })), "TooLarge");
  t.notOk(existsSync(into));
  await importCar(file, { ...whole, into, heldBytesMax: 101 * 1024 * 1024 });
  t.equal(lstatSync(into).size, 100 * 1024 * 1024);
});
