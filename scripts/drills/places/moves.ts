/**
 * What the drill `places` does beside writing: a peer goes abroad, policies that nobody satisfies
 * are chosen, and what the peers say of their places is held against what was measured.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Machine, run, until } from "../../../test/support/cli.ts";
import { type Towns, shardsOnDisk } from "../../../test/support/made-up-towns.ts";
import { type Dweller, moved } from "../../../test/support/world-plan.ts";
import { beliefs } from "../../../test/support/world-truth.ts";
import { must, say, timed } from "../machine.ts";
import { type Placed, sharedRoots } from "./judge.ts";
import { type Owner, mountAmong, shardsByPolicy, writePolicy } from "./owner.ts";
import { refusedRows } from "./policies.ts";

/** Where nobody lives and every policy of the EU ends. */
const abroad = "BR";
const moveSeconds = 1200;
const refusalSeconds = 120;

/** The peer of the EU with the most shards goes abroad; what it may not keep there leaves it. */
export async function tryMove(towns: Towns, owner: Owner): Promise<void> {
  const placed = await shardsByPolicy(owner);
  const { dweller, count } = await fullest(towns, owner);
  const gone = moved(towns.plan, dweller, abroad);
  const lost = new Set(forbiddenTo(gone, owner, placed));
  await mountAmong(owner, towns.dwellers.length);
  await towns.move(gone);
  const kept = async () => (await shardsOnDisk(towns.plan, gone)).filter((one) => lost.has(one));
  const before = (await kept()).length;
  if (before === 0) throw new Error(`peer ${gone.number} had nothing that it may not keep`);
  say(`  peer ${gone.number} with ${count} shards moves from ${dweller.country} to ${abroad}: ` +
    `${before} must leave it`);
  await timed("they have left it", () => until(async () => (await kept()).length === 0, {
    seconds: moveSeconds, what: `peer ${gone.number} keeps what it may not`,
  }));
  const whole = async () => {
    const status = await owner.machine.status().catch(() => undefined);
    return status !== undefined && status.segments.healthy === status.segments.total;
  };
  await timed("and every segment is whole", () => until(whole, {
    seconds: moveSeconds, what: "full redundancy",
  }));
  await must(owner.machine, ["unmount"]);
}

/** Of those that the owner has not vouched for: where they go, his word would keep them at home. */
async function fullest({ plan, dwellers }: Towns, { rows }: Owner) {
  const vouched = new Set(rows.flatMap((row) => row.vouched ?? []).map(({ peer }) => peer));
  const natives = dwellers.filter(({ peer, country, claims, shown }) => {
    const isNative = ["DE", "NL", "BE", "AT", "DK", "FR"].includes(country) && claims === shown;
    return isNative && !vouched.has(peer);
  });
  const counts = await Promise.all(natives.map(async (dweller) => {
    return { dweller, count: (await shardsOnDisk(plan, dweller)).length };
  }));
  const [most] = counts.sort((left, right) => right.count - left.count);
  if (most === undefined) throw new Error("nobody lives in the EU");
  return most;
}

function forbiddenTo(
  dweller: Dweller, { rows }: Owner, placed: readonly Placed[],
): readonly string[] {
  // What is alike in several policies it may keep for another one.
  const alike = new Set(sharedRoots(placed));
  return placed.flatMap(({ name, roots: all }) => {
    const roots = all.filter((root) => !alike.has(root));
    const rule = rows.find((row) => row.name === name)?.rule;
    const places = rule === undefined ? [] : beliefs(dweller, rule);
    const mayNot = rule !== undefined && places.every((place) => !rule.may(dweller, place));
    return mayNot ? roots : [];
  });
}

/** Each is refused with the peers that its clauses left, and changes nothing. */
export async function tryRefused(towns: Towns, { machine }: Owner): Promise<void> {
  const everything = async () => {
    const all = await Promise.all(towns.dwellers.map((one) => shardsOnDisk(towns.plan, one)));
    return all.map((shards) => shards.sort().join()).join(";");
  };
  const before = await everything();
  for (const row of refusedRows) {
    writePolicy(machine, row);
    const ran = await machine.hive(["policy", "use", row.name]);
    const counts = /^peers +after$/m.test(ran.out) && /^\d+ +\S/m.test(ran.out);
    if (ran.code === 0 || !counts) throw new Error(`${row.name}: ${ran.code}\n${ran.out}`);
    const words = ran.error.split("\n")[0];
    say(`  ${row.name} is refused: ${words}`);
    const lines = ran.out.split("\n").filter((one) => /^\d|\bno\b/.test(one));
    for (const line of lines) say(`    ${line}`);
  }
  if (await everything() !== before) throw new Error("a policy that was refused moved shards");
  await timed("nothing is taken under them", () => writesRefused(machine));
}

/** Given to a folder all the same, as any program may do, they let nobody write there. */
async function writesRefused(machine: Machine): Promise<void> {
  for (const { name } of refusedRows) {
    const folder = join(machine.mount, name);
    mkdirSync(folder);
    const set = await run("setfattr", ["-n", "user.hive.policy", "-v", name, folder], {});
    if (set.code !== 0) throw new Error(`${name}: ${set.error}`);
    const isRefused = async (): Promise<boolean> => {
      return codeOf(() => writeFileSync(join(folder, "file"), "x")) === "ENOSPC";
    };
    await until(isRefused, { seconds: refusalSeconds, what: `nothing is taken under ${name}` });
  }
  const { out } = await machine.hive(["status"]);
  for (const line of out.split("\n").filter((one) => one.includes("nothing more is taken"))) {
    say(`  ${line}`);
  }
  for (const { name } of refusedRows) rmSync(join(machine.mount, name), { recursive: true });
}

/** Of the fault that the act ends with; "none" if it ends well. */
function codeOf(act: () => void): string {
  try {
    act();
    return "none";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

interface Row {
  readonly peer: string;
  readonly country: string | null;
  readonly evidence: string | null;
  readonly isLying: boolean;
}

/** What the owner's machine makes of everybody's word after so long. */
export async function tellEvidence(
  towns: Towns, owner: Owner, untilMs: number,
): Promise<void> {
  await mountAmong(owner, towns.dwellers.length);
  const restMs = untilMs - performance.now();
  if (restMs > 0) await timed("round trips are measured meanwhile", () => setTimeout(restMs));
  const rows = JSON.parse((await must(owner.machine, ["peers", "--json"])).out) as readonly Row[];
  const levels = Map.groupBy(rows, ({ evidence }) => evidence ?? "not believed");
  const counted = [...levels].map(([level, those]) => `${those.length} ${level}`).join(", ");
  say(`  places, as the owner sees them: ${counted}`);
  const liars = towns.dwellers.filter(({ claims, country }) => claims !== country);
  for (const { number, peer, claims, country, shown } of liars) {
    const row = rows.find((one) => one.peer === peer);
    const seen = row?.country === null || row === undefined
      ? "not believed" : `${row.country} (${row.evidence})`;
    const caught = row?.isLying === true ? ", and said to lie" : "";
    const says = `in ${country} says ${claims} at an address of ${shown}`;
    say(`  peer ${number} ${says}: ${seen}${caught}`);
    const isBelieved = row?.country === claims && row.evidence === "rtt";
    if (isBelieved) throw new Error(`round trips uphold the lie of peer ${number}`);
  }
  await must(owner.machine, ["unmount"]);
}
