/** Every parser of src/crypt under bent bytes: a HiveError or the truth, and nothing else. */
import { createCipheriv } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { merklePath, merkleTreeOf, rootFromPath, shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import { openOnce, openRecord, sealOnce, sealRecord } from "../../src/crypt/ciphers/aead.ts";
import { peerKeysOf, publicKeyOfPeer } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { encodeKeyFile, keyFileNeedsPassphrase, openKeyFile } from "../../src/crypt/drive/keyfile.ts";
import { seedOfWords, wordsOfSeed } from "../../src/crypt/drive/words.ts";
import { decodePlain, encodePlain } from "../../src/crypt/signed/cbor.ts";
import { outcomeOf } from "../support/faults.ts";
import { parsers } from "../support/record-parsers.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/crypt.fuzz.test.ts`;
const random = seededRandom(`crypt.fuzz/${seed}`);
const leafBytes = 4096;

interface RecordVectors {
  readonly drive: string;
  readonly peer: string;
  readonly cases: readonly { kind: string; bytes: string; expect: string }[];
}

const frozen = JSON.parse(
  readFileSync(new URL("../vectors/crypt.records.json", import.meta.url), "utf8"),
) as RecordVectors;

test("bent records are Corrupt", (t) => {
  for (const { kind, bytes, expect } of frozen.cases) {
    if (expect !== "ok") continue;
    const parse = parsers[kind];
    for (let round = 0; round < 300; round++) {
      const bent = mutated(Buffer.from(bytes, "hex"));
      const outcome = outcomeOf(() => parse?.(bent));
      if (outcome !== "Corrupt") t.fail(`${kind} ${outcome}: ${bent.toString("hex")}; ${replay}`);
    }
  }
  t.end();
});

test("bent bodies under a right signature are Corrupt, or read back byte for byte", (t) => {
  const drive = driveKeysOf(Buffer.from(frozen.drive, "hex"));
  const node = peerKeysOf(Buffer.from(frozen.peer, "hex"));
  let believed = 0;
  for (const { kind, bytes, expect } of frozen.cases) {
    if (expect !== "ok") continue;
    const keys = kind === "offer" || kind === "receipt" ? node : drive;
    const [body] = decodePlain(Buffer.from(bytes, "hex"), "test") as [Uint8Array];
    for (let round = 0; round < 300; round++) {
      const bent = mutated(Buffer.from(body));
      const signature = keys.sign(Buffer.concat([Buffer.from(`hive/${kind}/1\0`), bent]));
      const record = encodePlain([bent, signature]);
      const outcome = outcomeOf(() => believes(kind, record, t.fail.bind(t)));
      if (outcome === "ok") believed++;
      if (!["Corrupt", "ok"].includes(outcome)) t.fail(`${kind} ${outcome}; ${replay}`);
    }
  }
  t.ok(believed > 0, "some changes, such as another time, make another true record");
  t.end();
});

test("bytes of chance, and deep nesting, are Corrupt", (t) => {
  const deep = Buffer.alloc(20_000, 0x81);
  for (const [kind, parse] of Object.entries(parsers)) {
    t.equal(outcomeOf(() => parse(deep)), "Corrupt", kind);
    t.equal(outcomeOf(() => parse(encodePlain([deep, Buffer.alloc(64)]))), "Corrupt", kind);
    t.equal(outcomeOf(() => parse(Buffer.alloc(0))), "Corrupt", kind);
    t.equal(outcomeOf(() => parse(Buffer.alloc(2 ** 20))), "Corrupt", kind);
    for (let round = 0; round < 200; round++) {
      const noise = random.bytes(random.below(300));
      if (outcomeOf(() => parse(noise)) !== "Corrupt") t.fail(`${noise.toString("hex")}`);
    }
  }
  t.end();
});

test("bent seals are Corrupt, and so is a wrong key", (t) => {
  const key = random.bytes(32);
  const aad = random.bytes(10);
  for (let round = 0; round < 1500; round++) {
    const plaintext = random.bytes(random.below(200));
    const suite = random.below(2) === 0 ? "aes-256-gcm" : "chacha20-poly1305";
    const once = sealOnce(key, plaintext, { suite });
    const record = sealRecord(key, plaintext, random, aad);
    const outcomes = [
      outcomeOf(() => openOnce(key, mutated(once))),
      outcomeOf(() => openRecord(key, mutated(record), aad)),
      outcomeOf(() => openOnce(random.bytes(32), once)),
      outcomeOf(() => openRecord(random.bytes(32), record, aad)),
      outcomeOf(() => openRecord(key, record, random.bytes(10))),
      outcomeOf(() => openRecord(key, once, aad)),
      outcomeOf(() => openOnce(key, record)),
    ];
    if (outcomes.some((outcome) => outcome !== "Corrupt")) t.fail(`${outcomes}; ${replay}`);
  }
  t.end();
});

test("bent key files are Corrupt; with their hash made right, never more than a fault", async (t) => {
  const secrets = { driveSeed: random.bytes(32), peerSeed: random.bytes(32) };
  const file = await encodeKeyFile(secrets, undefined, random);
  for (let round = 0; round < 2000; round++) {
    const bent = mutated(file);
    const outcome = outcomeOf(() => keyFileNeedsPassphrase(bent));
    if (outcome !== "Corrupt") t.fail(`${outcome}: ${bent.toString("hex")}; ${replay}`);
    const body = mutated(file.subarray(0, -32));
    const whole = Buffer.concat([body, sha256(body)]);
    const opened = await openKeyFile(whole, undefined).catch((fault: unknown) => fault);
    if (opened instanceof Error && !isFault(opened, "Corrupt", "Denied")) throw opened;
  }
});

test("every leaf of a shard proves itself, and nothing else does", (t) => {
  for (const count of [1, 2, 3, 6, 7, 16, 17, 65]) {
    const shard = noise(count * leafBytes);
    const tree = merkleTreeOf(shard);
    const root = shardIdOf(shard);
    for (let index = 0; index < count; index++) {
      const leaf = shard.subarray(index * leafBytes, (index + 1) * leafBytes);
      const path = merklePath(tree, index);
      if (rootFromPath(leaf, { index, count }, path) !== root) t.fail(`${index} of ${count}`);
      const outcomes = wrongProofs(leaf, { index, count }, path);
      if (outcomes.some((outcome) => outcome === root)) t.fail(`${index} of ${count}; ${replay}`);
    }
  }
  t.end();
});

test("a tree of no shard, and a place outside of one, are faults", (t) => {
  const leaf = Buffer.alloc(leafBytes);
  for (const place of [[1, 1], [-1, 1], [0, 0], [0, 258], [0.5, 1], [NaN, 1], [0, 2 ** 40]]) {
    const [index, count] = place as [number, number];
    t.equal(outcomeOf(() => rootFromPath(leaf, { index, count }, [])), "Corrupt", `${place}`);
  }
  for (const length of [0, 31, 33, 64, 32 * 4]) {
    t.equal(outcomeOf(() => merklePath(Buffer.alloc(length), 0)), "Corrupt", `${length} bytes`);
  }
  t.throws(() => shardIdOf(Buffer.alloc(0)), "an empty shard is a bug");
  t.throws(() => shardIdOf(Buffer.alloc(leafBytes + 1)), "so are broken leaves");
  t.end();
});

test("bent peer ids are Corrupt or the id of another key", (t) => {
  const peer = peerKeysOf(random.bytes(32)).peer;
  for (let round = 0; round < 2000; round++) {
    const bent = mutated(Buffer.from(peer)).toString("latin1") as PeerId;
    const outcome = outcomeOf(() => publicKeyOfPeer(bent));
    if (!["Corrupt", "ok"].includes(outcome)) t.fail(`${outcome}: ${bent}; ${replay}`);
  }
  t.end();
});

/** All that may be said of wrong words: numbers and no word. */
const fixedSentences =
  /^(\d+ words given, 24 needed|word \d+ of 24 is not in the list|each word is in the list, but .*)$/;

test("bent words are a Usage fault that repeats none of them", (t) => {
  for (let round = 0; round < 1000; round++) {
    const words = wordsOfSeed(random.bytes(32));
    const bent = mutated(Buffer.from(words.join(" "))).toString("latin1");
    const fault = faultOf(() => seedOfWords(bent));
    if (fault === undefined) continue;
    if (!isFault(fault, "Usage")) throw fault;
    if (!fixedSentences.test(fault.subject)) t.fail(`${fault.message}; ${replay}`);
    if (fault.cause !== undefined) t.fail(`a cause could quote a word; ${replay}`);
  }
  t.end();
});

/**
 * One to three changes, such as a bad disk, a cut cable or an enemy makes; never the same bytes.
 */
function mutated(bytes: Buffer): Buffer {
  let bent: Buffer = Buffer.from(bytes);
  for (let change = 0; change <= random.below(3); change++) bent = mutatedOnce(bent);
  return bent.equals(bytes) ? Buffer.concat([bent, Buffer.alloc(1)]) : bent;
}

function mutatedOnce(bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const length = 1 + random.below(8);
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  const ways: readonly (() => Buffer)[] = [
    () => Buffer.concat([head, random.bytes(1), tail.subarray(1)]),
    () => Buffer.concat([head, random.bytes(length), tail]),
    () => Buffer.concat([head, tail.subarray(length)]),
    () => Buffer.from(head),
    () => Buffer.concat([head, tail.subarray(0, length), tail]),
    () => Buffer.concat([head, Buffer.alloc(length, 0xff), tail.subarray(length)]),
  ];
  return (ways[random.below(ways.length)] as () => Buffer)();
}

/** Whole shards of noise: seeded, and quicker than one hash for every 32 bytes. */
function noise(length: number): Buffer {
  const cipher = createCipheriv("chacha20", random.bytes(32), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(length));
}

type Place = { readonly index: number; readonly count: number };

/** What wrong leaves, places and paths lead to: another root, or a fault. */
function wrongProofs(leaf: Buffer, { index, count }: Place, path: readonly Buffer[]): string[] {
  const other = (index + 1) % count;
  const tries: (readonly [Buffer, Place, readonly Uint8Array[]])[] = [
    [Buffer.concat([leaf.subarray(1), Buffer.alloc(1, (leaf[0] as number) ^ 1)]), { index, count },
      path],
    [leaf, { index, count }, [...path, random.bytes(32)]],
    [leaf, { index: other, count }, other === index ? [random.bytes(32)] : path],
  ];
  if (path.length > 0) {
    const at = random.below(path.length);
    tries.push([leaf, { index, count }, path.slice(1)]);
    tries.push([leaf, { index, count }, path.with(at, random.bytes(32))]);
    tries.push([leaf, { index, count }, path.with(at, random.bytes(31))]);
  }
  return tries.map(([bytes, place, siblings]) => {
    let root = "";
    const outcome = outcomeOf(() => (root = rootFromPath(bytes, place, siblings)));
    return outcome === "ok" ? root : outcome;
  });
}

function believes(kind: string, record: Buffer, fail: (why: string) => unknown): void {
  const parsed = parsers[kind]?.(record);
  if (!record.equals(parsed?.bytes ?? Buffer.alloc(0))) fail(`${kind} changed; ${replay}`);
}

function faultOf(act: () => unknown): Error | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
