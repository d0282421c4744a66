/** Chunks sealed natively and through node are the same bytes, and both refuse the same damage. */
import { once } from "node:events";
import { Worker, parentPort, workerData } from "node:worker_threads";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { loadAddon } from "../../src/base/machine/native.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type ChunkSealer, chunkSealer, nativeSealer } from "../../src/crypt/blocks/chunk-seal.ts";
import { leafBytes, leafTagBytes, plainSealer } from "../../src/crypt/blocks/chunk-seal.ts";
import { sealOnceHeaderBytes } from "../../src/crypt/ciphers/aead.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/crypt.chunk-seal.test.ts`;
const native = nativeSealer();
const lengths = [1, 15, 16, 54, 55, 56, 63, 64, 65, 119, 120, 1000, 4096, 65_537, 256 * 1024];

if (workerData === "seal and end") {
  const full = Array.from({ length: 16 }, (_, at) => Buffer.alloc(256 * 1024, at));
  for (let at = 0; at < 8; at++) void chunkSealer().sealLater(Buffer.alloc(32), full);
  parentPort?.postMessage("under way");
}

test("the addon is what seals where the CPU has the instructions", (t) => {
  t.equal(chunkSealer(), chunkSealer(), "chosen once");
  t.match(chunkSealer().engine, native === undefined ? "node" : "native");
  t.end();
});

test("native and node make the same names, keys and bytes", (t) => {
  if (native === undefined) return t.end();
  const random = seededRandom(seed);
  const secret = random.bytes(32);
  for (let round = 0; round < 60; round++) {
    const count = 1 + random.below(round % 5 === 0 ? 40 : 5);
    const plaintexts = Array.from({ length: count }, () => {
      const length = lengths[random.below(lengths.length - (round % 6 === 0 ? 0 : 2))] as number;
      return Buffer.alloc(length, random.bytes(Math.min(length, 97)));
    });
    const ours = native.seal(secret, plaintexts);
    const untagged = ours.map((chunk) => ({ ...chunk, tags: undefined }));
    t.strictSame(untagged, plainSealer.seal(secret, plaintexts), replay);
    const opened = native.open(ours);
    t.strictSame(opened.map(({ plain }) => plain), plaintexts, replay);
    t.strictSame(opened.map(({ tags }) => tags), ours.map(({ tags }) => tags), replay);
    t.strictSame(plainSealer.open(ours).map(({ plain }) => plain), plaintexts, replay);
  }
  t.end();
});

test("sealing on other threads makes the same, and survives its thread", async (t) => {
  const random = seededRandom(`${seed}/later`);
  const secret = random.bytes(32);
  const sets = Array.from({ length: 12 }, () => {
    return Array.from({ length: 1 + random.below(20) }, () => {
      const length = lengths[random.below(lengths.length)] as number;
      return Buffer.alloc(length, random.bytes(Math.min(length, 97)));
    });
  });
  for (const sealer of [plainSealer, native].filter((one) => one !== undefined)) {
    const sealed = await Promise.all(sets.map((set) => sealer.sealLater(secret, set)));
    const untagged = sealed.flat().map((chunk) => ({ ...chunk, tags: undefined }));
    t.strictSame(untagged, sets.flatMap((set) => plainSealer.seal(secret, set)), replay);
  }
  // A thread that ends while its chunks are being sealed takes nobody with it.
  for (let at = 0; at < 4; at++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: "seal and end" });
    await once(worker, "message");
    t.equal(await worker.terminate(), 1);
  }
});

test("a block opened by its key alone is as it was sealed, whatever its name", (t) => {
  const random = seededRandom(`${seed}/key`);
  const secret = random.bytes(32);
  const plaintexts = [100, 3000, 64].map((length) => Buffer.from(random.bytes(length)));
  for (const sealer of [plainSealer, native].filter((one) => one !== undefined)) {
    const chunks = sealer.seal(secret, plaintexts);
    const renamed = damage(chunks, { at: 1, what: "cid", bit: 0 });
    t.strictSame(sealer.open(renamed, "key").map(({ plain }) => plain), plaintexts);
    for (let trial = 0; trial < 100; trial++) {
      const what = trial % 2 === 0 ? "sealed" : "key";
      const bit = random.below(64 * 8);
      t.ok(isRefused(sealer, damage(chunks, { at: random.below(3), what, bit }), "key"), replay);
    }
  }
  t.end();
});

