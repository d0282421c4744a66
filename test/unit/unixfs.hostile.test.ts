/** CAR files that a stranger made to do harm, or that came to harm: each ends in a fault, and leaves nothing. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as dagPb from "@ipld/dag-pb";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { importCar } from "../../src/unixfs/unixfs.ts";
import { type Block, type Link, car, carFile, cidOf, node, raw, temporaryFolder } from "../support/cars.ts";

const whole = { root: undefined, signal: new AbortController().signal };

/** How taking it in ends: the kind, and about what. Nothing may be left where it was to be. */
async function outcomeOf(folder: string, bytes: Uint8Array, heldBytesMax?: number): Promise<string> {
  const file = carFile(folder, bytes);
  const into = join(folder, "into");
  try {
    await importCar(file, { ...whole, heldBytesMax, into });
    return "none";
  } catch (error) {
    const left = readdirSync(folder).filter((name) => !name.endsWith(".car"));
    if (left.length > 0) return `left: ${left.join()}`;
    return isFault(error) ? `${error.kind}: ${error.subject}` : String(error);
  }
}

test("a block that is swapped, damaged or missing is named", async (t) => {
  const folder = temporaryFolder(t);
  const [one, other] = [raw(), raw()];
  const root = node("directory", [["a", one], ["b", other]]);
  const named = (block: Block): RegExp => new RegExp(`^Corrupt: block ${block.cid} `);
  const swapped = [root, { ...one, bytes: other.bytes }, { ...other, bytes: one.bytes }];
  t.match(await outcomeOf(folder, car(swapped)), named(one));
  const flipped = car([root, one, other]);
  flipped[flipped.length - 1] = (flipped.at(-1) as number) ^ 1;
  t.match(await outcomeOf(folder, flipped), named(other));
  t.equal(await outcomeOf(folder, car([root, one])), `Corrupt: block ${other.cid} is not in the file`);
  t.match(await outcomeOf(folder, car([root])), named(one));
});

test("a file that is cut off anywhere is never taken for whole", async (t) => {
  const folder = temporaryFolder(t);
  const blocks = [raw(randomBytes(300)), raw(randomBytes(300))];
  const root = node("directory", [["a", blocks[0] as Block], ["b", blocks[1] as Block]]);
  const bytes = car([root, ...blocks]);
  for (let length = 0; length < bytes.length; length += 7) {
    t.match(await outcomeOf(folder, bytes.subarray(0, length)), /^Corrupt: /, `${length} bytes`);
  }
  t.equal(await outcomeOf(folder, bytes.subarray(0, -1)), `Corrupt: the file ends within block ${blocks[1]?.cid}`);
  t.equal(await outcomeOf(folder, bytes), "none");
  t.ok(readFileSync(join(folder, "into", "b")).equals(blocks[1]?.bytes as Uint8Array));
});

test("noise in a header or in lengths is a fault, and no memory is taken by it", async (t) => {
  const folder = temporaryFolder(t);
  const long = Buffer.alloc(8 * 1024 * 1024);
  const huge = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07]), long]);
  t.match(await outcomeOf(folder, huge), /^TooLarge: /, "a header of 32 GiB");
  const good = car([raw()]);
  t.match(await outcomeOf(folder, Buffer.concat([good, huge])), /^(TooLarge|Corrupt): /, "a block of 32 GiB");
  const hash = Buffer.concat([Buffer.from([0x80, 0x01, 1, 0x55, 0x12, 0xff, 0xff, 0xff, 0x7f]), long]);
  t.match(await outcomeOf(folder, Buffer.concat([good, hash])), /^TooLarge: /, "a hash of 256 MiB");
  const short = Buffer.concat([good, Buffer.from([1]), raw().cid.bytes]);
  t.match(await outcomeOf(folder, short), /^Corrupt: the length of block /, "shorter than its name");
  for (let round = 0; round < 300; round++) {
    const noisy = Buffer.from(good);
    noisy[round % noisy.length] = randomBytes(1)[0] as number;
    t.match(await outcomeOf(temporaryFolder(t), noisy), /^(none|Corrupt: |TooLarge: |Unsupported: |Usage: )/);
  }
});

