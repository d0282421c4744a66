/** The local swarm with a process for each peer: a kill is seen, and a start brings them back. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { holdersOf, newMachine, readCold, rowOf, until } from "../support/cli.ts";

const file = randomBytes(6_000_000);

test("a killed peer starts again, even without its vault", { timeout: 300_000 }, async (t) => {
  const machine = newMachine("processes");
  t.teardown(() => machine.end());
  await machine.must(t, ["swarm", "start", "--peers", "4", "--processes"]);
  const before = await machine.swarm();
  t.strictSame(before.map(({ state }) => state), Array(4).fill("running"));
  t.equal(new Set(before.map(({ pid }) => pid)).size, 4, "each a process of its own");
  const second = before[1];
  process.kill(second?.pid as number, "SIGKILL");
  await until(async () => (await rowOf(machine, 2)).state === "stopped", {
    seconds: 60, what: "its death is seen",
  });
  await machine.must(t, ["swarm", "start", "2"]);
  const after = await rowOf(machine, 2);
  t.equal(after.state, "running");
  t.equal(after.address, second?.address, "the same peer at the same place");

  await machine.must(t, ["mount", machine.mount, "--swarm", "4"]);
  writeFileSync(join(machine.mount, "file"), file);
  await machine.must(t, ["flush", "--timeout", "60"]);
  const [holder] = await holdersOf(machine);
  await machine.must(t, ["swarm", "kill", "--wipe", String(holder)]);
  await machine.must(t, ["swarm", "start", String(holder)]);
  t.equal((await rowOf(machine, holder as number)).shards, 0, "wiped");
  t.ok((await readCold(t, machine, "file")).equals(file), "the others have it");
  t.equal((await machine.hive(["swarm", "kill", "99"])).code, 3, "there is no peer 99");
});
