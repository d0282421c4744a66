/** What members agreed on while the owner was away is looked at before he signs anything over it. */
import { test } from "tap";
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Manifest } from "../../src/base/records.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { addedDevice, keysOfAdded } from "../../src/crypt/devices/added-device.ts";
import { signManifest } from "../../src/crypt/records/records.ts";
import { quorumOf } from "../../src/guard/log.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import type { HonestHost } from "../support/honest-host.ts";
import { loopbackKeys } from "../support/loopback-network.ts";
import { policyOf } from "../support/policies.ts";
import { replacedIn, tellOf } from "../support/told-logs.ts";
import { MemoryBooks, ShiftedClock, type World, makeBlocks, makeWorld, openWorld }
  from "../support/transfer-world.ts";

const { signal } = new AbortController();

/** Time that a step waits for goes by when a test says so. */
class WaitedClock extends ShiftedClock {
  waitedMs = 0;
  override readonly monotonicMs = (): number => performance.now() + this.waitedMs;
}

async function open(world: World): Promise<{
  transfer: Transfer; agent: Agent; clock: WaitedClock; manifest: Manifest;
}> {
  const clock = new WaitedClock();
  const transfer = await openWorld(world, { clock, policy: policyOf("protect class tiny;") });
  const needs = { ...world, transfer, books: new MemoryBooks(), clock, log: silentLog };
  const agent = await openAgent(needs, { auditIntervalMs: 3_600_000 });
  world.source.commit("root", makeBlocks(world.random, { count: 3, bytesMax: 9_000 }));
  await transfer.flush(20_000);
  const [manifest] = transfer.health.groups();
  return { transfer, agent, clock, manifest: manifest as Manifest };
}

/** The policy says more from now on: a group that is lawful as it lies is to be signed anew. */
function changePolicy(transfer: Transfer): void {
  const drive = policyOf("protect class tiny; require region in EU;");
  transfer.govern({ drive, driveName: "ours", named: new Map() });
}

async function step(agent: Agent, name: string): Promise<void> {
  await agent.steps.find((one) => one.name === name)?.step(signal);
}

function seats(transfer: Transfer): readonly PeerId[] {
  return transfer.health.groups()[0]?.peers ?? [];
}

test("a new policy ends no log that was not looked at", async (t) => {
  const world = makeWorld(9, "adopt");
  const { transfer, agent, clock, manifest } = await open(world);
  const { accepted, newcomer, lost } = replacedIn(world, manifest);
  const shards = (lost.host as HonestHost).shards;
  for (const [id, bytes] of shards) (newcomer.host as HonestHost).shards.set(id, bytes);
  lost.mood = { is: "dead" };
  const line = tellOf(world, manifest, [accepted]);
  line.isReached = false;
  changePolicy(transfer);
  for (const name of ["policy", "adopt", "policy"]) await step(agent, name);
  t.strictSame(transfer.health.groups(), [manifest], "nobody told yet what there is");

  line.isReached = true;
  newcomer.mood = { is: "dead" };
  clock.waitedMs += 5_000;
  for (const name of ["adopt", "policy"]) await step(agent, name);
  t.strictSame(transfer.health.groups(), [manifest], "the newcomer is not there yet");

  newcomer.mood = { is: "honest" };
  clock.waitedMs += 20_000;
  for (const name of ["adopt", "policy"]) await step(agent, name);
  t.equal(seats(transfer)[0], newcomer.keys.peer);
  t.equal(transfer.health.groups()[0]?.epoch, manifest.epoch + 2, "adopted, and signed anew");
  t.notOk(transfer.holders().has(lost.keys.peer), "its shards are known to be with the newcomer");
});

test("a newcomer that proves nothing holds nothing up", async (t) => {
  const world = makeWorld(9, "overruled");
  const { transfer, agent, manifest } = await open(world);
  const { accepted } = replacedIn(world, manifest);
  const line = tellOf(world, manifest, [accepted]);
  changePolicy(transfer);
  for (const name of ["policy", "adopt", "policy"]) await step(agent, name);
  t.strictSame(seats(transfer), manifest.peers);
  t.equal(transfer.health.groups()[0]?.epoch, manifest.epoch + 1);
  const { asked } = line;
  for (let turn = 0; turn < 5; turn++) await step(agent, "adopt");
  t.equal(line.asked, asked, "and members are asked no more often for it");
});