test("names that would lead out of the folder, or that no file can have, are refused", async (t) => {
  const folder = temporaryFolder(t);
  const leaf = raw();
  for (const name of ["..", ".", "", "../x", "a/b", "/etc/x", "a\0", "ü".repeat(128)]) {
    const flat = node("directory", [[name, leaf]]);
    t.match(await outcomeOf(folder, car([flat, leaf])), /has a name that no file can have/);
    const shard = node("hamt-sharded-directory", [[`0A${name}`, leaf]], { fanout: 256n, hashType: 0x22n });
    // Digits without a name lead to another shard, which a leaf is not.
    t.match(await outcomeOf(folder, car([shard, leaf])), /^Corrupt: block /);
  }
  t.equal(await outcomeOf(folder, car([node("directory", [["ü".repeat(127), leaf]]), leaf])), "none");
});

test("a name that is there twice is refused, and no symlink is ever followed", async (t) => {
  const folder = temporaryFolder(t);
  const out = temporaryFolder(t);
  const leaf = raw();
  const link = node("symlink", [], { data: Buffer.from(out) });
  const inner = node("directory", [["x", leaf]]);
  const twice = (second: Block): Buffer => car([node("directory", [["a", link], ["a", second]]), link, inner, leaf]);
  for (const second of [inner, leaf, link]) {
    t.match(await outcomeOf(folder, twice(second)), /^Corrupt: .* has a name that is taken$/);
  }
  t.strictSame(readdirSync(out), []);
});

test("a few blocks that stand for files without end are stopped", async (t) => {
  const folder = temporaryFolder(t);
  const wide = (block: Block, type: "file" | "directory"): Block => {
    return node(type, Array.from({ length: 100 }, (_, index): Link => [type === "file" ? "" : `${index}`, block]));
  };
  for (const type of ["file", "directory"] as const) {
    for (const leaf of [raw(), raw(new Uint8Array())]) {
      const blocks = [leaf];
      for (let level = 0; level < 8; level++) blocks.unshift(wide(blocks[0] as Block, type));
      t.equal(await outcomeOf(folder, car(blocks), 500_000), "TooLarge: more than 500000 bytes", `${type}s`);
    }
  }
});

test("nodes above nodes, and folders in folders, have a bound", async (t) => {
  const folder = temporaryFolder(t);
  const chain = (length: number, above: (block: Block) => Block): Buffer => {
    const blocks = [raw()];
    for (let level = 0; level < length; level++) blocks.unshift(above(blocks[0] as Block));
    return car(blocks);
  };
  const { depthMax, layersMax } = limits.unixfs;
  t.match(await outcomeOf(folder, chain(depthMax + 1, (block) => node("directory", [["d", block]]))), /^TooLarge/);
  t.match(await outcomeOf(folder, chain(layersMax + 1, (block) => node("file", [["", block]]))), /lies too deep/);
  const shard = (block: Block): Block => {
    return node("hamt-sharded-directory", [["00", block]], { fanout: 256n, hashType: 0x22n });
  };
  t.match(await outcomeOf(folder, chain(layersMax + 2, shard)), /lies too deep/);
  t.equal(await outcomeOf(folder, chain(depthMax, (block) => node("directory", [["d", block]]))), "none");
  t.ok(existsSync(join(folder, "into")));
});

test("what is no UnixFS is refused", async (t) => {
  const folder = temporaryFolder(t);
  const leaf = raw();
  const noise = { cid: cidOf(leaf.bytes, dagPb.code), bytes: leaf.bytes };
  const bare = dagPb.encode({ Links: [] });
  const cbor = { cid: cidOf(leaf.bytes, 0x71), bytes: leaf.bytes };
  t.match(await outcomeOf(folder, car([noise])), /is no UnixFS$/);
  t.match(await outcomeOf(folder, car([{ cid: cidOf(bare, dagPb.code), bytes: bare }])), /is no UnixFS$/);
  t.match(await outcomeOf(folder, car([cbor])), /is neither UnixFS nor raw bytes$/);
  t.match(await outcomeOf(folder, car([node("metadata", [])])), /is of a kind that no file system has/);
  t.match(await outcomeOf(folder, car([node("symlink", [], { data: Buffer.from("a\0b") })])), /leads nowhere$/);
  const folderInFile = node("directory", [["x", leaf]]);
  t.match(await outcomeOf(folder, car([node("file", [["", folderInFile]]), folderInFile, leaf])), /no part of a file$/);
});
