/**
 * Two devices of one drive that look after the same segments, over real vaults: what the one has
 * done with seats the other cannot know, and it must neither blame holders nor lose anything by it.
 */
import { type Test, test } from "tap";
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { pass } from "../support/agent-turns.ts";
import { DeviceTown, type TownDevice, aMoment, attend, publish } from "../support/device-town.ts";
import { wordsOf } from "../support/drive-user.ts";
import { MemoryBooks, ShiftedClock } from "../support/transfer-world.ts";
import { writeIn } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.devices.test.ts`;
const hourMs = 3_600_000;
const slow = { timeout: 180_000 };

interface Tended {
  readonly device: TownDevice;
  readonly agent: Agent;
  readonly clock: ShiftedClock;
}

/** Both have proven all that there is. */
async function pair(t: Test): Promise<readonly [DeviceTown, Tended, Tended]> {
  const town = await DeviceTown.begin(`seats ${seed}`, { holders: 10, haste: 1 });
  t.teardown(() => town[Symbol.asyncDispose]());
  const desk = await town.add("desk");
  for (let file = 0; file < 4; file++) {
    const text = Array.from({ length: 9000 }, (_, line) => `file ${file} line ${line}\n`).join("");
    await writeIn(desk.tree, `file ${file}`, text);
    await publish(desk);
  }
  const lap = await town.add("lap");
  const both = await Promise.all([desk, lap].map(async (device): Promise<Tended> => {
    const clock = new ShiftedClock();
    const { network, transfer, name } = device;
    const random = seededRandom(`${seed} ${name}`);
    const needs = { network, transfer, books: new MemoryBooks(), clock, random, log: silentLog };
    const options = { auditIntervalMs: hourMs, deadAfterMs: 72 * hourMs };
    return { device, clock, agent: await openAgent(needs, options) };
  })) as [Tended, Tended];
  await meet(both);
  for (const { agent, clock } of both) await pass(agent, clock, 2);
  return [town, ...both];
}

/** They hear of each other's heads. */
async function meet(both: readonly Tended[]): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    for (const { device } of both) {
      await attend(device);
      await aMoment();
    }
  }
}

/** Gives away the seats of some who are well, as one does for whom a policy speaks. */
async function seatsOthers({ device: { transfer } }: Tended, lost: readonly PeerId[]): Promise<void> {
  const [manifest] = transfer.health.groups();
  if (manifest === undefined) throw new Error("no group");
  await transfer.health.replaceMembers(manifest.group, lost, new Set(lost));
}

function blamed({ agent }: Tended): readonly PeerId[] {
  return agent.status().peers.filter(({ score }) => score.wrong > 0).map(({ peer }) => peer);
}

function isWhole({ agent }: Tended): boolean {
  const { segments } = agent.status().drive ?? { segments: { healthy: 0, total: -1 } };
  return segments.healthy === segments.total;
}

/** What a machine with the words alone finds. */
async function found(town: DeviceTown): Promise<readonly string[]> {
  const words = await town.lookFrom("another", (tree) => wordsOf(tree));
  return Array.from({ length: 4 }, (_, file) => `file ${file} line 0`).filter((word) => !words.has(word));
}

test("a seat that one device gave away is no lie of who had it, to another", slow, async (t) => {
  const [town, desk, lap] = await pair(t);
  t.ok(isWhole(desk) && isWhole(lap), replay);
  const first = desk.device.keys.peer < lap.device.keys.peer ? desk : lap;
  const other = first === desk ? lap : desk;
  const before = first.device.transfer.health.groups()[0]?.peers ?? [];
  await seatsOthers(first, before.slice(0, 2));
  await pass(first.agent, first.clock, 2);
  t.ok(isWhole(first), "the shards are with those who have the seats now");
  await pass(other.agent, other.clock, 4);
  t.strictSame(blamed(other), [], "who let go as it was told is no liar");
  await writeIn(first.device.tree, "news", "so that there is a head\n");
  await publish(first.device);
  await meet([desk, lap]);
  await pass(other.agent, other.clock, 4);
  t.ok(isWhole(other), "it finds them where they are now");
  t.strictSame(other.device.transfer.health.groups()[0], first.device.transfer.health.groups()[0]);
  t.strictSame(await found(town), [], replay);
});

test("two that gave seats away apart from each other come to one manifest, and lose nothing", slow, async (t) => {
  const [town, desk, lap] = await pair(t);
  const peers = desk.device.transfer.health.groups()[0]?.peers ?? [];
  // Each with all holders, and without the other: as where a router keeps them apart.
  for (const { device } of [desk, lap]) device.transfer.devices.there = () => new Set();
  await seatsOthers(desk, peers.slice(0, 2));
  await seatsOthers(lap, peers.slice(2, 4));
  for (const one of [desk, lap]) await pass(one.agent, one.clock, 2);
  for (const [at, { device }] of [desk, lap].entries()) {
    await writeIn(device.tree, `news ${at}`, "so that there is a head\n");
    await publish(device, "short");
  }
  for (let round = 0; round < 4; round++) {
    await meet([desk, lap]);
    for (const one of [desk, lap]) await pass(one.agent, one.clock, 2);
  }
  const [ours, theirs] = [desk, lap].map(({ device }) => device.transfer.health.groups()[0]);
  t.strictSame(ours, theirs, replay);
  t.strictSame([...blamed(desk), ...blamed(lap)], []);
  t.ok(isWhole(desk) && isWhole(lap), replay);
  t.strictSame(await found(town), [], replay);
});