test("one wrong bit anywhere in a batch is Corrupt, to both", (t) => {
  const random = seededRandom(`${seed}/bits`);
  const secret = random.bytes(32);
  const plaintexts = [100, 3000, 64].map((length) => Buffer.from(random.bytes(length)));
  for (const sealer of [plainSealer, native].filter((one) => one !== undefined)) {
    const chunks = sealer.seal(secret, plaintexts);
    for (let trial = 0; trial < 200; trial++) {
      const at = random.below(chunks.length);
      const what = (["sealed", "key", "cid"] as const)[trial % 3] as "sealed" | "key" | "cid";
      t.ok(isRefused(sealer, damage(chunks, { at, what, bit: random.below(64 * 8) })), replay);
    }
    t.ok(isRefused(sealer, cut(chunks, 34)), "no byte of plaintext");
    t.ok(isRefused(sealer, cut(chunks, 0)), "nothing at all");
  }
  t.end();
});

type Chunks = ReturnType<ChunkSealer["seal"]>;

/** A chunk whose CID was made to fit reaches the later checks too. */
function damage(
  chunks: Chunks, { at, what, bit }: { at: number; what: "sealed" | "key" | "cid"; bit: number },
): Chunks {
  return chunks.map((chunk, index) => {
    if (index !== at) return chunk;
    if (what === "cid") return { ...chunk, cid: chunks[(at + 1) % chunks.length]?.cid ?? chunk.cid };
    const bytes = Buffer.from(chunk[what]);
    const byte = Math.floor(bit / 8) % bytes.length;
    bytes.writeUInt8((bytes[byte] ?? 0) ^ (1 << bit % 8), byte);
    return { ...chunk, [what]: bytes };
  });
}

function cut(chunks: Chunks, length: number): Chunks {
  return chunks.map((chunk) => ({ ...chunk, sealed: chunk.sealed.subarray(0, length) }));
}

function isRefused(sealer: ChunkSealer, chunks: Chunks, by: "cid" | "key" = "cid"): boolean {
  try {
    sealer.open(chunks, by);
    return false;
  } catch (error) {
    return isFault(error, "Corrupt");
  }
}

/** Chunks of some leaves each, and any bytes behind the last whole one. */
function leafyChunks(sealer: ChunkSealer, chunkSeed: string): readonly Leafy[] {
  const random = seededRandom(chunkSeed);
  const plaintexts = [leafBytes, 8 * leafBytes, 9 * leafBytes + 100, 64 * leafBytes].map(
    (length) => Buffer.from(random.bytes(length)),
  );
  return sealer.seal(random.bytes(32), plaintexts).map(({ key, sealed, tags }, at) => {
    return { key, sealed, tags: tags ?? Buffer.alloc(0), plain: plaintexts[at] as Buffer };
  });
}

interface Leafy {
  readonly key: Buffer;
  readonly sealed: Buffer;
  readonly tags: Buffer;
  readonly plain: Buffer;
}

/** The leaves as they lie in the sealed chunk. */
function leavesOf({ key, sealed, tags }: Leafy, first: number, count: number) {
  const start = sealOnceHeaderBytes + first * leafBytes;
  return {
    key, first,
    sealed: Buffer.from(sealed.subarray(start, start + count * leafBytes)),
    tags: tags.subarray(first * leafTagBytes, (first + count) * leafTagBytes),
  };
}

test("any leaves of a chunk open to what they are in the whole", async (t) => {
  if (native === undefined) return t.pass("no addon");
  const random = seededRandom(`${seed}/leaves`);
  for (const chunk of leafyChunks(native, seed)) {
    const leafCount = chunk.tags.length / leafTagBytes;
    t.equal(leafCount, Math.floor(chunk.plain.length / leafBytes), "a tag for each whole leaf");
    for (let trial = 0; trial < 40; trial++) {
      const first = random.below(leafCount);
      const count = 1 + random.below(leafCount - first);
      const opened = native.openLeaves(leavesOf(chunk, first, count));
      const expected = chunk.plain.subarray(first * leafBytes, (first + count) * leafBytes);
      t.ok(opened?.equals(expected), `${first}+${count}; ${replay}`);
    }
  }
  const later = await native.sealLater(random.bytes(32), [Buffer.alloc(3 * leafBytes, 7)]);
  const reopened = native.open(later);
  t.strictSame(reopened[0]?.tags, later[0]?.tags, "the same on another thread");
});

