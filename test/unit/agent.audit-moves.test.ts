/** Shards that move while their holders are asked: an audit of what was a moment ago blames nobody. */
import { test } from "tap";
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { pass } from "../support/agent-turns.ts";
import { MemoryBooks, ShiftedClock, type World, makeBlocks } from "../support/transfer-world.ts";
import { makeVaultWorld, makeWorld, openWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.audit-moves.test.ts`;
const { signal } = new AbortController();

interface Tended {
  readonly transfer: Transfer;
  readonly agent: Agent;
}

/** Nobody is late while it stands: what happens while holders are asked takes no time. */
class StillClock extends ShiftedClock {
  standsAtMs: number | undefined;
  override readonly monotonicMs = (): number => this.standsAtMs ?? performance.now();
}

/** Some segments, each proven. */
async function tend(world: World): Promise<Tended> {
  const clock = new StillClock();
  const transfer = await openWorld(world, { clock });
  const needs = { ...world, transfer, books: new MemoryBooks(), clock, log: silentLog };
  const agent = await openAgent(needs, { auditIntervalMs: 3_600_000 });
  for (const root of ["one", "two", "three"]) {
    world.source.commit(root, makeBlocks(world.random, { count: 2, bytesMax: 9_000 }));
    await transfer.flush(20_000);
  }
  await pass(agent, clock, 1);
  clock.standsAtMs = performance.now();
  return { transfer, agent };
}

/** Before the first question of all is answered. */
function whenAsked({ network }: World, act: () => Promise<void>): void {
  const prove = network.prove.bind(network);
  let done: Promise<void> | undefined;
  network.prove = async (...question) => {
    await (done ??= act());
    return prove(...question);
  };
}

async function runSteps(agent: Agent, names: readonly string[]): Promise<void> {
  for (const wanted of names) {
    const step = agent.steps.find(({ name }) => name === wanted);
    while (await step?.step(signal) === "busy");
  }
}

test("a holder whose seat went to another, and that let go as it was told, is no liar", async (t) => {
  const world = makeWorld(9, seed);
  const { transfer, agent } = await tend(world);
  const [manifest] = transfer.health.groups();
  const moved = manifest?.peers.slice(0, 2) as PeerId[];
  whenAsked(world, async () => {
    await transfer.health.replaceMembers(manifest!.group, moved, new Set(moved));
    await runSteps(agent, ["repair", "policy"]);
  });
  const report = await agent.verify({ deep: false });
  t.notOk(moved.some((peer) => transfer.holders().has(peer)), replay);
  t.strictSame([report.bad, report.missing], [[], 0], replay);
  t.ok(agent.status().peers.every(({ score }) => score.wrong === 0), replay);
});

test("a segment that goes while others are asked for is none that is missing", async (t) => {
  await using world = await makeVaultWorld(7, seed);
  const { transfer, agent } = await tend(world);
  const last = transfer.health.segments().at(-1)!;
  const [manifest] = transfer.health.groups();
  whenAsked(world, async () => {
    t.ok(await transfer.health.moveSegment(last.segment, manifest!, signal), replay);
    for (let turn = 0; turn < 20; turn++) {
      await runSteps(agent, ["policy"]);
      await transfer.uploader.step(signal);
    }
  });
  const report = await agent.verify({ deep: false });
  t.notOk(transfer.health.segments().some(({ segment }) => segment === last.segment), replay);
  t.strictSame([report.bad, report.missing], [[], 0], replay);
  t.ok(agent.status().peers.every(({ score }) => score.wrong === 0), replay);
});