test("a newcomer that proves nothing is asked later and later", async (t) => {
  const world = makeWorld(9, "again");
  const { transfer, agent, clock, manifest } = await open(world);
  const { accepted } = replacedIn(world, manifest);
  tellOf(world, manifest, [accepted]);
  const segments = transfer.health.segments().length;
  const before = world.network.calls.prove;
  for (let turn = 0; turn < 6 * 24; turn++) {
    await step(agent, "adopt");
    clock.waitedMs += limits.agent.adoptEveryMs;
  }
  const rounds = (world.network.calls.prove - before) / segments;
  t.ok(rounds >= 4 && rounds <= 10, `${rounds} times in a day`);
});

test("what members agreed on in a minute without a line is heard before anything is signed", async (t) => {
  const world = makeWorld(9, "minute");
  const { transfer, agent, clock, manifest } = await open(world);
  const { accepted, newcomer, lost } = replacedIn(world, manifest);
  const line = tellOf(world, manifest, []);
  await step(agent, "adopt");
  t.ok(transfer.health.isHeard(manifest.group), "nothing was agreed on");

  line.log = [accepted];
  for (const [id, bytes] of (lost.host as HonestHost).shards) {
    (newcomer.host as HonestHost).shards.set(id, bytes);
  }
  const others = new Set(manifest.peers.slice(1));
  await transfer.health.replaceMembers(manifest.group, manifest.peers.slice(1, 2), others);
  changePolicy(transfer);
  await step(agent, "policy");
  t.strictSame(transfer.health.groups(), [manifest], "it would have ended what was never heard");

  clock.waitedMs += limits.agent.failureMsMin;
  for (const name of ["adopt", "policy"]) await step(agent, name);
  t.equal(seats(transfer)[0], newcomer.keys.peer);
  t.equal(transfer.health.groups()[0]?.epoch, manifest.epoch + 2, "adopted, and signed anew");
});

test("while a majority may know more, an owner signs nothing", async (t) => {
  const world = makeWorld(9, "silent");
  const { transfer, agent, clock, manifest } = await open(world);
  const quorum = quorumOf(manifest.peers.length);
  const silent = manifest.peers.slice(0, quorum);
  tellOf(world, manifest, []);
  await step(agent, "adopt");
  for (const peer of silent) world.network.members.get(peer)!.mood = { is: "dead" };
  changePolicy(transfer);
  await step(agent, "policy");
  t.strictSame(transfer.health.groups(), [manifest], `${quorum} of ${manifest.peers.length} are silent`);

  world.network.members.get(silent[0] as PeerId)!.mood = { is: "honest" };
  clock.waitedMs += limits.agent.failureMsMin;
  for (const name of ["adopt", "policy"]) await step(agent, name);
  t.equal(transfer.health.groups()[0]?.epoch, manifest.epoch + 1, "the others are no majority");
});

test("members who are dead are not waited for", async (t) => {
  const world = makeWorld(9, "dead");
  const { transfer, manifest } = await open(world);
  const silent = manifest.peers.slice(0, quorumOf(manifest.peers.length));
  tellOf(world, manifest, []);
  for (const peer of silent) world.network.members.get(peer)!.mood = { is: "dead" };
  changePolicy(transfer);
  const { group } = manifest;
  t.equal(await transfer.health.resignGroup(group, new Set()), undefined, "they may live");
  const [dead] = silent as [PeerId];
  t.ok(await transfer.health.resignGroup(group, new Set([dead])));
});

test("what a device signed that is shut out is signed anew with those whom members seated", async (t) => {
  const world = makeWorld(9, "shut out");
  const { transfer, agent, manifest: first } = await open(world);
  const lap = loopbackKeys("lap");
  const seed = sha256(Buffer.from("transfer world"));
  const keys = keysOfAdded(addedDevice(seed, { peer: lap.peer, name: "lap", nowMs: 1 }), lap);
  const manifest = signManifest(keys, { ...first, epoch: first.epoch + 1 });
  const line = tellOf(world, manifest, []);
  await step(agent, "adopt");
  t.equal(transfer.health.groups()[0]?.by, lap.peer);

  const { accepted, newcomer } = replacedIn(world, manifest);
  line.log = [accepted];
  await transfer.removeDevice(lap.peer, signal);
  const [anew] = transfer.health.groups();
  t.equal(anew?.by, undefined);
  t.equal(anew?.peers[0], newcomer.keys.peer);
});
