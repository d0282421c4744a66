/** X-Wing by the draft's own vector, and grants that one person alone can open. */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { x25519 } from "@noble/curves/ed25519.js";
import { test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import { isSignedBy } from "../../src/crypt/ciphers/ed25519.ts";
import { xwingKeysOf, xwingSecretFor } from "../../src/crypt/ciphers/xwing.ts";
import { grantBytes, openGrant, personKeysOf, sealGrant } from "../../src/crypt/records/grants.ts";
import { outcomeOf } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/crypt.grants.test.ts`;
const random = seededRandom(`crypt.grants/${seed}`);

interface Vectors {
  readonly xwing: Readonly<Record<
    "seed" | "publicStart" | "publicEnd" | "ciphertext" | "secret", string>>;
  readonly person: Readonly<Record<"seed" | "signPublic" | "sealPublic", string>>;
  readonly grants: readonly {
    readonly comment: string;
    readonly sealed: string;
    readonly secret?: string;
    readonly expect: string;
  }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/crypt.grants.json", import.meta.url), "utf8"),
) as Vectors;

test("X-Wing answers the draft's first vector", (t) => {
  const { seed: own, publicStart, publicEnd, ciphertext, secret } = vectors.xwing;
  const keys = xwingKeysOf(Buffer.from(own, "hex"));
  const publicKey = keys.publicKey.toString("hex");
  t.equal(publicKey.length, 2 * 1216);
  t.ok(publicKey.startsWith(publicStart) && publicKey.endsWith(publicEnd));
  t.equal(keys.secretOf(Buffer.from(ciphertext, "hex")).toString("hex"), secret);
  t.end();
});

test("X-Wing's X25519 half is that of the reference", (t) => {
  const own = random.bytes(32);
  const wide = hash("shake256", own, { outputLength: 96, outputEncoding: "buffer" });
  const expected = x25519.getPublicKey(wide.subarray(64));
  t.ok(xwingKeysOf(own).publicKey.subarray(1184).equals(expected), replay);
  t.end();
});

test("both sides of X-Wing come to one secret, another each time", (t) => {
  const keys = xwingKeysOf(random.bytes(32));
  const seen = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const { secret, ciphertext } = xwingSecretFor(keys.publicKey);
    t.ok(keys.secretOf(ciphertext).equals(secret));
    t.notOk(xwingKeysOf(random.bytes(32)).secretOf(ciphertext).equals(secret));
    seen.add(secret.toString("hex"));
  }
  t.equal(seen.size, 20);
  t.end();
});

test("grants are the frozen ones, and open no other way", (t) => {
  const { seed: own, signPublic, sealPublic } = vectors.person;
  const keys = personKeysOf(Buffer.from(own, "hex"));
  t.equal(keys.signPublic.toString("hex"), signPublic);
  t.equal(keys.sealPublic.toString("hex"), sealPublic);
  for (const { comment, sealed, secret, expect } of vectors.grants) {
    const open = (): Buffer => openGrant(keys, Buffer.from(sealed, "hex"));
    t.equal(outcomeOf(open), expect, comment);
    if (secret !== undefined) t.equal(open().toString("hex"), secret, comment);
  }
  t.end();
});

test("a grant opens for its person alone, and no bit of it may flip", (t) => {
  const [ann, ben] = [personKeysOf(random.bytes(32)), personKeysOf(random.bytes(32))];
  const secret = random.bytes(32);
  const grant = sealGrant(ann.sealPublic, secret);
  t.equal(grant.length, grantBytes);
  t.ok(openGrant(ann, grant).equals(secret));
  t.equal(outcomeOf(() => openGrant(ben, grant)), "Corrupt");
  for (let round = 0; round < 400; round++) {
    const bit = random.below(grant.length * 8);
    const bent = Buffer.from(grant);
    bent[bit >> 3] = (bent[bit >> 3] as number) ^ (1 << (bit & 7));
    const outcome = outcomeOf(() => openGrant(ann, bent));
    if (outcome !== "Corrupt") t.fail(`bit ${bit} ${outcome}; ${replay}`);
  }
  t.end();
});

test("a public key that is none is Corrupt", (t) => {
  const { sealPublic } = personKeysOf(random.bytes(32));
  const secret = random.bytes(32);
  const smallOrder = Buffer.from(sealPublic).fill(0, 1184);
  const notReduced = Buffer.from(sealPublic).fill(0xff, 0, 1152);
  for (const wrong of [smallOrder, notReduced, sealPublic.subarray(1), Buffer.alloc(0)]) {
    t.equal(outcomeOf(() => sealGrant(wrong, secret)), "Corrupt", replay);
  }
  t.end();
});

test("a person's signature is checked by its public key", (t) => {
  const keys = personKeysOf(random.bytes(32));
  const message = random.bytes(50);
  t.ok(isSignedBy(keys.signPublic, message, keys.sign(message)));
  t.notOk(isSignedBy(keys.signPublic, random.bytes(50), keys.sign(message)));
  t.end();
});
