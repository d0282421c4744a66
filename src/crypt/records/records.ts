/**
 * The signed records of base/records.ts: `signX` makes one, `parseX` believes one, and nothing else
 * makes a value of these types. Envelope and canonical form: envelope.ts. Ids stand in the maps as
 * their raw bytes, a peer as the 32 bytes of its Ed25519 key, a time as milliseconds since 1970.
 *
 *   kind         signed by  fields of the body
 *   offer        peer       peer at household country? version? addresses quota free
 *   certificate  owner      owner peer name issued expires
 *   manifest     owner      owner group epoch class{name k n r} policy peers
 *   segment      owner      owner group k n size rotation roots created
 *   head         owner      owner peer sequence published sealed
 *   release      owner      owner segment released (holder index epoch)?
 *   receipt      holder     holder owner segment index shard at
 *
 * Manifests, segments, heads and releases may be signed by a device that the owner certified, with
 * its certificate; of heads, each its own alone.
 * A segment's id is the SHA-256 of its record's body.
 */
import { asBuffer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { bytesOfId, parseSegmentId, parseShardId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { DeviceCertificate, Head, Manifest, Offer } from "../../base/records.ts";
import type { Receipt, Release, SegmentRecord } from "../../base/records.ts";
import { knowing } from "../ciphers/known.ts";
import { type PeerKeys, publicKeyOfPeer } from "../ciphers/peer-key.ts";
import { digestBytes } from "../ciphers/sha256.ts";
import type { DriveKeys } from "../drive/drive.ts";
import type { Deputy, RecordShape, Signed } from "../signed/envelope.ts";
import { parseRecord, signRecord } from "../signed/envelope.ts";
import { classIn, countryIn, groupIn, membersIn, ownerIn } from "../signed/record-fields.ts";
import { peerIn, releasedShardIn, rootsIn, segmentIn } from "../signed/record-fields.ts";
import { shardBytesIn, timeIn } from "../signed/record-fields.ts";

type OwnerSigner = Pick<DriveKeys, "owner" | "sign" | "certificate">;
type PeerSigner = Pick<PeerKeys, "peer" | "sign">;
type Unsigned<T> = Omit<T, "bytes">;
/** What the caller tells of a record whose signer names itself. */
type Told<T, Known extends keyof T> = Omit<T, "bytes" | Known>;

const { nameBytesMax, addressesMax, addressBytesMax, membersMax, timeMsMax } = limits.records;
const { versionBytesMax } = limits.records;
const countMax = Number.MAX_SAFE_INTEGER;

export function signOffer(keys: PeerSigner, told: Told<Offer, "peer">): Offer {
  return signRecord(offerShape, { ...told, peer: keys.peer }, keys.sign);
}

export const parseOffer: (bytes: Uint8Array) => Offer = knowing((bytes) => {
  return parseRecord(offerShape, bytes);
}, { countMax: limits.records.offersKnownMax });

export function signDeviceCertificate(
  keys: OwnerSigner,
  told: Told<DeviceCertificate, "owner">,
): DeviceCertificate {
  return signRecord(certificateShape, { ...told, owner: keys.owner }, keys.sign);
}

export const parseDeviceCertificate: (bytes: Uint8Array) => DeviceCertificate = knowing((bytes) => {
  return parseRecord(certificateShape, bytes);
}, { countMax: limits.records.certificatesKnownMax });

export function signManifest(keys: OwnerSigner, told: Told<Manifest, "owner">): Manifest {
  return signByOwner(manifestShape, { ...told, owner: keys.owner }, keys);
}

/** One comes with every shard of its group. */
export const parseManifest: (bytes: Uint8Array) => Manifest = knowing((bytes) => {
  return parseRecord(manifestShape, bytes);
}, { countMax: limits.records.manifestsKnownMax });

/**
 * Whether this manifest takes the place of that one, of the same group. Devices of one drive that
 * were apart may have signed one epoch each: whoever hears of both, be it a device or a holder,
 * goes by that with the greater bytes, so that all come to the same.
 */
export function supersedes(one: Manifest, other: Manifest): boolean {
  if (one.epoch !== other.epoch) return one.epoch > other.epoch;
  return asBuffer(one.bytes).compare(asBuffer(other.bytes)) > 0;
}

export function signSegmentRecord(
  keys: OwnerSigner,
  told: Told<SegmentRecord, "owner" | "segment">,
): SegmentRecord {
  return signByOwner(segmentShape, { ...told, owner: keys.owner, segment: unnamed }, keys);
}

export function parseSegmentRecord(bytes: Uint8Array): SegmentRecord {
  return parseRecord(segmentShape, bytes);
}

export function signHead(keys: OwnerSigner, told: Told<Head, "owner">): Head {
  return signByOwner(headShape, { ...told, owner: keys.owner }, keys);
}

export function parseHead(bytes: Uint8Array): Head {
  const head = parseRecord(headShape, bytes);
  if (head.by === undefined || head.by === head.peer) return head;
  throw new HiveError("Corrupt", "records.head", "another device's");
}

export function signRelease(keys: OwnerSigner, told: Told<Release, "owner">): Release {
  return signByOwner(releaseShape, { ...told, owner: keys.owner }, keys);
}

export function parseRelease(bytes: Uint8Array): Release {
  return parseRecord(releaseShape, bytes);
}

export function signReceipt(keys: PeerSigner, told: Told<Receipt, "holder">): Receipt {
  return signRecord(receiptShape, { ...told, holder: keys.peer }, keys.sign);
}

export function parseReceipt(bytes: Uint8Array): Receipt {
  return parseRecord(receiptShape, bytes);
}

const offerShape: RecordShape<Unsigned<Offer>> = {
  kind: "offer",
  signer: (offer) => publicKeyOfPeer(offer.peer),
  write: (offer) => ({
    peer: publicKeyOfPeer(offer.peer),
    at: offer.atMs,
    household: offer.household,
    ...(offer.country === undefined ? {} : { country: offer.country }),
    ...(offer.version === undefined ? {} : { version: offer.version }),
    addresses: offer.addresses,
    quota: offer.quotaBytes,
    free: offer.freeBytes,
  }),
  read: (fields) => {
    const quotaBytes = fields.count("quota", { min: 0, max: countMax });
    return {
      peer: peerIn(fields, "peer"),
      atMs: timeIn(fields, "at"),
      household: fields.text("household", nameBytesMax),
      country: countryIn(fields),
      ...(fields.has("version") ? { version: fields.text("version", versionBytesMax) } : {}),
      addresses: fields.texts("addresses", { countMax: addressesMax, bytesMax: addressBytesMax }),
      quotaBytes,
      freeBytes: fields.count("free", { min: 0, max: quotaBytes }),
    };
  },
};

const certificateShape: RecordShape<Unsigned<DeviceCertificate>> = {
  kind: "certificate",
  signer: (certificate) => bytesOfId(certificate.owner),
  write: (certificate) => ({
    owner: bytesOfId(certificate.owner),
    peer: publicKeyOfPeer(certificate.peer),
    name: certificate.name,
    issued: certificate.issuedAtMs,
    expires: certificate.expiresAtMs,
  }),
  read: (fields) => {
    const issuedAtMs = timeIn(fields, "issued");
    return {
      owner: ownerIn(fields),
      peer: peerIn(fields, "peer"),
      name: fields.text("name", nameBytesMax),
      issuedAtMs,
      expiresAtMs: fields.count("expires", { min: issuedAtMs + 1, max: timeMsMax }),
    };
  },
};

function signByOwner<T>(shape: RecordShape<T>, record: T, keys: OwnerSigner): Signed<T> {
  return signRecord(shape, record, keys.sign, keys.certificate?.bytes);
}

/** The device that a certificate lets act for its owner; that it ran out is not asked here. */
function deviceOf(bytes: Uint8Array): Deputy {
  const { owner, peer } = parseDeviceCertificate(bytes);
  return { appointedBy: bytesOfId(owner), peer, key: publicKeyOfPeer(peer) };
}

const manifestShape: RecordShape<Unsigned<Manifest>> = {
  kind: "manifest",
  signer: (manifest) => bytesOfId(manifest.owner),
  deputy: deviceOf,
  isForSigner: ({ epoch }) => epoch > limits.records.deviceEpochMax,
  write: (manifest) => {
    const { name, k, n, r } = manifest.class;
    return {
      owner: bytesOfId(manifest.owner),
      group: bytesOfId(manifest.group),
      epoch: manifest.epoch,
      class: { name, k, n, r },
      policy: Buffer.from(manifest.policyHash, "hex"),
      peers: manifest.peers.map(publicKeyOfPeer),
    };
  },
  read: (fields) => {
    const found = classIn(fields.map("class"));
    return {
      owner: ownerIn(fields),
      group: groupIn(fields),
      epoch: fields.count("epoch", { min: 0, max: countMax }),
      class: found,
      policyHash: fields.exactly("policy", digestBytes).toString("hex"),
      peers: membersIn(fields, found.n),
    };
  },
};

const segmentShape: RecordShape<Unsigned<SegmentRecord>> = {
  kind: "segment",
  signer: (record) => bytesOfId(record.owner),
  deputy: deviceOf,
  write: (record) => ({
    owner: bytesOfId(record.owner),
    group: bytesOfId(record.group),
    k: record.k,
    n: record.n,
    size: record.shardBytes,
    rotation: record.rotation,
    roots: record.roots.map(bytesOfId),
    created: record.createdAtMs,
  }),
  read: (fields, bodyHash) => {
    const n = fields.count("n", { min: 2, max: membersMax });
    return {
      segment: parseSegmentId(bodyHash),
      owner: ownerIn(fields),
      group: groupIn(fields),
      k: fields.count("k", { min: 1, max: n - 1 }),
      n,
      shardBytes: shardBytesIn(fields),
      rotation: fields.count("rotation", { min: 0, max: n - 1 }),
      roots: rootsIn(fields, n),
      createdAtMs: timeIn(fields, "created"),
    };
  },
};

const headShape: RecordShape<Unsigned<Head>> = {
  kind: "head",
  signer: (head) => bytesOfId(head.owner),
  deputy: deviceOf,
  write: (head) => ({
    owner: bytesOfId(head.owner),
    peer: publicKeyOfPeer(head.peer),
    sequence: head.sequence,
    published: head.publishedAtMs,
    sealed: head.sealed,
  }),
  read: (fields) => ({
    owner: ownerIn(fields),
    peer: peerIn(fields, "peer"),
    sequence: fields.count("sequence", { min: 0, max: countMax }),
    publishedAtMs: timeIn(fields, "published"),
    sealed: fields.bytes("sealed", { min: 1, max: limits.records.headSealedBytesMax }),
  }),
};

const releaseShape: RecordShape<Unsigned<Release>> = {
  kind: "release",
  signer: (release) => bytesOfId(release.owner),
  deputy: deviceOf,
  write: (release) => ({
    owner: bytesOfId(release.owner),
    segment: bytesOfId(release.segment),
    released: release.releasedAtMs,
    ...(release.only === undefined ? {} : {
      holder: publicKeyOfPeer(release.only.holder),
      index: release.only.index,
      epoch: release.only.epoch,
    }),
  }),
  read: (fields) => ({
    owner: ownerIn(fields),
    segment: segmentIn(fields),
    releasedAtMs: timeIn(fields, "released"),
    ...(fields.has("holder") ? { only: releasedShardIn(fields) } : {}),
  }),
};

const receiptShape: RecordShape<Unsigned<Receipt>> = {
  kind: "receipt",
  signer: (receipt) => publicKeyOfPeer(receipt.holder),
  write: (receipt) => ({
    holder: publicKeyOfPeer(receipt.holder),
    owner: bytesOfId(receipt.owner),
    segment: bytesOfId(receipt.segment),
    index: receipt.index,
    shard: bytesOfId(receipt.shard),
    at: receipt.atMs,
  }),
  read: (fields) => ({
    holder: peerIn(fields, "holder"),
    owner: ownerIn(fields),
    segment: segmentIn(fields),
    index: fields.count("index", { min: 0, max: membersMax - 1 }),
    shard: parseShardId(fields.exactly("shard", digestBytes).toString("hex")),
    atMs: timeIn(fields, "at"),
  }),
};

/** Stands in for a segment's name until its body is written; `read` gives the true one. */
const unnamed = parseSegmentId("0".repeat(2 * digestBytes));
