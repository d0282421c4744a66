/** Signed records: what is written is read back, and nothing else is believed. */
import { createHash } from "node:crypto";
import { decode } from "@ipld/dag-cbor";
import { test } from "tap";
import { parseGroupId, parseSegmentId, parseShardId } from "../../src/base/ids.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type ErasureClass, erasureClasses } from "../../src/base/records.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import * as records from "../../src/crypt/records/records.ts";
import { outcomeOf } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/crypt.records.test.ts`;
const random = seededRandom(`crypt.records/${seed}`);
const drive = driveKeysOf(random.bytes(32));
const node = peerKeysOf(random.bytes(32));

function peers(count: number): PeerId[] {
  return Array.from({ length: count }, () => peerKeysOf(random.bytes(32)).peer);
}

function hex(bytes: number): string {
  return random.bytes(bytes).toString("hex");
}

const home = erasureClasses.find(({ name }) => name === "home") as ErasureClass;
const group = parseGroupId(hex(16));
const segment = parseSegmentId(hex(32));

const offer = {
  atMs: 1_764_000_000_000, household: "Grüner Weg 7", country: "DE",
  addresses: ["/ip4/192.0.2.7/tcp/4001"], quotaBytes: 2 ** 40, freeBytes: 2 ** 39,
};
const certificate = { peer: node.peer, name: "laptop", issuedAtMs: 1, expiresAtMs: 2 };
const manifest = { group, epoch: 3, class: home, policyHash: hex(32), peers: peers(home.n) };
const roots = Array.from({ length: home.n }, () => parseShardId(hex(32)));
const record = {
  group, k: home.k, n: home.n, shardBytes: 65_536, rotation: 5, roots, createdAtMs: 9,
};
const head = { peer: node.peer, sequence: 7, publishedAtMs: 11, sealed: random.bytes(200) };
const release = { segment, releasedAtMs: 13 };
const receipt = {
  owner: drive.owner, segment, index: 23, shard: parseShardId(hex(32)), atMs: 15,
};

type Parse = (bytes: Uint8Array) => { readonly bytes: Uint8Array };

const made: Readonly<Record<string, readonly [{ readonly bytes: Uint8Array }, Parse]>> = {
  offer: [records.signOffer(node, offer), records.parseOffer],
  certificate: [records.signDeviceCertificate(drive, certificate), records.parseDeviceCertificate],
  manifest: [records.signManifest(drive, manifest), records.parseManifest],
  segment: [records.signSegmentRecord(drive, record), records.parseSegmentRecord],
  head: [records.signHead(drive, head), records.parseHead],
  release: [records.signRelease(drive, release), records.parseRelease],
  receipt: [records.signReceipt(node, receipt), records.parseReceipt],
};

for (const [kind, [signed, parse]] of Object.entries(made)) {
  test(`a signed ${kind} reads back as it was written`, (t) => {
    t.strictSame(parse(signed.bytes), signed);
    t.strictSame(parse(Uint8Array.from(signed.bytes)), signed, "from plain bytes too");
    t.end();
  });

  test(`a ${kind} is no record of another kind`, (t) => {
    for (const [other, [, parseOther]] of Object.entries(made)) {
      if (other !== kind) t.ok(outcomeOf(() => parseOther(signed.bytes)) === "Corrupt", other);
    }
    t.end();
  });

  test(`a ${kind} with any one bit flipped is Corrupt`, (t) => {
    const bits = signed.bytes.length * 8;
    const step = Math.max(1, Math.floor(bits / 1500));
    for (let bit = random.below(step); bit < bits; bit += step) {
      const bent = Buffer.from(signed.bytes);
      bent[bit >> 3] = (bent[bit >> 3] as number) ^ (1 << (bit & 7));
      if (outcomeOf(() => parse(bent)) !== "Corrupt") t.fail(`bit ${bit}; ${replay}`);
    }
    t.end();
  });
}

test("the largest record of each kind fits, and reads back", (t) => {
  const widest = erasureClasses.find(({ name }) => name === "vault") as ErasureClass;
  const { addressesMax, addressBytesMax, headSealedBytesMax, nameBytesMax } = limits.records;
  const version = "9".repeat(limits.records.versionBytesMax);
  const addresses = Array.from({ length: addressesMax }, () => "/".repeat(addressBytesMax));
  const household = "x".repeat(nameBytesMax);
  const last = Number.MAX_SAFE_INTEGER;
  const whole = { quotaBytes: last, freeBytes: last, atMs: limits.records.timeMsMax };
  const many = Array.from({ length: widest.n }, () => parseShardId(hex(32)));
  const offered = records.signOffer(node, { ...offer, ...whole, addresses, household, version });
  t.strictSame(records.parseOffer(offered.bytes), offered);
  const sealed = random.bytes(headSealedBytesMax);
  const headed = records.signHead(drive, { ...head, sealed, sequence: last });
  t.strictSame(records.parseHead(headed.bytes), headed);
  const wide = { ...manifest, class: widest, peers: peers(widest.n), epoch: last };
  const listed = records.signManifest(drive, wide);
  t.strictSame(records.parseManifest(listed.bytes), listed);
  const cut = { ...record, k: widest.k, n: widest.n, rotation: widest.n - 1, roots: many };
  const rooted = records.signSegmentRecord(drive, cut);
  t.strictSame(records.parseSegmentRecord(rooted.bytes), rooted);
  t.end();
});

test("an offer tells its version, or none, and both are read", (t) => {
  const told = records.signOffer(node, { ...offer, version: "0.1.0" });
  t.equal(records.parseOffer(told.bytes).version, "0.1.0");
  t.notOk("version" in records.parseOffer(records.signOffer(node, offer).bytes));
  t.end();
});

test("a segment is named by the hash of its record's body", (t) => {
  const { segment: id, bytes } = records.signSegmentRecord(drive, record);
  const [body] = decode<[Uint8Array]>(bytes);
  t.equal(id, createHash("sha256").update(body).digest("hex"));
  const other = records.signSegmentRecord(drive, { ...record, createdAtMs: 10 });
  t.not(other.segment, id);
  t.end();
});

test("what breaks a kind's own rules is Invalid to sign", (t) => {
  const stranger = { owner: drive.owner, sign: node.sign };
  const tries = [
    () => records.signOffer(node, { ...offer, household: "" }),
    () => records.signOffer(node, { ...offer, country: "Germany" }),
    () => records.signOffer(node, { ...offer, version: "" }),
    () => records.signOffer(node, { ...offer, version: "1".repeat(33) }),
    () => records.signOffer(node, { ...offer, version: "0.1\n" }),
    () => records.signOffer(node, { ...offer, freeBytes: offer.quotaBytes + 1 }),
    () => records.signManifest(drive, { ...manifest, peers: manifest.peers.slice(1) }),
    () => records.signManifest(drive, { ...manifest, policyHash: "not hex" }),
    () => records.signManifest(drive, { ...manifest, class: { ...home, k: 7 } }),
    () => records.signSegmentRecord(drive, { ...record, shardBytes: 65_537 }),
    () => records.signSegmentRecord(drive, { ...record, createdAtMs: 0.5 }),
    () => records.signHead(drive, { ...head, peer: "notapeer" as PeerId }),
    () => records.signRelease(stranger, release),
    () => records.signReceipt(node, { ...receipt, index: 80 }),
  ];
  for (const attempt of tries) t.equal(outcomeOf(attempt), "Invalid", String(attempt));
  t.end();
});

test("a parsed record does not change with the buffer that it came in", (t) => {
  const wire = Buffer.from(records.signHead(drive, head).bytes);
  const parsed = records.parseHead(wire);
  wire.fill(0);
  t.ok(Buffer.from(parsed.sealed).equals(head.sealed));
  t.strictSame(records.parseHead(parsed.bytes), parsed);
  t.end();
});
