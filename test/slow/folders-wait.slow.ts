/** A folder whose policy nobody satisfies, and a machine that has nothing but the words. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Test, test } from "tap";
import { type Machine, newMachine, until, wordsIn } from "../support/cli.ts";
import { flushed, met, slow, writePolicy, xattr } from "../support/folders.ts";

/** What is not held back is there for a machine that has only the words. */
async function recoversBeside(t: Test, machine: Machine, words: string): Promise<void> {
  const [peer] = await machine.swarm();
  const other = newMachine("folders-early");
  t.teardown(() => other.end());
  const told = await other.must(t, ["recover", "--peer", peer?.address ?? ""], words);
  t.match(told.error, /not as new as that: .*\/old\/below /);
  // Only to be looked at: it must not become a device that others hear of.
  await other.must(t, ["mount", "-o", "ro", other.mount]);
  const found = join(other.mount, "old");
  t.equal(readFileSync(join(found, "beside"), "utf8"), "as it is");
  t.strictSame(readdirSync(join(found, "below")), []);
  t.match((await other.must(t, ["policy", "show", join(found, "below")])).out, /policy  patient\n/);
  await other.must(t, ["unmount"]);
}

test("what waits is told by policy; words bring back what a folder asks for", slow, async (t) => {
  const machine = newMachine("folders-wait");
  t.teardown(() => machine.end());
  const words = wordsIn((await machine.must(t, ["init"])).out);
  // What a snapshot has of a folder goes by the policy of that time: it would wait as long.
  machine.settings({ keep: "none" });
  await machine.must(t, ["mount", machine.mount, "--swarm", "10"]);
  writePolicy(machine, "old-world", "protect class mirror; require country in [DE, FR, NL];");
  writePolicy(machine, "patient", "require asn in 64496; unsatisfiable queue;");
  const [old, below] = [join(machine.mount, "old"), join(machine.mount, "old", "below")];
  mkdirSync(below, { recursive: true });
  await met(machine, 10);
  await machine.must(t, ["policy", "set", "old-world", old]);
  await machine.must(t, ["policy", "set", "patient", below]);
  const secret = randomBytes(300_000);
  // The first thing that waits comes after it: whatever head tells of that has this as well.
  writeFileSync(join(old, "beside"), "as it is");
  writeFileSync(join(below, "waits"), secret);
  t.equal((await machine.hive(["flush", "--timeout", "5"])).code, 9);
  const told = (await machine.must(t, ["status"])).out;
  t.match(told, /^ {2}patient: \d+ blocks, .*; waits for peers of enough households/m);
  await until(async () => /^older .*\/old\/below /m.test((await machine.must(t, ["status"])).out), {
    seconds: 90, what: "a head is told in which what waits stands as it was",
  });
  await recoversBeside(t, machine, words);
  await machine.must(t, ["policy", "set", "--inherit", below]);
  t.not((await xattr.get(below)).code, 0);
  await flushed(t, machine);

  const [peer] = await machine.swarm();
  await machine.must(t, ["unmount"]);
  const other = newMachine("folders-again");
  t.teardown(() => other.end());
  await other.must(t, ["recover", "--peer", peer?.address ?? ""], words);
  rmSync(join(other.home, "config", "policies"), { recursive: true, force: true });
  await other.must(t, ["mount", other.mount]);
  const recovered = await other.must(t, ["policy", "show", join(other.mount, "old")]);
  t.match(recovered.out, /policy  old-world\n/);
  t.match(recovered.out, "require country in [DE, FR, NL];", "and what it says");
  t.ok(readFileSync(join(other.mount, "old", "below", "waits")).equals(secret));
});
