/**
 * Placement by place, at full size: 60 real peers in 20 network namespaces with public addresses of
 * 20 countries, some of whom share a home, an address or a network, and some of whom lie. Policies
 * in every form govern the folders of ordinary drives; where each shard lies is then read from all
 * 60 disks and judged by a checker of the drill's own.
 *
 *   npm run drill -- places [--seed N] [--towns 20] [--policies NAME,...] [--measure MINUTES]
 *
 * It needs root and ip(8): namespaces are this machine's own, and no packet leaves it.
 */
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Towns } from "../../test/support/made-up-towns.ts";
import { makePlan } from "../../test/support/world-plan.ts";
import { must, say, seconds, timed } from "./machine.ts";
import { type Found, judgeRow } from "./places/judge.ts";
import { type Owner, holdersByShard, mountAmong, newOwner } from "./places/owner.ts";
import { readRows, shardsByPolicy, writeRows } from "./places/owner.ts";
import { type Tally, type Trials, tryLies } from "./places/lies.ts";
import { tellEvidence, tryMove, tryRefused } from "./places/moves.ts";
import { type Row, drivesOf } from "./places/policies.ts";

export const placesOptions = {
  towns: { type: "string", default: "20" },
  policies: { type: "string" },
  measure: { type: "string", default: "12" },
} as const;

/** Long enough for a flush that could be done to be done. */
const waitSeconds = 60;
/** What `hive flush` ends with then. */
const timedOut = 9;

type Values = Readonly<Partial<Record<keyof typeof placesOptions | "seed", string>>>;

export async function places(values: Values): Promise<void> {
  const seed = values.seed ?? process.env["SEED"] ?? String(randomInt(1_000_000));
  const count = Number(values.towns);
  say(`  SEED=${seed} (npm run drill -- places --seed ${seed} --towns ${count})`);
  const directory = mkdtempSync(join(tmpdir(), "hive-places-"));
  const plan = makePlan({ seed, towns: count, directory });
  // Not once: a second signal must not end it in the middle of tidying up.
  const leave = (): void => process.exit(1);
  process.on("SIGINT", leave).on("SIGTERM", leave);
  // After those of the towns, whose peers write there until they have ended.
  const tidy = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  try {
    await using towns = new Towns(plan);
    process.once("exit", tidy);
    const start = performance.now();
    await begin(towns);
    const found = await tryDrives(towns, values, start + Number(values.measure) * 60_000);
    await towns.stop();
    // Of whoever moved, some was measured here and some there.
    const settled = towns.dwellers.filter((one) => plan.dwellers.includes(one));
    tellTrials(await tryLies(plan, settled));
    tell(found);
  } finally {
    process.off("SIGINT", leave).off("SIGTERM", leave).off("exit", tidy);
    tidy();
  }
}

/** One drive after the other: a drive's folders go by so many names at most. */
async function tryDrives(
  towns: Towns, values: Values, untilMs: number,
): Promise<readonly Found[]> {
  const found: Found[] = [];
  await using first = await ownerOf(towns, values, 0);
  if (first !== undefined) {
    found.push(...await tryDrive(towns, first));
    await tryMove(towns, first);
    await timed("looked at again", async () => {
      for (const row of await judgeDrive(towns, first)) {
        found.push({ ...row, name: `${row.name}, moved` });
      }
    });
  }
  for (let at = 1; at < drivesOf(towns.plan).length; at++) {
    await using owner = await ownerOf(towns, values, at);
    if (owner !== undefined) found.push(...await tryDrive(towns, owner));
  }
  if (first !== undefined) await tellEvidence(towns, first, untilMs);
  return found;
}

async function ownerOf(towns: Towns, values: Values, at: number): Promise<Owner | undefined> {
  const rows = drivesOf(towns.plan)[at]?.filter(({ name }) => isWanted(values, name)) ?? [];
  return rows.length === 0 ? undefined : newOwner(towns, `places-${at}`, rows);
}

function isWanted({ policies }: Values, name: string): boolean {
  return policies === undefined || policies.split(",").includes(name);
}

async function begin(towns: Towns): Promise<void> {
  const { dwellers } = towns.plan;
  const start = performance.now();
  await towns.start((count) => {
    if (count % 4 === 0) say(`  ${count} towns after ${seconds(start)}`);
  });
  await timed("everybody has heard of everybody", () => towns.meet());
  const mib = Math.round((await towns.memoryKiB()) / 1024);
  say(`  ${dwellers.length} peers run after ${seconds(start)}, in ${mib} MiB`);
}

/** Writes a file under each policy, and looks where the shards went. */
async function tryDrive(towns: Towns, owner: Owner): Promise<readonly Found[]> {
  const { machine, rows } = owner;
  const { plan, dwellers } = towns;
  await timed("mount, and meet everybody", () => mountAmong(owner, dwellers.length));
  const [placed, waiting] = [false, true].map((waits) => {
    return rows.filter((row) => (row.waits ?? false) === waits);
  }) as [Row[], Row[]];
  await timed(`write under ${placed.length} policies`, () => writeRows(owner, placed, plan.seed));
  await timed("flush", () => must(machine, ["flush", "--timeout", "1800"]));
  if (waiting.length > 0) {
    await writeRows(owner, waiting, plan.seed);
    const { code } = await machine.hive(["flush", "--timeout", String(waitSeconds)]);
    if (code !== timedOut) throw new Error(`flush ended with ${code}, where data has to wait`);
    say(`  what ${waiting.length} policies let nobody hold waits on this machine`);
    await tryRefused(towns, owner);
  }
  await timed("equal, from the peers", () => readRows(owner));
  await must(machine, ["unmount"]);
  return judgeDrive(towns, owner);
}

async function judgeDrive(towns: Towns, owner: Owner): Promise<readonly Found[]> {
  const { dwellers } = towns;
  const placed = await shardsByPolicy(owner);
  const holders = await holdersByShard(towns, dwellers);
  return owner.rows.map((row: Row) => judgeRow(row, { placed, holders, dwellers }));
}

function tellTrials({ statements, honest, far, near }: Trials): void {
  const share = (count: number, { tried }: Tally): string => {
    return `${count} of ${tried} (${((100 * count) / Math.max(1, tried)).toFixed(1)} %)`;
  };
  say(`  ${statements} round trips were measured among the peers; by these`);
  say(`    true claims upheld ${share(honest.upheld, honest)}, refuted ${honest.refuted}`);
  say(`    lies of far countries refuted ${share(far.refuted, far)}, upheld ${far.upheld}`);
  say(`    lies of near countries refuted ${share(near.refuted, near)}, upheld ${near.upheld}`);
  if (honest.refuted + far.upheld > 0) throw new Error("round trips judged wrongly");
}

function tell(found: readonly Found[]): void {
  say("  policy                shards  holders  violations");
  for (const { name, shards, holders, violations } of found) {
    const cells = [String(shards).padStart(6), String(holders).padStart(8)];
    say(`  ${name.padEnd(21)} ${cells.join(" ")}  ${String(violations.length).padStart(10)}`);
    for (const words of violations.slice(0, 5)) say(`      ${words}`);
  }
  const all = found.reduce((sum, { violations }) => sum + violations.length, 0);
  const shards = found.reduce((sum, one) => sum + one.shards, 0);
  say(`  ${found.length} policies, ${shards} shards, ${all} violations`);
  if (all > 0) throw new Error(`${all} violations`);
}

