/** Records that are known again by their bytes. */
import { test } from "tap";
import { HiveError } from "../../src/base/errors.ts";
import { parseGroupId, parseSegmentId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { erasureClasses } from "../../src/base/records.ts";
import { isSignedBy, signerOf } from "../../src/crypt/ciphers/ed25519.ts";
import { knowing } from "../../src/crypt/ciphers/known.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { type AddedDevice, addedDevice, keysOfAdded } from "../../src/crypt/devices/added-device.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import {
  parseDeviceCertificate, parseManifest, parseOffer, parseRelease, signDeviceCertificate,
  signManifest, signOffer, signRelease,
} from "../../src/crypt/records/records.ts";
import { loopbackKeys } from "../support/loopback-network.ts";

interface Device {
  readonly keys: PeerKeys;
  readonly added: AddedDevice;
}

test("a record is checked once, while it is told again", (t) => {
  let checks = 0;
  const parse = knowing((bytes) => {
    checks++;
    if (bytes[0] === 0) throw new Error("refused");
    return { first: bytes[0] };
  }, { countMax: 2 });
  const one = parse(Buffer.from([1]));
  t.equal(parse(new Uint8Array([1])), one, "the same bytes elsewhere");
  t.equal(checks, 1);
  t.strictSame(parse(Buffer.from([1, 0])), { first: 1 }, "a longer one is another");
  parse(Buffer.from([1]));
  parse(Buffer.from([2]));
  t.equal(checks, 3);
  t.equal(parse(Buffer.from([1])), one, "what is asked for stays");
  parse(Buffer.from([1, 0]));
  t.equal(checks, 4, "what was not goes first");
  for (const _ of [1, 2]) t.throws(() => parse(Buffer.from([0])), "what is refused stays refused");
  t.equal(checks, 6);
  t.end();
});

const drive = driveKeysOf(Buffer.alloc(32, 7));
const { peer } = loopbackKeys("ann");

const known: Readonly<Record<string, readonly [Uint8Array, (bytes: Uint8Array) => unknown]>> = {
  offer: [signOffer(loopbackKeys("ann"), {
    atMs: 1_000, household: "ann", country: "CH", addresses: ["/ip4/127.0.0.1/tcp/1"],
    quotaBytes: 1, freeBytes: 1,
  }).bytes, parseOffer],
  manifest: [signManifest(drive, {
    group: parseGroupId("ab".repeat(16)), epoch: 1, class: erasureClasses[0]!, policyHash: "0".repeat(64),
    peers: [peer, loopbackKeys("ben").peer, loopbackKeys("cem").peer],
  }).bytes, parseManifest],
  certificate: [signDeviceCertificate(drive, {
    peer, name: "laptop", issuedAtMs: 1, expiresAtMs: 2,
  }).bytes, parseDeviceCertificate],
};

for (const [kind, [bytes, parse]] of Object.entries(known)) {
  test(`of a known ${kind} one wrong bit, one byte more or less is refused`, (t) => {
    t.equal(parse(bytes), parse(Buffer.from(bytes)));
    const bent = [...bytes.keys()].map((at) => {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 1;
      return damaged;
    });
    for (const wrong of [...bent, bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.alloc(1)])]) {
      for (const _ of ["first", "again"]) t.throws(() => parse(wrong), HiveError);
    }
    t.equal(parse(bytes), parse(Buffer.from(bytes)), "the right one is known as ever");
    t.end();
  });
}

test("keys that are known answer for their own words alone", (t) => {
  const signers = ["ann", "ben", "cem"].map((name) => signerOf(sha256(Buffer.from(name))));
  const message = Buffer.from("what was said");
  for (const _ of ["first", "again"]) {
    for (const one of signers) {
      for (const other of signers) {
        t.equal(isSignedBy(one.publicKey, message, other.sign(message)), one === other);
      }
      t.notOk(isSignedBy(one.publicKey, Buffer.from("what was not"), one.sign(message)));
    }
  }
  t.end();
});

test("a device's word counts by its own certificate, also when others are known", (t) => {
  const [lap, pad] = [1, 2].map((seed) => {
    const keys = peerKeysOf(Buffer.alloc(32, seed));
    return { keys, added: addedDevice(Buffer.alloc(32, 7), { peer: keys.peer, name: "d", nowMs: 1e12 }) };
  }) as [Device, Device];
  const told = { segment: parseSegmentId("5a".repeat(32)), releasedAtMs: 1e12 };
  for (const { keys, added } of [lap, pad]) {
    t.equal(parseRelease(signRelease(keysOfAdded(added, keys), told).bytes).by, keys.peer);
  }
  const crossed = { ...keysOfAdded(lap.added, lap.keys), sign: pad.keys.sign };
  t.throws(() => parseRelease(signRelease(crossed, told).bytes), HiveError, "signed by the other");
  t.end();
});

test("no device signs a manifest that its owner could not outdo", (t) => {
  const keys = peerKeysOf(Buffer.alloc(32, 1));
  const added = addedDevice(Buffer.alloc(32, 7), { peer: keys.peer, name: "d", nowMs: 1e12 });
  const device = keysOfAdded(added, keys);
  const { deviceEpochMax: epoch } = limits.records;
  const told = parseManifest(known["manifest"]![0]);
  t.equal(parseManifest(signManifest(device, { ...told, epoch }).bytes).by, keys.peer);
  t.throws(() => signManifest(device, { ...told, epoch: epoch + 1 }), HiveError);
  t.equal(parseManifest(signManifest(drive, { ...told, epoch: epoch + 1 }).bytes).by, undefined);
  t.end();
});
