/** Signed records: what is written is read back, and nothing else is believed. */
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { parseGroupId, parseSegmentId, parseShardId } from "../../src/base/ids.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type ErasureClass, erasureClasses } from "../../src/base/records.ts";
import { driveKeysOf } from "../../src/crypt/drive.ts";
import { peerKeysOf } from "../../src/crypt/peer-key.ts";
import * as records from "../../src/crypt/records.ts";

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
      if (other !== kind) t.ok(faultOf(() => parseOther(signed.bytes)) === "Corrupt", other);
    }
    t.end();
  });

  test(`a ${kind} with any one bit flipped is Corrupt`, (t) => {
    const bits = signed.bytes.length * 8;
    const step = Math.max(1, Math.floor(bits / 1500));
    for (let bit = random.below(step); bit < bits; bit += step) {
      const bent = Buffer.from(signed.bytes);
      bent[bit >> 3] = (bent[bit >> 3] as number) ^ (1 << (bit & 7));
      if (faultOf(() => parse(bent)) !== "Corrupt") t.fail(`bit ${bit}; ${replay}`);
    }
    t.end();
  });
}

function faultOf(act: () => unknown): string {
  try {
    act();
    return "none";
  } catch (error) {
    if (isFault(error)) return error.kind;
    throw error;
  }
}
