/**
 * All that a machine had of its drive is deleted, but for its keys: what peers have comes back, and
 * while none of them is there, no empty drive stands in its place. Nor is a drive recovered from
 * nobody: that is told from peers that do not know it.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { type Machine, newMachine, rowOf, wordsIn } from "../support/cli.ts";

test("a machine without state goes on from what peers have, or not at all", {
  timeout: 180_000,
}, async (t) => {
  const machine = newMachine("bare");
  t.teardown(() => machine.end());
  const forget = async (): Promise<void> => {
    await machine.must(t, ["unmount"]);
    for (const name of ["node", "cache"]) {
      rmSync(join(machine.home, "state", name), { recursive: true });
    }
  };
  const file = join(machine.mount, "kept");
  const first = await machine.must(t, ["mount", machine.mount, "--swarm", "3"]);
  t.notMatch(first.error, /gone/);
  writeFileSync(file, "before\n");
  await machine.must(t, ["flush", "--timeout", "60"]);

  await forget();
  const again = await machine.must(t, ["mount", machine.mount]);
  t.match(again.error, /local store was gone: what peers have is back/);
  t.equal(readFileSync(file, "utf8"), "before\n");
  writeFileSync(file, "after\n");
  await machine.must(t, ["flush", "--timeout", "60"]);

  await forget();
  await machine.must(t, ["swarm", "stop"]);
  const refused = await machine.hive(["mount", machine.mount]);
  t.not(refused.code, 0);
  t.match(refused.error, /no peer tells of the drive/);
  t.match(refused.error, /hint: hive mount tries again/);
  await machine.must(t, ["swarm", "start"]);
  await machine.must(t, ["mount", machine.mount]);
  t.equal(readFileSync(file, "utf8"), "after\n");
});

test("hive recover tells whether nobody answers, or who answers does not know the drive", {
  timeout: 180_000,
}, async (t) => {
  const machines = ["words", "unmet", "met"].map((name) => newMachine(name));
  t.teardown(() => Promise.all(machines.map((one) => one.end())));
  const [one, unmet, met] = machines as [Machine, Machine, Machine];
  const words = wordsIn((await one.must(t, ["init"])).out);
  await one.must(t, ["swarm", "start", "--peers", "1"]);
  const { address } = await rowOf(one, 1);
  const absent = address.replace(/\/tcp\/\d+/, "/tcp/1");
  const [silent, ignorant] = await Promise.all([
    unmet.hive(["recover", "--peer", absent], words), met.hive(["recover", "--peer", address], words),
  ]);
  t.equal(silent.code, 5);
  t.match(silent.error, /nobody answers, at --peer or near/);
  t.equal(ignorant.code, 3);
  t.match(ignorant.error, /no peer that was met knows this drive/);
});
