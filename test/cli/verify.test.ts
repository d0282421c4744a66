/** `hive verify PATH`: holders prove what stands there, and of the rest of the drive nobody is asked. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { holdersOf, newMachine, root, run } from "../support/cli.ts";

interface Report {
  readonly blocks: number;
  readonly segments: number;
  readonly proofsRight: number;
  readonly offline: number;
  readonly missing: number;
  readonly onlyHere: number;
}

test("what a path is made of is proven by its holders", { timeout: 200_000 }, async (t) => {
  const machine = newMachine("verify");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount, "--swarm", "8"]);
  const path = (...names: readonly string[]): string => join(machine.mount, ...names);
  const verify = async (...words: readonly string[]) => {
    const { code, out } = await machine.hive(["verify", "--json", ...words]);
    return { code, report: JSON.parse(out) as Report };
  };
  mkdirSync(path("photos"));
  writeFileSync(path("photos", "large"), randomBytes(5_000_000));
  writeFileSync(path("photos", "short"), "a few words");
  await machine.must(t, ["flush", "--timeout", "60"]);
  await machine.must(t, ["pause"]);
  writeFileSync(path("fresh"), randomBytes(5_000_000));
  const waiting = await verify(path("fresh"));
  t.ok(waiting.report.onlyHere >= 5_000_000 / 2 ** 18, "what waits is no loss");
  t.equal(waiting.code, 0);
  t.match((await machine.must(t, ["verify", path("fresh")])).out, / blocks are on this machine alone/);
  await machine.must(t, ["resume"]);
  await machine.must(t, ["flush", "--timeout", "60"]);

  // Pages that lead there are fetched, where they are not on this machine.
  await machine.must(t, ["cache", "--drop"]);
  const [{ report: all }, { report: photos }] = [await verify(), await verify(path("photos"))];
  t.match(photos, { proofsRight: 6 * photos.segments, missing: 0, onlyHere: 0 });
  t.ok(photos.segments > 0 && photos.segments < all.segments, `${photos.segments} of ${all.segments}`);
  const { code, report: short } = await verify("--deep", path("photos", "short"));
  t.ok(code === 0 && short.segments > 0 && short.proofsRight === 6 * short.segments);
  t.ok(short.blocks < photos.blocks, "what is short lies in the pages of its folder");
  t.equal((await machine.hive(["verify", path("nothing")])).code, 3);
  const shared = await machine.hive(["verify", path("Shared")]);
  t.equal(shared.code, 2);
  t.match(shared.error, /what lies in Shared is not the drive as it is/);
  const name = `'${machine.mount}'/$'caf\\xe9'`;
  const line = `: >${name}; '${process.execPath}' '${root}/src/cli/main.ts' verify ${name}`;
  const strange = await run("bash", ["-c", line], { env: { ...process.env, HIVE_HOME: machine.home } });
  t.equal(strange.code, 2);
  t.match(strange.error, /a name that is not UTF-8 cannot be given; name the folder it is in/);

  const holders = await holdersOf(machine);
  await machine.must(t, ["swarm", "kill", ...holders.slice(0, 2).map(String)]);
  const fewer = await verify(path("photos"));
  t.equal(fewer.code, 0, "enough are left");
  t.ok(fewer.report.offline > 0, `${fewer.report.offline} shards are offline`);
  await machine.must(t, ["swarm", "kill"]);
  const none = await verify(path("photos"));
  t.ok(none.code === 7 && none.report.missing > 0, "as the whole drive's check says it");
});
