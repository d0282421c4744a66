/** A vault under a log: who is let in by it, what it takes away (nothing), and what outlives it. */
import { rm } from "node:fs/promises";
import { test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { signManifest, signRelease, signSegmentRecord } from "../../src/crypt/records/records.ts";
import { baseOf, extend } from "../../src/guard/log.ts";
import type { Standing } from "../../src/guard/log.ts";
import { freshBallot, never } from "../../src/guard/voter.ts";
import { shardOfSeat } from "../../src/placement/draws/seats.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { refused, shardOf } from "../contract/host.ts";
import { TestGroup } from "../support/guard-group.ts";
import { ShiftedClock } from "../support/transfer-world.ts";
import { newDirectory, openHouse, openHouseIn } from "../support/vault-house.ts";

const group = new TestGroup("vault");
const random = seededRandom("vault log");
const [lost, member, third] = group.members as [PeerKeys, PeerKeys, PeerKeys];
const newcomer = group.others[0] as PeerKeys;
const seat = 0;
const term = 5;
const entry = group.entry(group.standing, { seat, peer: newcomer.peer, term });
const after = extend(group.standing, group.accepted(group.standing, entry, term));
const word = { ...after, policy: undefined, head: undefined };
const fromMember = { peer: member.peer, owners: [] };
const fromOwner = { peer: group.others[4]!.peer, owners: [group.drive.owner] };
const shards = Array.from({ length: 6 }, () => shardOf(64 * 1024, random));
const record = signSegmentRecord(group.drive, {
  group: group.standing.manifest.group, k: 2, n: 6, shardBytes: 64 * 1024, rotation: 4,
  roots: shards.map(shardIdOf), createdAtMs: 1,
});
const index = shardOfSeat(record, seat);
const shard = shards[index] as Buffer;

test("a newcomer takes a shard by the log that seats it, and by nothing else", async (t) => {
  await using house = await openHouse(newcomer);
  const { vault } = house;
  await refused(t, "without a log", store(vault, fromMember), "Denied");
  const alone = { ...word, log: [] };
  await refused(t, "without a seat", vault.shelf.tell(fromMember, alone), "Denied");
  const [accepted] = after.log;
  const forged = { ...word, log: [{ ...accepted!, votes: accepted!.votes.slice(1) }] };
  await refused(t, "too few votes", vault.shelf.tell(fromMember, forged), "Corrupt");
  const stranger = { peer: group.others[3]!.peer, owners: [] };
  await refused(t, "from a stranger", vault.shelf.tell(stranger, word), "Denied");
  await refused(t, "nothing of it counts", store(vault, fromMember), "Denied");
  await vault.shelf.tell(fromMember, word);
  await store(vault, fromMember);
  const other = shards[(index + 1) % 6] as Buffer;
  await refused(t, "another's shard", store(vault, fromMember, (index + 1) % 6, other), "Denied");
  await refused(t, "other bytes", store(vault, fromMember, index, other), "Corrupt");
  const range = { offsetBytes: 0, lengthBytes: 8 };
  const id = shardIdOf(shard);
  t.ok(shard.subarray(0, 8).equals(await vault.read({ peer: third.peer, owners: [] }, id, range)));
  await refused(t, "a stranger reads", vault.read(stranger, id, range), "Denied");
  t.equal((await vault.shelf.all()).length, 1);
});

test("whom the owner seated keeps its shard whatever the log says", async (t) => {
  const clock = new ShiftedClock();
  await using house = await openHouse(lost, { clock });
  const { vault } = house;
  await store(vault, fromOwner);
  await vault.shelf.tell(fromMember, word);
  for (let days = 0; days < 200; days += 15) {
    clock.shiftMs += 15 * 24 * 3_600_000;
    const { signal } = new AbortController();
    while (await vault.step.step(signal) === "busy");
  }
  t.equal(vault.usage().shards, 1, "half a year of scrubs");
  await refused(t, "members give it no more", store(vault, fromMember), "Denied");
  await store(vault, fromOwner);
  const reader = { peer: newcomer.peer, owners: [] };
  const bytes = await vault.read(reader, shardIdOf(shard), { offsetBytes: 0, lengthBytes: 4 });
  t.equal(bytes.length, 4, "whom the log seats may read it");
});

test("a newer manifest ends the log; log and ballot outlive a restart", async (t) => {
  const directory = await newDirectory();
  t.teardown(() => rm(directory, { recursive: true }));
  const base = baseOf(group.standing.manifest);
  const { manifest } = group.standing;
  const ballot = { ...freshBallot(base), position: 1, pledged: 7, voted: { term: 7, entry } };
  {
    await using house = await openHouseIn(directory, member);
    await house.vault.putRecord(fromOwner, "manifest", manifest.bytes);
    t.strictSame(await house.vault.shelf.ballot(manifest), freshBallot(base), "the owner's word");
    await house.vault.shelf.tell(fromMember, word);
    await house.vault.shelf.keepBallot(manifest, ballot);
  }
  await using house = await openHouseIn(directory, member);
  const { shelf } = house.vault;
  t.equal((await shelf.find(manifest))?.log.length, 1);
  t.strictSame(await shelf.ballot(manifest), ballot);
  const heavy = house.vault.list()[0]?.bytes ?? 0;
  const { epoch, class: erasureClass, policyHash } = manifest;
  const peers = manifest.peers.with(seat, newcomer.peer);
  const newer = signManifest(group.drive, {
    group: manifest.group, epoch: epoch + 1, class: erasureClass, policyHash, peers,
  });
  await house.vault.putRecord(fromOwner, "manifest", newer.bytes);
  t.equal((await shelf.find(manifest))?.log.length, 0);
  t.strictSame(await shelf.ballot(newer), freshBallot(baseOf(newer)));
  await refused(t, "an old ballot", shelf.keepBallot(manifest, ballot), "Stale");
  await refused(t, "an old word", shelf.tell(fromMember, word), "Stale");
  t.ok((house.vault.list()[0]?.bytes ?? 0) < heavy, "its weight goes with it");
});

test("who hears of its group from its fellows has no vote, nor whoever sees two logs", async (t) => {
  await using forgetful = await openHouse(member);
  const { manifest } = group.standing;
  await forgetful.vault.shelf.tell({ peer: third.peer, owners: [] }, word);
  t.equal((await forgetful.vault.shelf.ballot(manifest)).from, never);
  await using witness = await openHouse(third);
  await witness.vault.putRecord(fromOwner, "manifest", manifest.bytes);
  await witness.vault.shelf.tell(fromMember, word);
  t.equal((await witness.vault.shelf.ballot(manifest)).from, 0);
  const rival = group.entry(group.standing, { seat, peer: group.others[1]!.peer, term });
  const log = [group.accepted(group.standing, rival, term)];
  await witness.vault.shelf.tell(fromMember, { ...word, log });
  t.equal((await witness.vault.shelf.ballot(manifest)).from, never, "nobody can tell which is right");
  t.equal((await witness.vault.shelf.find(manifest))?.log[0]?.entry.id, entry.id);
});

function store(
  vault: Vault, from: typeof fromOwner | typeof fromMember, at = index, bytes = shard,
): Promise<Uint8Array> {
  const { manifest }: Standing = group.standing;
  return vault.store(from, { record: record.bytes, manifest: manifest.bytes, index: at }, bytes);
}

test("an owner who has not heard of a log takes nothing away that it gives", async (t) => {
  await using house = await openHouse(newcomer);
  const { vault } = house;
  await vault.shelf.tell(fromMember, word);
  await store(vault, fromMember);
  const { manifest: { epoch } } = after;
  const only = { holder: newcomer.peer, index, epoch };
  const release = signRelease(group.drive, { segment: record.segment, releasedAtMs: 1, only });
  await refused(t, "of a seat that it lost before", vault.release(fromOwner, release.bytes), "Denied");
  t.equal(vault.usage().shards, 1);
});
