/**
 * The drive's past by the command line, on a real mount: made, listed, compared, put back, let
 * go.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync }
  from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { newMachine } from "../support/cli.ts";

test("what was deleted and spoilt comes back by name", { timeout: 120_000 }, async (t) => {
  const machine = newMachine("snapshots");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount]);
  const path = (...names: readonly string[]): string => join(machine.mount, ...names);
  mkdirSync(path("photos"));
  const photo = Buffer.alloc(700_000, "as it was ");
  writeFileSync(path("photos", "one"), photo);
  writeFileSync(path("photos", "two"), "two");
  writeFileSync(path("notes"), "first");
  const name = (await machine.must(t, ["snapshots", "create"])).out.trim();
  t.match(name, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(\.\d+)?$/);

  writeFileSync(path("notes"), "second thoughts");
  rmSync(path("photos"), { recursive: true });
  writeFileSync(path("later"), "x");
  t.ok(readFileSync(path(".snapshots", name, "photos", "one")).equals(photo));
  t.notOk(readdirSync(machine.mount).includes(".snapshots"), "it is not shown");
  t.strictSame(readdirSync(path(".trash")), ["photos"]);
  cpSync(path(".trash", "photos"), path("back"), { recursive: true });
  t.ok(readFileSync(path("back", "one")).equals(photo), "out of the trash");
  rmSync(path("back"), { recursive: true });
  const compared = await machine.must(t, ["diff", name]);
  t.strictSame(compared.out.trim().split("\n").sort(),
    ["+ later", "- photos/", "- photos/one", "- photos/two", "M notes"]);

  await machine.must(t, ["restore", name, path("photos")]);
  t.ok(readFileSync(path("photos", "one")).equals(photo), "a folder that is there no more");
  await machine.must(t, ["restore", name, path("notes"), "--to", path("notes then")]);
  t.equal(readFileSync(path("notes then"), "utf8"), "first");
  t.equal(readFileSync(path("notes"), "utf8"), "second thoughts");
  const whole = await machine.must(t, ["restore", name, machine.mount, "--exact"]);
  t.strictSame(readdirSync(machine.mount).sort(), ["notes", "photos"]);
  t.equal(readFileSync(path("notes"), "utf8"), "first");
  const before = /what there was before is kept: hive restore (\S+) PATH/.exec(whole.error)?.[1] as string;
  t.equal(readFileSync(path(".snapshots", before, "later"), "utf8"), "x", "it can be undone");

  const rows = JSON.parse((await machine.must(t, ["snapshots", "--json"])).out) as
    readonly { name: string; why: string }[];
  t.match(rows.filter(({ why }) => why !== "rule").map(({ why }) => why),
    ["asked", "restore", "restore", "restore"]);
  await machine.must(t, ["snapshots", "delete", name]);
  t.notOk(existsSync(path(".snapshots", name)));
  t.equal((await machine.hive(["restore", name, path("notes")])).code, 3, "it is gone");
  t.not((await machine.hive(["snapshots", "keep", "1m for 9w"])).code, 0, "that is too many");
  await machine.must(t, ["snapshots", "keep", "1h for 1d"]);
  t.equal((await machine.must(t, ["brake"])).out.trim(), "nothing is held back");
  t.equal((await machine.hive(["brake", "--go-on"])).code, 3, "nor let go of");
  const nowhere = await machine.hive(["diff", before, path("żółć")]);
  t.equal(nowhere.code, 3, "no difference of what never was is a mistake in the name");
  t.match(nowhere.error, /żółć: neither there then nor now/);
  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", machine.mount]);
  t.ok(statSync(path(".snapshots", before)).isDirectory(), "after a restart too");
});
