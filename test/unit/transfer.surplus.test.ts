/** What lies with holders for nothing: it goes however long they were away, and never too early. */
import { test } from "tap";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Manifest } from "../../src/base/records.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import type { HonestHost } from "../support/honest-host.ts";
import { policyOf } from "../support/policies.ts";
import { ShiftedClock, type World, makeBlocks, makeWorld, openWorld }
  from "../support/transfer-world.ts";

const { signal } = new AbortController();

async function open(world: World): Promise<{
  transfer: Transfer; clock: ShiftedClock; manifest: Manifest;
}> {
  const clock = new ShiftedClock();
  const transfer = await openWorld(world, { clock, policy: policyOf("protect class tiny;") });
  for (const root of ["one", "two"]) {
    world.source.commit(root, makeBlocks(world.random, { count: 2, bytesMax: 9_000 }));
    await transfer.flush(20_000);
  }
  return { transfer, clock, manifest: transfer.health.groups()[0] as Manifest };
}

function shardsAt({ network }: World, peer: PeerId): ReadonlyMap<string, Buffer> {
  return (network.members.get(peer)?.host as HonestHost).shards;
}

function setThere({ network }: World, peer: PeerId, isThere: boolean): void {
  network.members.get(peer)!.mood = { is: isThere ? "honest" : "dead" };
}

test("a member that was away for months lets go of what went meanwhile", async (t) => {
  const world = makeWorld(6, "months");
  const { transfer, clock, manifest } = await open(world);
  const [away] = manifest.peers as [PeerId];
  const [, last] = transfer.health.segments();
  const { roots } = await transfer.health.record(last!.segment, signal);
  const old = roots[last!.holders.indexOf(away)] as string;
  setThere(world, away, false);
  t.ok(await transfer.health.moveSegment(last!.segment, manifest, signal));
  for (let turn = 0; turn < 20; turn++) {
    await transfer.health.dropSurplus(signal);
    await transfer.uploader.step(signal);
  }
  t.ok(shardsAt(world, away).has(old));
  clock.shiftMs += limits.vault.strayGraceMs + 1;
  setThere(world, away, true);
  while (await transfer.health.dropSurplus(signal) > 0);
  t.notOk(shardsAt(world, away).has(old), "it is told all the same");
});

test("a shard stays with who had it while its new holder cannot be reached", async (t) => {
  const world = makeWorld(9, "away");
  const { transfer, clock, manifest } = await open(world);
  const [before] = manifest.peers as [PeerId];
  const count = shardsAt(world, before).size;
  const after = await transfer.health.replaceMembers(manifest.group, [before], new Set([before]));
  for (const { segment, holders } of transfer.health.segments()) {
    await transfer.health.mendSegment({ segment, indexes: [holders.indexOf(before)] }, signal);
  }
  const heir = after!.peers[0] as PeerId;
  t.equal(shardsAt(world, heir).size, count);
  setThere(world, heir, false);
  while (await transfer.health.dropSurplus(signal) > 0);
  t.equal(shardsAt(world, before).size, count, "it may be all there is");
  setThere(world, heir, true);
  clock.shiftMs += limits.agent.restMsMax;
  while (await transfer.health.dropSurplus(signal) > 0);
  t.equal(shardsAt(world, before).size, 0);
});
