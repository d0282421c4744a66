/**
 * A town of real nodes over loopback, strangers to each other, with real vaults, uploads and
 * audits: who keeps others' data finds room for its own, who only takes has its trial and no more,
 * and a friend is not asked.
 */
import { test } from "tap";
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import { isFault } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Manifest } from "../../src/base/records.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { openTransfer } from "../../src/transfer/transfer.ts";
import { pass } from "../support/agent-turns.ts";
import { type Neighbour, openNeighbour } from "../support/ledger-town.ts";
import { MemoryBooks, MemorySource, ShiftedClock, makeBlocks } from "../support/transfer-world.ts";

const shardBytes = limits.segment.shardBytes[0];
const trialShards = 4;
const hours = 30;

/** The neighbour's drive, uploaded to whom it knows, and the agent that audits it. */
async function openDrive(one: Neighbour): Promise<Agent> {
  const source = new MemorySource();
  const random = seededRandom("ledger.town");
  const needs = {
    network: one.peers, source, books: new MemoryBooks(), coder: openCoder(),
    keys: one.drive.keys, clock: one.clock, random, log: silentLog,
  };
  const transfer = await openTransfer(needs, { settleMs: 0 });
  source.commit("root", makeBlocks(random, { count: 12, bytesMax: 200_000 }));
  await transfer.flush(60_000);
  return openAgent(
    { ...needs, transfer, books: new MemoryBooks(), tally: one.ledger.tally },
    { auditIntervalMs: 3_600_000, steps: [one.ledger.step] },
  );
}

const manifests = new Map<Neighbour, Manifest>();

/** Stores shards of its own drive at another, till that one has no room for it. */
async function fill(from: Neighbour, at: Neighbour, most: number): Promise<number> {
  const manifest = manifests.get(from) ?? from.drive.manifest([at.keys.peer]);
  manifests.set(from, manifest);
  for (let stored = 0; stored < most; stored++) {
    const { record, shards } = from.drive.segment();
    try {
      await from.peers.store(at.keys.peer, { record, manifest, index: 0 }, shards[0]!);
    } catch (error) {
      if (isFault(error, "Quota")) return stored;
      throw error;
    }
  }
  return most;
}

test("a taker is refused after its trial, a giver and a friend are not", async (t) => {
  await using parts = new AsyncDisposableStack();
  const clock = new ShiftedClock();
  // A shard weighs its record and manifest too; the trial is a little more than so many.
  const allowanceBytes = trialShards * (shardBytes + 2048);
  const open = async (name: string, more = {}): Promise<Neighbour> =>
    parts.use(await openNeighbour(name, { clock, allowanceBytes, ...more }));
  const us = await open("us", { quotaBytes: 2 ** 30 });
  const givers = [await open("giver one"), await open("giver two"), await open("giver three")];
  for (const giver of givers) await us.peers.connect(giver.address);
  // Our drive of two MiB goes to the three of them; their trial for us is as large as theirs.
  for (const giver of givers) await giver.peers.connect(us.address, { friend: true });
  const agent = await openDrive(us);
  const keptBytes = Math.min(...givers.map(({ vault }) => vault.usage().usedBytes));
  t.ok(keptBytes > 3 * allowanceBytes, `each keeps ${keptBytes} bytes of ours`);

  const taker = await open("taker");
  await taker.peers.connect(us.address);
  t.equal(await fill(taker, us, 100), trialShards, "a newcomer's trial");
  const [giver] = givers as [Neighbour];
  t.equal(await fill(giver, us, 100), trialShards, "a giver too, before it has proven anything");

  await pass(agent, clock, hours);
  for (const { keys } of givers) await us.ledger.settleWith(keys.peer);
  const row = us.ledger.view().rows.find(({ peer }) => peer === giver.keys.peer);
  t.ok((row?.keptForUsBytes ?? 0) > 0.9 * (keptBytes - 2 ** 18), `${row?.keptForUsBytes} by proofs`);
  const more = await fill(giver, us, Math.floor(keptBytes / shardBytes / 2));
  t.equal(more, Math.floor(keptBytes / shardBytes / 2), "having given, it has room");
  t.equal(await fill(taker, us, 100), 0, "the taker has none, however long it waits");

  const friend = await open("friend");
  await us.peers.connect(friend.address, { friend: true });
  await friend.peers.connect(us.address);
  t.equal(await fill(friend, us, 3 * trialShards), 3 * trialShards, "a friend is not asked");
  t.equal(us.ledger.view().rows.find(({ peer }) => peer === friend.keys.peer)?.theyOweBytes, 0);
});
