/** What our own absence does to others: nothing. Sleep, a dead line, a clock that somebody set. */
import { test } from "tap";
import { openAgent } from "../../src/agent/agent.ts";
import { silentLog } from "../../src/base/log.ts";
import { hourMs, hourly, openTended, pass, watch } from "../support/agent-turns.ts";
import { makeWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.outage.test.ts`;
const blocksTold = { count: 3, bytesMax: 9_000 };

test("this machine sleeps for days: nobody is condemned in the morning", async (t) => {
  const world = makeWorld(10, seed);
  const { transfer, agent, clock, books } = await openTended(world, blocksTold);
  await pass(agent, clock, 1);
  const groups = transfer.health.groups();
  // It wakes before its line is up, and then some peers are back before others. Offers stay
  // fresh enough to draw from.
  const members = [...world.network.members.values()];
  for (const member of members) member.mood = { is: "dead" };
  clock.shiftMs += 75 * hourMs;
  await pass(agent, clock, 1);
  clock.shiftMs += 75 * hourMs;
  t.equal(agent.status().drive?.segments.degraded, 0, "nor before the next look");
  await pass(agent, clock, 1);
  for (const member of members.slice(4)) member.mood = { is: "honest" };
  await pass(agent, clock, 2);
  t.strictSame(transfer.health.groups(), groups, "no seat is given away");
  // The same when the daemon was off.
  await agent.stop();
  clock.shiftMs += 75 * hourMs;
  for (const member of members) member.mood = { is: "dead" };
  const next = await openAgent({ ...world, transfer, books, clock, log: silentLog }, hourly);
  await pass(next, clock, 1);
  for (const member of members.slice(4)) member.mood = { is: "honest" };
  await pass(next, clock, 2);
  t.strictSame(transfer.health.groups(), groups, replay);
});

test("an outage of our own line freezes repair, however long it lasts", async (t) => {
  const world = makeWorld(10, seed);
  const { transfer, agent, clock } = await openTended(world, blocksTold);
  await pass(agent, clock, 1);
  const groups = transfer.health.groups();
  const members = [...world.network.members.values()];
  for (const member of members) member.mood = { is: "dead" };
  await pass(agent, clock, 1);
  await watch(agent, clock, 90);
  t.strictSame(transfer.health.groups(), groups);
  for (const member of members.slice(5)) member.mood = { is: "honest" };
  await watch(agent, clock, 1);
  t.strictSame(transfer.health.groups(), groups, "those who come back later are waited for");
  for (const member of members) member.mood = { is: "honest" };
  await pass(agent, clock, 1);
  t.strictSame(transfer.health.groups(), groups);
  t.equal(agent.status().drive?.segments.degraded, 0);
});

test("one that dies for good is replaced whichever way the clock is set meanwhile", async (t) => {
  for (const setMs of [-400 * 24 * hourMs, 400 * 24 * hourMs]) {
    const world = makeWorld(8, seed);
    const { transfer, agent, clock } = await openTended(world, blocksTold);
    await pass(agent, clock, 1);
    const [dead] = [...transfer.holders().keys()];
    const member = world.network.members.get(dead as never);
    if (member !== undefined) member.mood = { is: "dead" };
    await watch(agent, clock, 20);
    clock.shiftMs += setMs;
    await pass(agent, clock, 1);
    t.equal(transfer.health.groups()[0]?.epoch, 1, "a clock that was set kills nobody");
    clock.shiftMs -= Math.max(0, setMs);
    await watch(agent, clock, 60);
    await pass(agent, clock, 1);
    t.notOk(transfer.holders().has(dead as never), replay);
    t.equal(agent.status().drive?.segments.degraded, 0);
  }
});