test("a leaf with one wrong bit, of another place or of another chunk does not open", (t) => {
  if (native === undefined) return t.end();
  const random = seededRandom(`${seed}/wrong leaves`);
  const [, one, , other] = leafyChunks(native, seed) as [Leafy, Leafy, Leafy, Leafy];
  for (let trial = 0; trial < 500; trial++) {
    const count = 1 + random.below(3);
    const leaves = leavesOf(other, random.below(60), count);
    const at = random.below(count * leafBytes);
    leaves.sealed.writeUInt8((leaves.sealed[at] ?? 0) ^ (1 << random.below(8)), at);
    t.equal(native.openLeaves(leaves), undefined, `bit in byte ${at}; ${replay}`);
  }
  const [third, fourth, foreign] = [
    leavesOf(other, 3, 1), leavesOf(other, 4, 1), leavesOf(one, 3, 1),
  ];
  t.equal(native.openLeaves({ ...third, sealed: fourth.sealed }), undefined);
  t.equal(native.openLeaves({ ...third, sealed: foreign.sealed }), undefined);
  t.equal(native.openLeaves({ ...third, tags: foreign.tags }), undefined);
  t.equal(native.openLeaves({ ...third, sealed: Buffer.alloc(leafBytes) }), undefined);
  t.end();
});

test("without the addon no leaf opens, and none has a tag", (t) => {
  const [chunk] = plainSealer.seal(Buffer.alloc(32), [Buffer.alloc(leafBytes)]);
  t.equal(chunk?.tags, undefined);
  const [key, bytes] = [Buffer.alloc(32), Buffer.alloc(leafBytes)];
  const leaves = { key, first: 0, sealed: bytes, tags: Buffer.alloc(leafTagBytes) };
  t.equal(plainSealer.openLeaves(leaves), undefined);
  t.end();
});

test("the addon refuses arguments that do not fit, and lives on", (t) => {
  type Call = (...words: unknown[]) => unknown;
  interface Bare { seal: Call; sealLater: Call; open: Call; openLeaves: Call }
  const addon = loadAddon("seal", (exports) => exports as Bare);
  if (addon === undefined) return t.end();
  const secret = Buffer.alloc(32);
  const plain = Buffer.alloc(64);
  const sealed = Buffer.alloc(98);
  const links = Buffer.alloc(64);
  const both = Buffer.alloc(98);
  const none = Buffer.alloc(0);
  const wrong: readonly (readonly unknown[])[] = [
    [], [3, secret, [plain], [sealed], links, none],
    [1, Buffer.alloc(31), [plain], [sealed], links, none], [1, secret, [], [], links, none],
    [1, secret, [plain], [Buffer.alloc(97)], links, none],
    [1, secret, [plain], [sealed], Buffer.alloc(63), none],
    [1, secret, [plain, plain], [sealed], links, none],
    [1, secret, [both.subarray(0, 64)], [both], links, none],
    [1, secret, plain, sealed, links, none], [1, secret, [plain], [sealed], links],
    [1, secret, [Buffer.alloc(0)], [Buffer.alloc(34)], links, none],
    [1, secret, [null], [sealed], links, none], [1, secret, [plain], [sealed], links, links],
    [1, secret, Array(17).fill(plain), Array(17).fill(sealed), Buffer.alloc(17 * 64), none],
    [1, secret, [new Uint16Array(32)], [sealed], links, none],
    [1, secret, [Buffer.alloc(4096)], [Buffer.alloc(4130)], links, links.subarray(0, 16)],
  ];
  for (const words of wrong) {
    t.throws(() => addon.seal(...words), { code: "ERR_SEAL_ARGUMENT" });
    t.throws(() => addon.sealLater(...words), { code: "ERR_SEAL_ARGUMENT" });
  }
  t.throws(() => addon.open(links, [sealed], [plain], Buffer.alloc(2), true, none));
  t.throws(() => addon.open(links, [sealed], [plain], Buffer.alloc(1)));
  t.throws(() => addon.open(links, [sealed], [plain], Buffer.alloc(1), 1, none));
  addon.seal(1, secret, [plain], [sealed], links, none);
  t.not(sealed[0], 0);
  const [leaf, tag, room] = [Buffer.alloc(4096), Buffer.alloc(16), Buffer.alloc(4096)];
  const wrongLeaves: readonly (readonly unknown[])[] = [
    [], [secret, 0, leaf, tag], [Buffer.alloc(16), 0, leaf, tag, room],
    [secret, 4096, leaf, tag, room], [secret, 0, leaf.subarray(1), tag, room],
    [secret, 0, leaf, sealed, room], [secret, 0, leaf, tag, sealed], [secret, 0, leaf, tag, leaf],
    [secret, 0, none, none, none],
  ];
  for (const words of wrongLeaves) {
    t.throws(() => addon.openLeaves(...words), { code: "ERR_SEAL_ARGUMENT" });
  }
  t.equal(addon.openLeaves(secret, 0, leaf, tag, room), false);
  t.end();
});
