/** SIGKILL of the daemon in the middle of a migration, over a swarm of real peers. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import { type Machine, makeCold, newMachine, run, until } from "../support/cli.ts";
import { met } from "../support/folders.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/slow/policy-kill.slow.ts`;
const kills = 3;

interface Policy {
  readonly moving: readonly { readonly left: number; readonly total: number }[];
}

function write(machine: Machine, clauses: string): void {
  const folder = join(machine.home, "config", "policies");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "mine.policy"), `policy mine { ${clauses} }`);
}

async function moving(machine: Machine): Promise<Policy["moving"]> {
  return ((await machine.status()) as unknown as { policy: Policy }).policy.moving;
}

test("killed again and again while it moves, a drive loses nothing and comes to an end", async (t) => {
  const machine = newMachine("policy-kill");
  t.teardown(() => machine.end());
  const random = seededRandom(`policy kill ${seed}`);
  write(machine, "protect class mirror;");
  await machine.must(t, ["mount", machine.mount, "--swarm", "12"]);
  await met(machine, 12);
  await machine.must(t, ["policy", "set", "mine"]);
  const names = Array.from({ length: 8 }, (_, at) => `file ${at}`);
  const files = names.map(() => randomBytes(200_000));
  for (const [at, name] of names.entries()) {
    writeFileSync(join(machine.mount, name), files[at] as Buffer);
    await machine.must(t, ["flush", "--timeout", "90"]);
  }
  write(machine, "protect class tiny; require region in EU;");
  const lefts: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const isUnderWay = async (): Promise<boolean> => (await moving(machine)).length > 0;
    const isOver = async (): Promise<boolean> => (await machine.status()).class === "tiny";
    await until(async () => await isUnderWay() || await isOver(), {
      seconds: 60, what: "it began",
    });
    // Anywhere in it: a segment takes about as long as this.
    await new Promise((later) => setTimeout(later, random.below(1500)));
    const { pid } = await machine.status();
    lefts.push((await moving(machine))[0]?.left ?? 0);
    process.kill(pid, "SIGKILL");
    await run("umount", ["-l", machine.mount], {});
    await machine.must(t, ["mount", machine.mount]);
    for (const [at, name] of names.entries()) {
      const bytes = readFileSync(join(machine.mount, name));
      t.ok(bytes.equals(files[at] as Buffer), `${name} after kill ${kill}; ${replay}`);
    }
  }
  t.comment(`segments left at the kills: ${lefts.join(", ")}`);
  await until(async () => (await moving(machine)).length === 0, {
    seconds: 120, what: "nothing is left to move",
  });
  t.equal((await machine.status()).class, "tiny");
  const { segments } = await machine.status();
  t.equal(segments.lost, 0);
  await makeCold(t, machine);
  for (const [at, name] of names.entries()) {
    const bytes = readFileSync(join(machine.mount, name));
    t.ok(bytes.equals(files[at] as Buffer), `${name}, from the peers`);
  }
});
