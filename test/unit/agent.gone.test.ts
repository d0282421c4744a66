/** "It is gone": the truth of who let go of what is old or gave up its seat, a lie of all others. */
import { type Test, test } from "tap";
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import { Steady } from "../../src/agent/conduct/steady.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { SegmentId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Manifest } from "../../src/base/records.ts";
import { Notices } from "../../src/guard/notices.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { hourMs, hourly, pass } from "../support/agent-turns.ts";
import { HonestHost } from "../support/honest-host.ts";
import type { LoopbackPeer } from "../support/loopback-network.ts";
import { policyOf } from "../support/policies.ts";
import { replacedIn, tellOf } from "../support/told-logs.ts";
import { MemoryBooks, ShiftedClock, type World, makeBlocks, makeWorld, missing, openWorld }
  from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.gone.test.ts`;
const dayMs = 24 * hourMs;

/** From some moment on, whatever it is asked for it has let go of. */
class LettingHost extends HonestHost {
  hasLetGo = false;

  override async prove(...asked: Parameters<HonestHost["prove"]>): Promise<Uint8Array> {
    if (this.hasLetGo) throw new HiveError("Stale", "test", "it was here once");
    return super.prove(...asked);
  }

  override async read(...asked: Parameters<HonestHost["read"]>): Promise<Uint8Array> {
    if (this.hasLetGo) throw new HiveError("Stale", "test", "it was here once");
    return super.read(...asked);
  }
}

interface Scene {
  readonly world: World;
  readonly transfer: Transfer;
  readonly clock: ShiftedClock;
  readonly books: MemoryBooks;
  readonly notices: Notices;
  readonly agent: Agent;
  readonly blocks: readonly Uint8Array[];
  readonly manifest: Manifest;
  /** Of the member with the first seat. */
  readonly member: LoopbackPeer;
}

async function open(name: string): Promise<Scene> {
  const world = makeWorld(9, `${seed}/${name}`, (keys) => new LettingHost(keys));
  const [clock, books] = [new ShiftedClock(), new MemoryBooks()];
  const notices = new Notices(() => clock.monotonicMs());
  const transfer = await openWorld(world, { clock, policy: policyOf("protect class tiny;") });
  const parts = { world, transfer, clock, books, notices };
  const agent = await attend(parts);
  const blocks = makeBlocks(world.random, { count: 4, bytesMax: 9_000 });
  for (const [at, block] of blocks.entries()) {
    world.source.commit(`root ${at}`, [block]);
    await transfer.flush(20_000);
  }
  const [manifest] = transfer.health.groups() as [Manifest];
  const member = world.network.members.get(manifest.peers[0]!) as LoopbackPeer;
  return { ...parts, agent, blocks, manifest, member };
}

function attend(
  { world, transfer, clock, books, notices }: Pick<Scene, "world" | "transfer" | "clock" | "books" | "notices">,
): Promise<Agent> {
  return openAgent({ ...world, transfer, books, clock, notices, log: silentLog }, hourly);
}

function letGo({ member }: Scene): void {
  (member.host as LettingHost).hasLetGo = true;
}

function wrongs(agent: Agent): ReadonlyMap<string, number> {
  const bad = agent.status().peers.filter(({ score }) => score.wrong > 0);
  return new Map(bad.map(({ peer, score }) => [peer, score.wrong]));
}

/** It is known not to have it, asked again and again, and no liar. */
async function isBelieved(t: Test, scene: Scene, agent = scene.agent): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await agent.verify({ deep: false });
  t.notOk(scene.transfer.holders().has(scene.member.keys.peer), `it is known not to have them; ${replay}`);
  t.strictSame(wrongs(agent), new Map(), `nobody is blamed; ${replay}`);
}

for (const isKept of [false, true]) {
  const what = isKept ? "keeps it for a day, and then says" : "says at once";
  test(`who ${what} that it let go of all it has is a liar, and loses its seat`, async (t) => {
    const scene = await open(`liar ${isKept}`);
    const { world, agent, clock, transfer, blocks, manifest, member } = scene;
    tellOf(world, manifest, []);
    if (isKept) await pass(agent, clock, 24);
    letGo(scene);
    // It keeps so much for everybody that it is asked for a sample every three hours.
    await pass(agent, clock, 9);
    t.strictSame([...wrongs(agent).keys()], [member.keys.peer], replay);
    t.notOk(transfer.health.groups().some(({ peers }) => peers.includes(member.keys.peer)), replay);
    t.notOk(transfer.holders().has(member.keys.peer), replay);
    t.strictSame(await missing(transfer, blocks), [], replay);
  });
}

test("who let go of what its owner owed for, after it had told so for a week, is believed", async (t) => {
  const scene = await open("debtor");
  tellOf(scene.world, scene.manifest, []);
  scene.clock.shiftMs += limits.ledger.tellMs;
  letGo(scene);
  await isBelieved(t, scene);
});

test("what a holder says that it let go of it is asked for, and neither believed nor blamed before", async (t) => {
  const [honest, liar] = [await open("told"), await open("told in vain")];
  for (const { world, manifest, agent, transfer, member: { keys: { peer } } } of [honest, liar]) {
    tellOf(world, manifest, []);
    const segment = transfer.health.segments()[0]?.segment as SegmentId;
    await agent.heardGone(peer, segment);
    t.ok(transfer.health.segment(segment)?.holders.includes(peer), "it has it still");
  }
  honest.clock.shiftMs += limits.ledger.tellMs;
  for (const scene of [honest, liar]) {
    letGo(scene);
    const { agent, transfer, member: { keys: { peer } } } = scene;
    for (const { segment } of transfer.health.segments()) await agent.heardGone(peer, segment);
    t.notOk(transfer.holders().has(peer), "it has not got them");
  }
  t.strictSame(wrongs(honest.agent), new Map(), replay);
  t.strictSame([...wrongs(liar.agent).keys()], [liar.member.keys.peer], replay);
});

test("who let go is believed where clocks differ by days, or were set back meanwhile", async (t) => {
  for (const [beforeMs, backMs] of [[8 * dayMs, 6 * dayMs], [30 * dayMs, 30 * dayMs - hourMs]] as const) {
    const scene = await open(`set back ${backMs}`);
    tellOf(scene.world, scene.manifest, []);
    scene.clock.shiftMs += beforeMs;
    await pass(scene.agent, scene.clock, 1);
    scene.clock.shiftMs -= backMs;
    letGo(scene);
    await isBelieved(t, scene);
  }
  const fast = await open("fast");
  tellOf(fast.world, fast.manifest, []);
  fast.clock.shiftMs += limits.ledger.tellMs - 3 * dayMs;
  letGo(fast);
  await isBelieved(t, fast);
});

test("a node that has started since knows no ages, whatever its clock did meanwhile", async (t) => {
  for (const setMs of [0, hourMs, -dayMs]) {
    const scene = await open(`start ${setMs}`);
    await pass(scene.agent, scene.clock, 1);
    scene.clock.shiftMs += setMs;
    letGo(scene);
    await isBelieved(t, scene, await attend(scene));
  }
});

test("who lost its seat by a log that the owner has not heard yet is believed", async (t) => {
  const scene = await open("moved");
  const { accepted } = replacedIn(scene.world, scene.manifest);
  const line = tellOf(scene.world, scene.manifest, []);
  await scene.transfer.health.standings(new Set(), new AbortController().signal);
  t.ok(scene.transfer.health.isHeard(scene.manifest.group), "nothing was agreed on before");
  line.log = [accepted];
  letGo(scene);
  await isBelieved(t, scene);
});

test("and so is who has it again, since whoever it was given to proved nothing", async (t) => {
  const scene = await open("given back");
  const { world, transfer, manifest, agent, member } = scene;
  const { accepted } = replacedIn(world, manifest);
  tellOf(world, manifest, [accepted]);
  letGo(scene);
  await agent.steps.find(({ name }) => name === "adopt")?.step(new AbortController().signal);
  const drive = policyOf("protect class tiny; require region in EU;");
  transfer.govern({ drive, driveName: "ours", named: new Map() });
  await agent.steps.find(({ name }) => name === "policy")?.step(new AbortController().signal);
  const [anew] = transfer.health.groups() as [Manifest];
  t.equal(anew.epoch, manifest.epoch + 1);
  t.ok(anew.peers.includes(member.keys.peer), "a newer manifest seats it");
  tellOf(world, anew, []);
  await isBelieved(t, scene);
});

test("while too few tell of the log, or it gave notice, nobody is blamed", async (t) => {
  const [unheard, leaving] = [await open("unheard"), await open("leaving")];
  tellOf(unheard.world, unheard.manifest, []).isReached = false;
  tellOf(leaving.world, leaving.manifest, []);
  leaving.notices.hear(leaving.member.keys.peer, { untilMs: 1, groups: [leaving.manifest.group] });
  for (const scene of [unheard, leaving]) {
    letGo(scene);
    await isBelieved(t, scene);
  }
});

test("of another device's doings nobody is blamed", async (t) => {
  const scene = await open("devices");
  tellOf(scene.world, scene.manifest, []);
  scene.transfer.health.areOthers = () => true;
  letGo(scene);
  await isBelieved(t, scene);
});

test("of ages a clock tells only what nobody can have made younger", (t) => {
  let nowMs = Date.UTC(2026, 0, 9);
  const steady = new Steady({ now: () => nowMs });
  const young = (stampMs: number): boolean => steady.isYounger(stampMs, dayMs);
  t.notOk(young(nowMs - 1), "before it ran");
  const stampMs = nowMs += hourMs;
  t.ok(young(stampMs));
  nowMs -= 5_000;
  t.notOk(young(stampMs), "that lies ahead");
  nowMs += hourMs;
  t.ok(young(stampMs), "and was put right");
  nowMs += 3 * dayMs;
  t.notOk(young(stampMs));
  nowMs -= 3 * dayMs;
  t.notOk(young(stampMs), "it was set back");
  nowMs += 4 * dayMs;
  t.ok(young(nowMs), "and of what comes later than all before it knows again");
  steady.was(nowMs + dayMs);
  t.notOk(young(nowMs), "it was later once");
  t.end();
});
