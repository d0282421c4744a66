/** Members leave a group to its owner while any of his machines is there, but for one shut out. */
import { test } from "tap";
import { openGuardian } from "../../src/agent/guard/guardian.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { signHead, signSegmentRecord } from "../../src/crypt/records/records.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { Notices } from "../../src/guard/notices.ts";
import { shardOfSeat } from "../../src/placement/draws/seats.ts";
import { shardOf } from "../contract/host.ts";
import { TestGroup, nowMs } from "../support/guard-group.ts";
import { MemoryBooks, ShiftedClock } from "../support/transfer-world.ts";
import { openHouse } from "../support/vault-house.ts";

const group = new TestGroup("owner there");
const random = seededRandom("owner there");
const [, keys, other] = group.members;
const { manifest } = group.standing;
const [desk, lap] = [peerKeysOf(random.bytes(32)).peer, peerKeysOf(random.bytes(32)).peer];
const fromOwner = { peer: desk, owners: [group.drive.owner] };
const { signal } = new AbortController();

function headOf(peer: PeerId, sequence: number): Uint8Array {
  const told = { peer, sequence, publishedAtMs: nowMs, sealed: random.bytes(40) };
  return signHead(group.drive, told).bytes;
}

test("the machine that published last is not the only one", async (t) => {
  await using house = await openHouse(keys!, { books: new MemoryBooks() });
  const { vault } = house;
  const shards = Array.from({ length: 6 }, () => shardOf(64 * 1024, random));
  const record = signSegmentRecord(group.drive, {
    group: manifest.group, k: 2, n: 6, shardBytes: 64 * 1024, rotation: 0,
    roots: shards.map(shardIdOf), createdAtMs: 1,
  });
  const index = shardOfSeat(record, 1);
  const told = { record: record.bytes, manifest: manifest.bytes, index };
  await vault.store(fromOwner, told, shards[index] as Buffer);
  await vault.putRecord(fromOwner, "head", headOf(desk, 3));
  await vault.putRecord(fromOwner, "head", headOf(lap, 5));

  const fellow = group.known().find(({ offer }) => offer.peer === other!.peer)!;
  let [there, asked] = [desk, 0];
  const network = {
    self: keys!.peer,
    offer: () => group.known()[1]!.offer,
    peers: () => [{ ...fellow, offer: { ...fellow.offer, peer: there } }],
    async prove(peer: PeerId) {
      asked++;
      throw new HiveError("Unavailable", "test", peer);
    },
  };
  const [books, clock] = [new MemoryBooks(), new ShiftedClock()];
  const needs = { network: network as never, host: vault, shelf: vault.shelf, books, clock };
  const guardian = await openGuardian({
    ...needs, coder: openCoder(), notices: new Notices(clock.monotonicMs), keys: keys!, random,
    log: silentLog, isMember: async () => false,
  }, { deadAfterMs: 1e9, intervalMs: 3_600_000 });
  /** Whether this member looks after the group now. */
  const guards = async (): Promise<boolean> => {
    clock.shiftMs += 3_600_000;
    await guardian.watch.step(signal);
    asked = 0;
    await guardian.mend.step(signal);
    return asked > 0;
  };
  t.notOk(await guards(), "another of his machines is there");
  there = lap;
  t.notOk(await guards());
  there = peerKeysOf(random.bytes(32)).peer;
  t.ok(await guards(), "none of them is");
  there = desk;
  const removed = [{ peer: desk, atMs: nowMs }];
  const roll = { added: [], removed, sequence: 1, signedAtMs: nowMs };
  await vault.rolls.keep(group.drive.signRoll!(roll, random));
  t.ok(await guards(), "one that was shut out looks after nothing");
});
