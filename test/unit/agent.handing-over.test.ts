/** A node that leaves hands over all that can be, whoever of the new holders is silent or lies. */
import { test } from "tap";
import { GivingUp } from "../../src/agent/leaving/giving-up.ts";
import { vaultKeys } from "../../src/base/book-keys.ts";
import { parseGroupId, parseShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { SegmentRecord } from "../../src/base/records.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { signManifest, signSegmentRecord } from "../../src/crypt/records/records.ts";
import { type Standing, extend } from "../../src/guard/log.ts";
import { Notices } from "../../src/guard/notices.ts";
import { shardOfSeat } from "../../src/placement/draws/seats.ts";
import { answerChallenge, leavesOf } from "../../src/proofs/answer.ts";
import { shardOf } from "../contract/host.ts";
import { TestGroup } from "../support/guard-group.ts";
import { LoopbackNetwork } from "../support/loopback-network.ts";
import { MemoryBooks, ShiftedClock } from "../support/transfer-world.ts";
import { openHouse } from "../support/vault-house.ts";

const group = new TestGroup("handing over");
const random = seededRandom("handing over");
const { drive, standing: silent } = group;
const [leaver, member] = group.members as [PeerKeys, PeerKeys];
const shardBytes = 64 * 1024;
/** Of each segment the one that the leaver has. */
const shards = new Map<string, Buffer>();
const term = 5;

/** Another group of the same owner and members. */
const proving: Standing = {
  manifest: signManifest(drive, { ...silent.manifest, group: parseGroupId("cd".repeat(16)) }),
  log: [],
};

class WatchedBooks extends MemoryBooks {
  readonly listed: string[] = [];

  override list(...[prefix, options]: Parameters<MemoryBooks["list"]>): ReturnType<MemoryBooks["list"]> {
    this.listed.push(prefix);
    return super.list(prefix, options);
  }
}

function recordIn({ manifest }: Standing, createdAtMs: number): SegmentRecord {
  const roots = Array.from({ length: 6 }, () => parseShardId(random.bytes(32).toString("hex")));
  const told = { group: manifest.group, k: 2, n: 6, shardBytes, rotation: 4, createdAtMs };
  const shard = shardOf(shardBytes, random);
  const index = shardOfSeat(signSegmentRecord(drive, { ...told, roots }), 0);
  shards.set(shardIdOf(shard), shard);
  return signSegmentRecord(drive, { ...told, roots: roots.with(index, shardIdOf(shard)) });
}

/** Its first seat goes to another of those who had none. */
function passedTo(standing: Standing, newcomer: PeerKeys): Standing {
  const entry = group.entry(standing, { seat: 0, peer: newcomer.peer, term, why: "leaving" });
  return extend(standing, group.accepted(standing, entry, term));
}

test("shards whose new holder is silent do not stand before those that are proven", async (t) => {
  const books = new WatchedBooks();
  await using house = await openHouse(leaver, { books });
  const { vault } = house;
  const { handoversPerStep } = limits.leave;
  const stuck = Array.from({ length: handoversPerStep }, (_, at) => recordIn(silent, at));
  const last = stuck.map(({ segment }) => segment).sort().at(-1) as string;
  let ready = recordIn(proving, 0);
  for (let at = 1; ready.segment < last; at++) ready = recordIn(proving, at);
  const from = { peer: member.peer, owners: [drive.owner] };
  for (const record of [...stuck, ready]) {
    const { manifest } = record === ready ? proving : silent;
    const index = shardOfSeat(record, 0);
    const shard = shards.get(record.roots[index] as string) as Buffer;
    await vault.store(from, { record: record.bytes, manifest: manifest.bytes, index }, shard);
  }
  const [deaf, heir] = group.others as [PeerKeys, PeerKeys];
  for (const after of [passedTo(silent, deaf), passedTo(proving, heir)]) {
    await vault.shelf.tell({ peer: member.peer, owners: [] }, {
      ...after, policy: undefined, head: undefined,
    });
  }
  const network = new LoopbackNetwork([]);
  network.prove = async (peer, challenge) => {
    if (peer !== heir.peer) return Buffer.alloc(1);
    return answerChallenge(challenge, heir.peer, leavesOf(shards.get(challenge.shard) as Buffer));
  };
  const notices = new Notices(() => 0);
  const needs = { network: network as never, vault, notices, random, log: silentLog };
  const givingUp = new GivingUp({ ...needs, clock: new ShiftedClock() });
  const { signal } = new AbortController();
  const gone: number[] = [];
  books.listed.length = 0;
  for (let step = 0; step < 4; step++) gone.push(await givingUp.handOver(signal));
  t.notOk(books.listed.some((prefix) => prefix.startsWith(vaultKeys.record)), "no group but those is read");
  t.equal(gone.reduce((sum, count) => sum + count), 1);
  t.equal(vault.usage().shards, stuck.length, "what nobody proves stays");
});
