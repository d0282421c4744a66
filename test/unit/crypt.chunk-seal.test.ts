/** Chunks sealed natively and through node are the same bytes, and both refuse the same damage. */
import { once } from "node:events";
import { Worker, parentPort, workerData } from "node:worker_threads";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type ChunkSealer, chunkSealer, nativeSealer } from "../../src/crypt/chunk-seal.ts";
import { plainSealer } from "../../src/crypt/chunk-seal.ts";
import { loadAddon } from "../../src/base/native.ts";

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
    t.strictSame(ours, plainSealer.seal(secret, plaintexts), replay);
    t.strictSame(native.open(ours), plaintexts, replay);
    t.strictSame(plainSealer.open(ours), plaintexts, replay);
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
    const expected = sets.map((set) => plainSealer.seal(secret, set));
    t.strictSame(sealed, expected, replay);
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
    t.strictSame(sealer.open(renamed, "key"), plaintexts);
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

test("the addon refuses arguments that do not fit, and lives on", (t) => {
  type Call = (...words: unknown[]) => unknown;
  interface Bare { seal: Call; sealLater: Call; open: Call }
  const addon = loadAddon("seal", (exports) => exports as Bare);
  if (addon === undefined) return t.end();
  const secret = Buffer.alloc(32);
  const plain = Buffer.alloc(64);
  const sealed = Buffer.alloc(98);
  const links = Buffer.alloc(64);
  const both = Buffer.alloc(98);
  const wrong: readonly (readonly unknown[])[] = [
    [], [3, secret, [plain], [sealed], links], [1, Buffer.alloc(31), [plain], [sealed], links],
    [1, secret, [], [], links], [1, secret, [plain], [Buffer.alloc(97)], links],
    [1, secret, [plain], [sealed], Buffer.alloc(63)], [1, secret, [plain, plain], [sealed], links],
    [1, secret, [both.subarray(0, 64)], [both], links], [1, secret, plain, sealed, links],
    [1, secret, [Buffer.alloc(0)], [Buffer.alloc(34)], links], [1, secret, [null], [sealed], links],
    [1, secret, Array(17).fill(plain), Array(17).fill(sealed), Buffer.alloc(17 * 64)],
    [1, secret, [new Uint16Array(32)], [sealed], links],
  ];
  for (const words of wrong) {
    t.throws(() => addon.seal(...words), { code: "ERR_SEAL_ARGUMENT" });
    t.throws(() => addon.sealLater(...words), { code: "ERR_SEAL_ARGUMENT" });
  }
  t.throws(() => addon.open(links, [sealed], [plain], Buffer.alloc(2), true));
  t.throws(() => addon.open(links, [sealed], [plain], Buffer.alloc(1)));
  t.throws(() => addon.open(links, [sealed], [plain], Buffer.alloc(1), 1));
  addon.seal(1, secret, [plain], [sealed], links);
  t.not(sealed[0], 0);
  t.end();
});
