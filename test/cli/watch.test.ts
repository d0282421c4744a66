/** A folder that is backed up into a real mount: all of it, then what changes; never the drive. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync }
  from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { newMachine, sameTree, until } from "../support/cli.ts";
import { watchStatuses } from "../support/watches.ts";

const MiB = 1024 * 1024;

test("all of it, what changes, what the rules leave out, and on after a restart", {
  timeout: 200_000,
}, async (t) => {
  const machine = newMachine("watch");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount]);
  const source = join(machine.directory, "work");
  const copy = join(machine.mount, "backup", "work");
  const at = (...names: readonly string[]): string => join(source, ...names);
  mkdirSync(at("src", "deep"), { recursive: true });
  mkdirSync(at("node_modules", "x"), { recursive: true });
  writeFileSync(at(".gitignore"), "node_modules/\n");
  writeFileSync(at("node_modules", "x", "y"), "not backed up");
  for (let file = 0; file < 200; file++) writeFileSync(at("src", `file ${file}`), randomBytes(3000));
  writeFileSync(at("src", "deep", "large"), randomBytes(9 * MiB));
  const isSame = async (): Promise<boolean> => {
    const differs = await sameTree(source, copy);
    return differs.replace(/^Only in [^\n]*work: node_modules\n/, "") === "";
  };

  const own = await machine.hive(["watch", machine.directory, "--into", copy]);
  t.equal(own.code, 2);
  t.match(own.error, /which is the drive's own/);
  const shared = await machine.must(t, ["watch", source, "--into", join(machine.mount, "Shared", "x")]);
  t.match(shared.error, /it waits: .*Shared\/x is not there and cannot be made .* hive accept/);
  await machine.must(t, ["watch", "--stop", source]);
  const ran = await machine.must(t, ["watch", source, "--into", copy]);
  t.match(ran.error, /\d+ looked at, 202 copied \(9\.\d MiB\); .*work is watched/);
  t.ok(await isSame());
  t.notOk(existsSync(join(copy, "node_modules")));
  t.match(await watchStatuses(t, machine), [{ directory: source, into: "backup/work" }]);

  writeFileSync(at("src", "deep", "fresh"), "fresh");
  writeFileSync(at("src", "file 1"), "changed");
  mkdirSync(at("new", "folder"), { recursive: true });
  writeFileSync(at("new", "folder", "inside"), "inside");
  await until(isSame, { seconds: 60, what: "changes are copied" });
  renameSync(at("src", "deep"), at("moved"));
  rmSync(at("src", "file 2"));
  const isMoved = async () => existsSync(join(copy, "moved", "large"));
  await until(isMoved, { seconds: 60, what: "what was renamed is copied under its new name" });
  const [moved, old] = [join(copy, "moved", "large"), join(copy, "src", "deep", "large")];
  t.equal(statSync(moved).size, 9 * MiB);
  t.ok(existsSync(old) && existsSync(join(copy, "src", "file 2")), "what is gone stays in the copy");

  await machine.must(t, ["unmount"]);
  t.strictSame(readdirSync(machine.mount), [], "the copying kept nobody");
  writeFileSync(at("while away"), "written while nobody watched");
  await machine.must(t, ["mount", machine.mount]);
  await until(async () => existsSync(join(copy, "while away")), {
    seconds: 60, what: "it goes on after a restart",
  });
  await machine.must(t, ["watch", "--stop", source]);
  t.strictSame(await watchStatuses(t, machine), []);
  t.equal((await machine.hive(["watch", "--stop", source])).code, 3);
  t.ok(existsSync(old), "the copy stays");
});
