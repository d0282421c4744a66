/** What every ShardHost must do, whoever it is. Give it a factory of fresh hosts. */
import type { Test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import type { Kind } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import type { Requester, ShardHost } from "../../src/base/network.ts";
import type { Random } from "../../src/base/random.ts";
import { type Manifest, type SegmentRecord, erasureClasses } from "../../src/base/records.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { type DriveKeys, driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { parseReceipt, signHead, signManifest, signRelease } from "../../src/crypt/records/records.ts";
import { signSegmentRecord } from "../../src/crypt/records/records.ts";
import { shardOfSeat } from "../../src/placement/draws/seats.ts";
import { hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { verifyAnswer } from "../../src/proofs/answer.ts";
import { makeChallenge } from "../../src/proofs/challenge.ts";

export const shardBytes = 64 * 1024;

/** A host that holds nothing yet, and whose peer key is the given one. */
export type HostFactory = (keys: PeerKeys) => Promise<OpenHost>;

export interface OpenHost extends AsyncDisposable {
  readonly host: ShardHost;
}

/** An owner, its group of three, and what it asks a holder to keep. */
export class World {
  readonly random: Random;
  readonly drive: DriveKeys;
  readonly members: readonly PeerKeys[];
  readonly holderSeed: Buffer;
  readonly stranger: Requester;
  readonly manifest: Manifest;
  #created = 0;

  constructor(random: Random) {
    this.random = random;
    this.drive = driveKeysOf(random.bytes(32));
    const seeds = [0, 1, 2].map(() => random.bytes(32));
    this.members = seeds.map(peerKeysOf);
    this.holderSeed = seeds[0] as Buffer;
    const peer = peerKeysOf(random.bytes(32)).peer;
    this.stranger = { peer, owners: [driveKeysOf(random.bytes(32)).owner] };
    this.manifest = this.manifestOf(this.members.map((member) => member.peer), 1);
  }

  /** The first member is the host under test. */
  get holder(): PeerKeys {
    return this.members[0] as PeerKeys;
  }

  /** A device of the owner. */
  get owner(): Requester {
    return { peer: this.stranger.peer, owners: [this.drive.owner] };
  }

  /** Another member of the group, without the owner's word. */
  get member(): Requester {
    return { peer: (this.members[1] as PeerKeys).peer, owners: [] };
  }

  manifestOf(peers: readonly PeerId[], epoch: number, group = "ab".repeat(16)): Manifest {
    const erasureClass = erasureClasses[0];
    if (erasureClass === undefined) throw new Error("no class");
    return signManifest(this.drive, {
      group: group as Manifest["group"], epoch, class: erasureClass,
      policyHash: hashOfPolicy(defaultPolicy), peers,
    });
  }

  /** A segment of three shards, with the one that the holder has to keep. */
  segment(told: Partial<SegmentRecord> & { sizeBytes?: number } = {}): Piece {
    const size = told.sizeBytes ?? shardBytes;
    const shards = [0, 1, 2].map(() => shardOf(size, this.random));
    const record = signSegmentRecord(this.drive, {
      group: this.manifest.group, k: 1, n: 3, shardBytes: size,
      rotation: this.random.below(3), roots: shards.map(shardIdOf),
      createdAtMs: this.#created++, ...told,
    });
    const index = shardOfSeat(record, 0);
    const shard = shards[index] as Buffer;
    return { record, index, shard, shards, id: shardIdOf(shard) };
  }

  head(sequence: number): Uint8Array {
    const { peer } = this.stranger;
    const sealed = this.random.bytes(40);
    return signHead(this.drive, { peer, sequence, publishedAtMs: sequence, sealed }).bytes;
  }

  release(piece: Piece): Uint8Array {
    const { segment } = piece.record;
    return signRelease(this.drive, { segment, releasedAtMs: 1 }).bytes;
  }

  store(host: ShardHost, piece: Piece, from: Requester = this.owner, manifest = this.manifest) {
    const { record, index, shard } = piece;
    return host.store(from, { record: record.bytes, manifest: manifest.bytes, index }, shard);
  }
}

/** Cheap, and no two alike: random bytes again and again, each leaf with its offset in front. */
export function shardOf(sizeBytes: number, random: Random): Buffer {
  const shard = Buffer.alloc(sizeBytes, random.bytes(61));
  for (let at = 0; at < sizeBytes; at += 4096) shard.writeUInt32LE(at, at);
  return shard;
}

export interface Piece {
  readonly record: SegmentRecord;
  readonly index: number;
  readonly shard: Buffer;
  readonly shards: readonly Buffer[];
  readonly id: SegmentRecord["roots"][number];
}

/** Fails the test unless the promise is refused with one of the kinds. */
export async function refused(
  t: Test, what: string, act: Promise<unknown>, ...wanted: readonly Kind[]
): Promise<void> {
  try {
    await act;
    t.fail(`${what}: was let through`);
  } catch (error) {
    t.ok(isFault(error, ...wanted), `${what}: ${String(error)}`);
  }
}

export async function hostContract(
  t: Test, { open, random }: { readonly open: HostFactory; readonly random: Random },
): Promise<void> {
  for (const [name, check] of checks) {
    await t.test(name, async (sub) => {
      const world = new World(random);
      await using opened = await open(world.holder);
      await check(sub, opened.host, world);
    });
  }
}

type Check = (t: Test, host: ShardHost, world: World) => Promise<void>;

const checks: readonly (readonly [string, Check])[] = [
  ["what is stored is read again, whole and in parts, and has a true receipt", readsBack],
  ["a proof is right for the holder and no other question", proves],
  ["another's seat, other bytes and another index are refused", refusesFalseShards],
  ["storing again changes nothing", storesTwice],
  ["a released segment is gone, and only the owner can release it", releases],
  ["of heads and manifests the newest stays", keepsNewest],
  ["segments are told in pages, in order, each once", pages],
];

async function readsBack(t: Test, host: ShardHost, world: World): Promise<void> {
  const piece = world.segment();
  const receipt = parseReceipt(await world.store(host, piece));
  t.match(receipt, {
    holder: world.holder.peer, owner: world.drive.owner, segment: piece.record.segment,
    index: piece.index, shard: piece.id,
  });
  for (const [offsetBytes, lengthBytes] of [[0, shardBytes], [1, 1], [5000, 30_000]] as const) {
    const read = await host.read(world.owner, piece.id, { offsetBytes, lengthBytes });
    t.ok(piece.shard.subarray(offsetBytes, offsetBytes + lengthBytes).equals(read));
  }
  t.ok(piece.shard.equals(
    await host.read(world.member, piece.id, { offsetBytes: 0, lengthBytes: shardBytes }),
  ));
  const beyond = host.read(world.owner, piece.id, { offsetBytes: 1, lengthBytes: shardBytes });
  await refused(t, "past the end", beyond, "Invalid");
  const other = world.segment().id;
  const absent = host.read(world.owner, other, { offsetBytes: 0, lengthBytes: 1 });
  await refused(t, "never stored", absent, "NotFound");
}

async function proves(t: Test, host: ShardHost, world: World): Promise<void> {
  const piece = world.segment();
  await world.store(host, piece);
  const { random } = world;
  const challenge = makeChallenge({ shard: piece.id, shardBytes, count: 8, random });
  const answer = await host.prove(world.member, challenge);
  const holder = world.holder.peer;
  t.equal(verifyAnswer(challenge, { holder, shardBytes }, answer), "right");
  const other = makeChallenge({ shard: piece.id, shardBytes, count: 8, random });
  t.equal(verifyAnswer(other, { holder, shardBytes }, answer), "wrong");
}

async function refusesFalseShards(t: Test, host: ShardHost, world: World): Promise<void> {
  const piece = world.segment();
  const index = (piece.index + 1) % 3;
  const shard = piece.shards[index] as Buffer;
  await refused(t, "seat", world.store(host, { ...piece, index, shard }), "Denied");
  await refused(t, "bytes", world.store(host, { ...piece, shard }), "Corrupt");
  const absent = host.read(world.owner, piece.id, { offsetBytes: 0, lengthBytes: 1 });
  await refused(t, "nothing was kept", absent, "NotFound", "Denied");
}

async function storesTwice(t: Test, host: ShardHost, world: World): Promise<void> {
  const piece = world.segment();
  const first = parseReceipt(await world.store(host, piece));
  const { freeBytes } = host.space();
  const second = parseReceipt(await world.store(host, piece));
  t.equal(second.shard, first.shard);
  t.equal(host.space().freeBytes, freeBytes);
}

async function releases(t: Test, host: ShardHost, world: World): Promise<void> {
  const piece = world.segment();
  await world.store(host, piece);
  const other = new World(world.random);
  const forged = signRelease(other.drive, { segment: piece.record.segment, releasedAtMs: 1 });
  await host.release(other.owner, forged.bytes).catch(() => undefined);
  const range = { offsetBytes: 0, lengthBytes: 1 };
  t.equal((await host.read(world.owner, piece.id, range)).length, 1);
  await host.release(world.owner, world.release(piece));
  await refused(t, "gone", host.read(world.owner, piece.id, range), "NotFound");
  await host.release(world.owner, world.release(piece));
}

async function keepsNewest(t: Test, host: ShardHost, world: World): Promise<void> {
  await world.store(host, world.segment());
  const heads = [1, 3, 2].map((sequence) => world.head(sequence));
  const [first, newest, old] = heads as [Uint8Array, Uint8Array, Uint8Array];
  for (const head of [first, newest, newest]) await host.putRecord(world.owner, "head", head);
  await refused(t, "an old head", host.putRecord(world.owner, "head", old), "Stale");
  const peers = world.manifest.peers;
  const newer = world.manifestOf(peers, 7);
  const between = world.manifestOf(peers, 4);
  for (const { bytes } of [newer, between]) {
    await host.putRecord(world.owner, "manifest", bytes).catch(() => undefined);
  }
  const told = await host.records(world.owner, world.drive.owner);
  t.ok(told.head !== undefined && Buffer.from(told.head).equals(newest));
  t.equal(told.manifests.length, 1);
  t.ok(Buffer.from(told.manifests[0] as Uint8Array).equals(newer.bytes));
}

async function pages(t: Test, host: ShardHost, world: World): Promise<void> {
  const pieces = Array.from({ length: 9 }, () => world.segment());
  for (const piece of pieces) await world.store(host, piece);
  const sorted = pieces.map(({ record }) => record).sort((left, right) =>
    left.segment < right.segment ? -1 : 1,
  );
  const told: string[] = [];
  let after: SegmentRecord["segment"] | undefined;
  for (let page = 0; page < 5; page++) {
    const records = await host.segments(world.owner, world.drive.owner, { after, limit: 4 });
    t.ok(records.length <= 4);
    told.push(...records.map((record) => Buffer.from(record).toString("hex")));
    after = sorted[told.length - 1]?.segment;
  }
  t.strictSame(told, sorted.map(({ bytes }) => Buffer.from(bytes).toString("hex")));
}
