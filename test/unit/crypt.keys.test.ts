/** Identities and the key file: equal to libp2p's own, closed to a wrong passphrase, and silent. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey, peerIdFromString } from "@libp2p/peer-id";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openOnce, preferredSuite, sealOnce } from "../../src/crypt/ciphers/aead.ts";
import { isSignedBy, signerOf } from "../../src/crypt/ciphers/ed25519.ts";
import { chunkKey, deriveKey } from "../../src/crypt/ciphers/keys.ts";
import { peerKeysOf, publicKeyOfPeer } from "../../src/crypt/ciphers/peer-key.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { encodeKeyFile, keyFileNeedsPassphrase, openKeyFile } from "../../src/crypt/drive/keyfile.ts";
import { seedOfWords, wordsOfSeed } from "../../src/crypt/drive/words.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/crypt.keys.test.ts`;
const random = seededRandom(`crypt.keys/${seed}`);

test("a peer's keys are the ones that libp2p makes of them", (t) => {
  for (let round = 0; round < 20; round++) {
    const keys = peerKeysOf(random.bytes(32));
    const theirs = privateKeyFromRaw(keys.privateKeyRaw);
    t.equal(peerIdFromPrivateKey(theirs).toString(), keys.peer, replay);
    const { publicKey } = peerIdFromString(keys.peer);
    t.ok(publicKeyOfPeer(keys.peer).equals(publicKey?.raw ?? Buffer.alloc(0)));
  }
  t.end();
});

test("Ed25519 signs and checks as the reference does, and refuses bent signatures", (t) => {
  for (let round = 0; round < 30; round++) {
    const secret = random.bytes(32);
    const message = random.bytes(random.below(200));
    const signer = signerOf(secret);
    const signature = signer.sign(message);
    t.ok(signature.equals(ed25519.sign(message, secret)), replay);
    t.ok(isSignedBy(signer.publicKey, message, signature));
    t.notOk(isSignedBy(signer.publicKey, Buffer.concat([message, message, secret]), signature));
    t.notOk(isSignedBy(signerOf(random.bytes(32)).publicKey, message, signature));
    const at = random.below(signature.length);
    signature[at] = (signature[at] as number) ^ (1 << random.below(8));
    t.notOk(isSignedBy(signer.publicKey, message, signature), replay);
    t.notOk(isSignedBy(signer.publicKey, message, signature.subarray(1)));
  }
  t.end();
});

test("keys of different purposes never meet", (t) => {
  const secret = random.bytes(32);
  const drive = driveKeysOf(secret);
  const keys = [
    secret, drive.treeSecret, drive.headKey, drive.catalogKey, drive.localKey,
    Buffer.from(drive.owner, "hex"), peerKeysOf(secret).privateKeyRaw.subarray(32),
    deriveKey(secret, "a"), deriveKey(secret, "b"), deriveKey(secret, "a", Buffer.from("b")),
    deriveKey(secret, "ab"), chunkKey(secret, Buffer.alloc(0)), chunkKey(secret, Buffer.alloc(1)),
  ];
  t.equal(new Set(keys.map((key) => key.toString("hex"))).size, keys.length);
  t.throws(() => deriveKey(secret, "no\0terminator"), "a label is plain text");
  t.throws(() => deriveKey(random.bytes(15), "a"), "a short secret is a bug");
  t.end();
});

test("a derived key is HMAC-SHA-256 of its domain, by another implementation", (t) => {
  const secret = random.bytes(32);
  const context = random.bytes(40);
  const message = Buffer.concat([Buffer.from("hive/a label\0"), context]);
  t.ok(deriveKey(secret, "a label", context).equals(hmac(nobleSha256, secret, message)));
  t.end();
});

test("words read back for any seed, however they are typed", (t) => {
  for (let round = 0; round < 50; round++) {
    const secret = random.bytes(32);
    const words = wordsOfSeed(secret);
    t.equal(words.length, 24);
    const typed = words.map((word) => (random.below(2) === 0 ? word.toUpperCase() : word));
    t.ok(seedOfWords(` ${typed.join(random.below(2) === 0 ? "\n" : "  ")}\t`).equals(secret), replay);
  }
  t.end();
});

test("a key file opens with its passphrase and no other", async (t) => {
  const secrets = { driveSeed: random.bytes(32), peerSeed: random.bytes(32) };
  const passphrase = Buffer.from("correct horse battery staple");
  const file = await encodeKeyFile(secrets, passphrase, random);
  t.ok(keyFileNeedsPassphrase(file));
  t.strictSame(await openKeyFile(file, passphrase), secrets);
  for (const wrong of [Buffer.from("correct horse battery stapl"), Buffer.alloc(1), undefined]) {
    t.equal(await kindOf(openKeyFile(file, wrong)), "Denied");
  }
  const again = await encodeKeyFile(secrets, passphrase, random);
  t.notOk(again.equals(file), "another salt and nonce each time");
  for (const secret of [secrets.driveSeed, secrets.peerSeed]) {
    t.notOk(file.includes(secret), "no seed lies open in a sealed file");
  }
  const long = Buffer.alloc(limits.crypt.passphraseBytesMax + 1, "x");
  t.equal(await kindOf(encodeKeyFile(secrets, long, random)), "Usage");
  t.equal(await kindOf(encodeKeyFile(secrets, Buffer.alloc(0), random)), "Usage");
});

test("a plain key file gives what it was given, with or without a drive", async (t) => {
  for (const driveSeed of [undefined, random.bytes(32)]) {
    const secrets = { driveSeed, peerSeed: random.bytes(32) };
    const file = await encodeKeyFile(secrets, undefined, random);
    t.notOk(keyFileNeedsPassphrase(file));
    t.strictSame(await openKeyFile(file, undefined), secrets);
    t.strictSame(await openKeyFile(file, Buffer.from("not needed")), secrets);
  }
});

test("no fault shows a secret", async (t) => {
  const secrets = { driveSeed: random.bytes(32), peerSeed: random.bytes(32) };
  const passphrase = Buffer.from("hunter2hunter2");
  const file = await encodeKeyFile(secrets, passphrase, random);
  const faults = [
    await openKeyFile(file, Buffer.from("hunter2hunter3")).catch((fault: unknown) => fault),
    await openKeyFile(file.subarray(1), passphrase).catch((fault: unknown) => fault),
    caught(() => openOnce(secrets.driveSeed, sealOnce(secrets.peerSeed, secrets.driveSeed))),
  ];
  const hidden = [secrets.driveSeed, secrets.peerSeed].flatMap((secret) => [
    secret.toString("hex").slice(0, 16), secret.toString("base64").slice(0, 12),
    secret.toString("latin1").slice(0, 8), [...secret.subarray(0, 4)].join(","),
  ]);
  for (const fault of faults) {
    t.ok(isFault(fault));
    const said = everythingOf(fault);
    t.notOk([...hidden, "hunter2"].some((secret) => said.includes(secret)), said);
  }
});

test("the preferred suite does not wander", (t) => {
  const suite = preferredSuite();
  t.ok(["aes-256-gcm", "chacha20-poly1305"].includes(suite));
  const key = random.bytes(32);
  t.ok(sealOnce(key, key).equals(sealOnce(key, key, { suite })));
  t.equal(preferredSuite(), suite);
  t.end();
});

async function kindOf(promise: Promise<unknown>): Promise<string> {
  const outcome = await promise.catch((fault: unknown) => fault);
  return isFault(outcome) ? outcome.kind : "ok";
}

function caught(act: () => unknown): unknown {
  try {
    return act();
  } catch (fault) {
    return fault;
  }
}

/** Message, subject, stack and causes, as a careless logger would print them. */
function everythingOf(fault: unknown): string {
  if (!(fault instanceof Error)) return String(fault);
  const inner = fault.cause === undefined ? "" : everythingOf(fault.cause);
  return [fault.message, fault.stack, JSON.stringify(fault), inner].join("\n");
}
