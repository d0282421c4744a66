/** Sealing: equal to a second implementation, refusing every bent bit, and telling nothing. */
import { createHmac } from "node:crypto";
import { gcm } from "@noble/ciphers/aes.js";
import { chacha20poly1305, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { test } from "tap";
import { loadAddon } from "../../src/base/machine/native.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { type Suite, nativeRecords, openOnce, openRecord } from "../../src/crypt/ciphers/aead.ts";
import { plainRecords } from "../../src/crypt/ciphers/aead.ts";
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

test("records sealed natively and through node are the same bytes, and open to the same", (t) => {
  const native = nativeRecords();
  if (native === undefined) return t.end();
  for (let round = 0; round < 200; round++) {
    const length = round < lengths.length ? lengths[round] as number : random.below(10_000);
    const [key, plaintext, nonce] = [random.bytes(32), random.bytes(length), random.bytes(24)];
    const aad = random.bytes(random.below(2) * random.below(60));
    const sealed = plainRecords.seal(key, plaintext, nonce, aad);
    const isSame = native.seal(key, plaintext, nonce, aad).equals(sealed)
      && native.open(key, sealed, aad).equals(plaintext)
      && plainRecords.open(key, sealed, aad).equals(plaintext);
    if (!isSame) t.fail(`${length} bytes; ${replay}`);
    for (const sealer of [native, plainRecords]) {
      const other = Buffer.concat([aad, Buffer.alloc(1)]);
      t.equal(outcomeOf(() => sealer.open(key, sealed, other)), "Corrupt");
      t.equal(outcomeOf(() => sealer.open(random.bytes(32), sealed, aad)), "Corrupt");
      t.equal(outcomeOf(() => sealer.open(key, sealed.subarray(1), aad)), "Corrupt");
      t.equal(outcomeOf(() => sealer.open(key, sealed.subarray(0, 57), aad)), "Corrupt");
    }
  }
  t.end();
});

test("the addon refuses records whose arguments do not fit, and lives on", (t) => {
  type Call = (...words: unknown[]) => unknown;
  const addon = loadAddon("seal", (exports) => exports as { sealRecord: Call; openRecord: Call });
  if (addon === undefined) return t.end();
  const [key, nonce, none] = [Buffer.alloc(32), Buffer.alloc(24), Buffer.alloc(0)];
  const [plain, sealed] = [Buffer.alloc(64), Buffer.alloc(122)];
  const wrongSeals: readonly (readonly unknown[])[] = [
    [], [key, nonce, none, plain], [key.subarray(1), nonce, none, plain, sealed],
    [key, nonce.subarray(1), none, plain, sealed], [key, nonce, none, plain, plain],
    [key, nonce, none, sealed.subarray(0, 64), sealed], [key, nonce, null, plain, sealed],
    [key, sealed.subarray(0, 24), none, plain, sealed], [key, nonce, sealed, plain, sealed],
    [key, nonce, none, new Uint16Array(32), sealed], [sealed.subarray(0, 32), nonce, none, plain, sealed],
  ];
  for (const words of wrongSeals) {
    t.throws(() => addon.sealRecord(...words), { code: "ERR_SEAL_ARGUMENT" });
  }
  addon.sealRecord(key, nonce, none, plain, sealed);
  const wrongOpens: readonly (readonly unknown[])[] = [
    [], [key, none, sealed], [key, none, sealed.subarray(1), plain], [key, none, plain, plain],
    [key, none, Buffer.alloc(57), none], [key, none, sealed, sealed.subarray(0, 64)],
  ];
  for (const words of wrongOpens) {
    t.throws(() => addon.openRecord(...words), { code: "ERR_SEAL_ARGUMENT" });
  }
  t.equal(addon.openRecord(key, none, sealed, plain), 0);
  t.end();
});

test("one flipped bit anywhere is refused", (t) => {
  const key = random.bytes(32);
  const plaintext = random.bytes(40);
  const once = suites.map((suite) => sealOnce(key, plaintext, { suite }));
  for (const sealed of once) checkEveryBit(sealed, (bent) => openOnce(key, bent));
  const record = sealRecord(key, plaintext, random);
  for (const sealer of [plainRecords, nativeRecords()]) {
    if (sealer !== undefined) checkEveryBit(record, (bent) => sealer.open(key, bent, Buffer.alloc(0)));
  }
  t.end();

  function checkEveryBit(sealed: Buffer, open: (bent: Buffer) => Buffer): void {
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const bent = Buffer.from(sealed);
      bent[bit >> 3] = (bent[bit >> 3] as number) ^ (1 << (bit & 7));
      if (outcomeOf(() => open(bent)) !== "Corrupt") t.fail(`bit ${bit}; ${replay}`);
    }
  }
});
