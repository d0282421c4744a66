/** A holder that never comes back: the drive rebuilds what it held, and nobody has to ask. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { type Machine, holdersOf, newMachine, readCold, until } from "../support/cli.ts";

const file = randomBytes(3_000_000);

test("a holder lost for good is replaced without a command", { timeout: 150_000 }, async (t) => {
  const machine = newMachine("repair");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount, "--swarm", "8"]);
  machine.settings({ deadAfterSeconds: 4, auditIntervalSeconds: 2 });
  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", machine.mount]);
  writeFileSync(join(machine.mount, "file"), file);
  await machine.must(t, ["flush", "--timeout", "60"]);
  t.equal((await machine.status()).survives, 4);
  t.ok(await proven(machine), "every shard is proven");

  const before = await holdersOf(machine);
  await machine.must(t, ["swarm", "kill", "--wipe", String(before[0])]);
  t.notOk(await proven(machine), "the lost ones are not");
  await until(() => proven(machine), { seconds: 90, what: "every shard is proven again" });
  t.equal((await machine.status()).survives, 4);

  const after = await holdersOf(machine);
  const fresh = after.find((number) => !before.includes(number));
  t.ok(fresh !== undefined, `by peer ${fresh} in the stead of ${before[0]}`);
  const rest = after.filter((number) => number !== fresh).slice(1);
  await machine.must(t, ["swarm", "kill", ...rest.map(String)]);
  t.ok((await readCold(t, machine, "file")).equals(file), "two holders are enough, one the new one");
});

async function proven(machine: Machine): Promise<boolean> {
  const ran = await machine.hive(["verify", "--json"]);
  const report = JSON.parse(ran.out) as { segments: number; proofsRight: number };
  return report.proofsRight === 6 * report.segments;
}
