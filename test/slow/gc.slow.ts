/**
 * What was deleted takes no room with peers, on a real mount and a real swarm; what stays is read
 * from them; and what comes back after it was given back is uploaded anew.
 */
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { type Machine, newMachine, readCold, wordsIn } from "../support/cli.ts";

const MiB = 1024 * 1024;

async function keptBytes(machine: Machine): Promise<number> {
  return (await machine.swarm()).reduce((sum, { usedBytes }) => sum + usedBytes, 0);
}

test("gc gives back what was deleted, and nothing else", { timeout: 200_000 }, async (t) => {
  const machine = newMachine("gc");
  t.teardown(() => machine.end());
  const mounted = await machine.must(t, ["mount", machine.mount, "--swarm", "6"]);
  // Or what is deleted at a full minute stays for an hour.
  await machine.must(t, ["snapshots", "keep", "none"]);
  const path = (...names: readonly string[]): string => join(machine.mount, ...names);
  const [staying, going] = [randomBytes(5 * MiB), randomBytes(3 * MiB)];
  mkdirSync(path("folder"));
  writeFileSync(path("folder", "going"), going);
  for (let file = 0; file < 8; file++) writeFileSync(path(`other ${file}`), randomBytes(2 * MiB));
  writeFileSync(path("staying"), staying);
  writeFileSync(path("open"), randomBytes(MiB));
  await machine.must(t, ["flush", "--timeout", "60"]);
  const before = await keptBytes(machine);
  t.ok(before > 3 * 25 * MiB, `${before}`);

  const open = openSync(path("open"), "r");
  rmSync(path("folder"), { recursive: true });
  for (let file = 0; file < 8; file++) rmSync(path(`other ${file}`));
  rmSync(path("open"));
  const ran = await machine.must(t, ["gc", "--timeout", "60", "--json"]);
  const report = JSON.parse(ran.out) as { segments: number; bytes: number };
  const after = await keptBytes(machine);
  t.ok(report.segments > 0 && before - after > 0.6 * before, `${before}, then ${after}`);
  t.equal(readFileSync(`/proc/self/fd/${open}`).length, MiB, "an open file without a name stays");
  closeSync(open);
  t.ok((await readCold(t, machine, "staying")).equals(staying), "what stays comes from the peers");

  writeFileSync(path("again"), going);
  await machine.must(t, ["flush", "--timeout", "60"]);
  t.ok((await readCold(t, machine, "again")).equals(going), "the same bytes went up anew");
  await machine.must(t, ["gc", "--timeout", "60"]);
  await machine.must(t, ["unmount"]);

  const other = newMachine("gc-recovered");
  t.teardown(() => other.end());
  const peer = (await machine.swarm())[0]?.address as string;
  await other.must(t, ["recover", "--peer", peer], `${wordsIn(mounted.out)}\n`);
  await other.must(t, ["mount", other.mount]);
  t.ok(readFileSync(join(other.mount, "staying")).equals(staying));
  t.ok(readFileSync(join(other.mount, "again")).equals(going));
});
