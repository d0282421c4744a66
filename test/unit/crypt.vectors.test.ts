/**
 * The frozen bytes of every format in src/crypt, made once by other implementations (noble's
 * ciphers, curves and Argon2, node's HMAC, a recursive RFC 6962). A format change adds a vector.
 */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { merklePath, merkleTreeOf, rootFromPath, shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import { type Suite, openOnce, openRecord, sealOnce, sealRecord } from "../../src/crypt/ciphers/aead.ts";
import { chunkKey, deriveKey } from "../../src/crypt/ciphers/keys.ts";
import { peerKeysOf, peerOfPublicKey, publicKeyOfPeer } from "../../src/crypt/ciphers/peer-key.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { keyFileNeedsPassphrase, openKeyFile } from "../../src/crypt/drive/keyfile.ts";
import { seedOfWords, wordsOfSeed } from "../../src/crypt/drive/words.ts";
import { outcomeOf } from "../support/faults.ts";
import { parsers } from "../support/record-parsers.ts";

interface SealVector {
  readonly comment: string;
  readonly form: "once" | "record";
  readonly suite?: Suite;
  readonly key: string;
  readonly aad?: string;
  readonly nonce?: string;
  readonly plaintext: string;
  readonly sealed: string;
  readonly expect: string;
}

interface KeyVectors {
  readonly derive: readonly { secret: string; label: string; context: string; key: string }[];
  readonly chunk: readonly { secret: string; plaintext: string; key: string }[];
  readonly drives: readonly Readonly<Record<string, string>>[];
  readonly peers: readonly Readonly<Record<string, string>>[];
  readonly notPeers: readonly { comment: string; peer: string; expect: string }[];
}

interface KeyFileVector {
  readonly comment: string;
  readonly file: string;
  readonly passphrase: string | null;
  readonly needs?: boolean;
  readonly drive?: string | null;
  readonly peer?: string;
  readonly expect: string;
}

interface MerkleVectors {
  readonly shards: readonly {
    readonly leaves: number;
    readonly root: string;
    readonly paths: readonly { readonly index: number; readonly path: readonly string[] }[];
  }[];
}

interface RecordVectors {
  readonly cases: readonly { comment: string; kind: string; bytes: string; expect: string }[];
}

interface WordsVector {
  readonly comment: string;
  readonly text: string;
  readonly seed?: string;
  readonly says?: string;
  readonly expect: string;
}

test("sealed bytes are the frozen ones, open again, and open no other way", (t) => {
  for (const vector of load<readonly SealVector[]>("seal")) {
    const key = bytes(vector.key);
    const plaintext = bytes(vector.plaintext);
    const sealed = bytes(vector.sealed);
    const open = (): Buffer =>
      vector.form === "once" ? openOnce(key, sealed) : openRecord(key, sealed, bytes(vector.aad));
    t.equal(outcomeOf(open), vector.expect, vector.comment);
    if (vector.expect !== "ok") continue;
    t.equal(open().toString("hex"), vector.plaintext, vector.comment);
    const again = vector.suite === undefined
      ? sealRecord(key, plaintext, answering(bytes(vector.nonce)), bytes(vector.aad))
      : sealOnce(key, plaintext, { suite: vector.suite });
    t.equal(again.toString("hex"), vector.sealed, vector.comment);
  }
  t.end();
});

test("keys derive as they always did", (t) => {
  const vectors = load<KeyVectors>("keys");
  for (const { secret, label, context, key } of vectors.derive) {
    t.equal(deriveKey(bytes(secret), label, bytes(context)).toString("hex"), key, label);
    if (context === "") t.equal(deriveKey(bytes(secret), label).toString("hex"), key);
  }
  for (const { secret, plaintext, key } of vectors.chunk) {
    t.equal(chunkKey(bytes(secret), bytes(plaintext)).toString("hex"), key);
  }
  t.end();
});

test("a drive's keys, words and signatures come from its seed", (t) => {
  for (const vector of load<KeyVectors>("keys").drives) {
    const seed = bytes(vector["seed"]);
    const drive = driveKeysOf(seed);
    t.equal(drive.owner, vector["owner"]);
    t.equal(drive.treeSecret.toString("hex"), vector["tree"]);
    t.equal(drive.headKey.toString("hex"), vector["head"]);
    t.equal(drive.catalogKey.toString("hex"), vector["catalog"]);
    t.equal(drive.localKey.toString("hex"), vector["local"]);
    t.equal(drive.sign(bytes(vector["message"])).toString("hex"), vector["signature"]);
    t.equal(wordsOfSeed(seed).join(" "), vector["words"]);
  }
  t.end();
});

test("a node's peer id and libp2p key come from its seed", (t) => {
  const vectors = load<KeyVectors>("keys");
  for (const vector of vectors.peers) {
    const keys = peerKeysOf(bytes(vector["seed"]));
    t.equal(keys.peer, vector["peer"]);
    t.equal(keys.privateKeyRaw.toString("hex"), vector["privateKeyRaw"]);
    t.equal(keys.sign(bytes(vector["message"])).toString("hex"), vector["signature"]);
    t.equal(peerOfPublicKey(publicKeyOfPeer(keys.peer)), keys.peer);
  }
  for (const { peer, expect, comment } of vectors.notPeers) {
    t.equal(outcomeOf(() => publicKeyOfPeer(peer as PeerId)), expect, comment);
  }
  t.end();
});

test("24 words give the seed back, or say what is wrong without a word of it", (t) => {
  for (const vector of load<readonly WordsVector[]>("words")) {
    const outcome = outcomeOf(() => seedOfWords(vector.text));
    t.equal(outcome, vector.expect, vector.comment);
    if (vector.expect === "ok") {
      t.equal(seedOfWords(vector.text).toString("hex"), vector.seed, vector.comment);
    } else {
      t.match(messageOf(() => seedOfWords(vector.text)), vector.says ?? "", vector.comment);
    }
  }
  t.end();
});

test("shards have the roots and paths of RFC 6962", (t) => {
  for (const { leaves, root, paths } of load<MerkleVectors>("merkle").shards) {
    const shard = patterned(leaves * 4096);
    const tree = merkleTreeOf(shard);
    t.equal(shardIdOf(shard), root, `${leaves} leaves`);
    for (const { index, path } of paths) {
      t.strictSame(merklePath(tree, index).map((hash) => hash.toString("hex")), path);
      const leaf = shard.subarray(index * 4096, (index + 1) * 4096);
      t.equal(rootFromPath(leaf, { index, count: leaves }, path.map(bytes)), root);
    }
  }
  t.end();
});

test("key files open as they always did, and only so", async (t) => {
  for (const vector of load<readonly KeyFileVector[]>("keyfile")) {
    const { passphrase } = vector;
    const open = openKeyFile(bytes(vector.file), passphrase === null ? undefined : utf8(passphrase));
    const secrets = await open.catch((fault: unknown) => fault);
    t.equal(isFault(secrets) ? secrets.kind : "ok", vector.expect, vector.comment);
    if (vector.expect !== "ok") continue;
    const expected = {
      driveSeed: vector.drive === null ? undefined : bytes(vector.drive),
      peerSeed: bytes(vector.peer),
    };
    t.strictSame(secrets, expected, vector.comment);
    t.equal(keyFileNeedsPassphrase(bytes(vector.file)), vector.needs, vector.comment);
  }
});

test("signed records are believed exactly as written down", (t) => {
  for (const { comment, kind, bytes: text, expect } of load<RecordVectors>("records").cases) {
    const parse = parsers[kind];
    t.equal(outcomeOf(() => parse?.(bytes(text))), expect, `${kind}: ${comment}`);
    if (expect === "ok") t.equal(hex(parse?.(bytes(text)).bytes), text);
  }
  t.end();
});

function load<T>(name: string): T {
  const file = new URL(`../vectors/crypt.${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as T;
}

function bytes(text: string | undefined): Buffer {
  return Buffer.from(text ?? "", "hex");
}

function hex(some: Uint8Array | undefined): string {
  return Buffer.from(some ?? []).toString("hex");
}

function utf8(text: string): Buffer {
  return Buffer.from(text, "utf8");
}

/** A generator that answers one nonce. */
function answering(nonce: Buffer): Random {
  return { ...seededRandom(0), bytes: () => Buffer.from(nonce) };
}

/** The bytes that crypt.merkle.json describes. */
function patterned(length: number): Buffer {
  const shard = Buffer.alloc(length);
  for (let i = 0; i < length; i++) shard[i] = (i + 31 * (i >> 8) + (i >> 16)) & 255;
  return shard;
}

function messageOf(act: () => unknown): string {
  try {
    act();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
}
