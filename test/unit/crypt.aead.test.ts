/** Sealing: equal to a second implementation, refusing every bent bit, and telling nothing. */
import { createHmac } from "node:crypto";
import { gcm } from "@noble/ciphers/aes.js";
import { chacha20poly1305, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { test } from "tap";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { type Suite, openOnce, openRecord } from "../../src/crypt/ciphers/aead.ts";
import { sealOnce, sealOnceOverheadBytes } from "../../src/crypt/ciphers/aead.ts";
import { sealRecord, sealRecordOverheadBytes } from "../../src/crypt/ciphers/aead.ts";
import { hchacha20 } from "../../src/crypt/ciphers/hchacha.ts";
import { hmacSha256 } from "../../src/crypt/ciphers/sha256.ts";
import { outcomeOf } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/crypt.aead.test.ts`;
const random: Random = seededRandom(`crypt.aead/${seed}`);
const suites: readonly Suite[] = ["aes-256-gcm", "chacha20-poly1305"];
const reference = { "aes-256-gcm": gcm, "chacha20-poly1305": chacha20poly1305 };
const lengths = [0, 1, 15, 16, 17, 63, 64, 65, 1000, 4096, 65_537];

test("HMAC-SHA-256 is that of node for keys and messages of all short lengths", (t) => {
  for (let round = 0; round < 200; round++) {
    const key = random.bytes(16 + random.below(49));
    const parts = [random.bytes(random.below(100)), random.bytes(random.below(300))];
    const expected = createHmac("sha256", key).update(Buffer.concat(parts)).digest();
    if (!hmacSha256(key, ...parts).equals(expected)) t.fail(replay);
  }
  t.end();
});

test("HChaCha20 answers the draft's own example", (t) => {
  const key = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
  const nonce = Buffer.from("000000090000004a0000000031415927", "hex");
  const expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc";
  t.equal(hchacha20(key, nonce).toString("hex"), expected);
  t.end();
});

for (const suite of suites) {
  test(`sealOnce with ${suite} is the cipher of the reference, and opens`, (t) => {
    for (const length of lengths) {
      const key = random.bytes(32);
      const plaintext = random.bytes(length);
      const sealed = sealOnce(key, plaintext, { suite });
      const cipher = reference[suite](key, new Uint8Array(12), sealed.subarray(0, 18));
      t.ok(sealed.subarray(18).equals(cipher.encrypt(plaintext)), `${length} bytes; ${replay}`);
      t.ok(openOnce(key, sealed).equals(plaintext));
      t.equal(sealed.length, length + sealOnceOverheadBytes);
      t.ok(sealOnce(key, plaintext, { suite }).equals(sealed), "the same again");
    }
    t.end();
  });
}

test("sealRecord is XChaCha20-Poly1305 of the reference, and opens", (t) => {
  for (const length of lengths) {
    const key = random.bytes(32);
    const plaintext = random.bytes(length);
    const aad = random.bytes(random.below(50));
    const sealed = sealRecord(key, plaintext, random, aad);
    const nonce = Uint8Array.from(sealed.subarray(18, 42));
    const additional = Buffer.concat([sealed.subarray(0, 18), aad]);
    const expected = xchacha20poly1305(key, nonce, additional).encrypt(plaintext);
    t.ok(sealed.subarray(42).equals(expected), `${length} bytes; ${replay}`);
    t.ok(openRecord(key, sealed, aad).equals(plaintext));
    t.equal(sealed.length, length + sealRecordOverheadBytes);
    t.notOk(sealRecord(key, plaintext, random, aad).equals(sealed), "a nonce of its own");
  }
  t.end();
});

test("one flipped bit anywhere is refused", (t) => {
  const key = random.bytes(32);
  const plaintext = random.bytes(40);
  const once = suites.map((suite) => sealOnce(key, plaintext, { suite }));
  for (const sealed of once) checkEveryBit(sealed, (bent) => openOnce(key, bent));
  const record = sealRecord(key, plaintext, random);
  checkEveryBit(record, (bent) => openRecord(key, bent));
  t.end();

  function checkEveryBit(sealed: Buffer, open: (bent: Buffer) => Buffer): void {
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const bent = Buffer.from(sealed);
      bent[bit >> 3] = (bent[bit >> 3] as number) ^ (1 << (bit & 7));
      if (outcomeOf(() => open(bent)) !== "Corrupt") t.fail(`bit ${bit}; ${replay}`);
    }
  }
});
