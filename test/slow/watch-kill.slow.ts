/**
 * A folder that is backed up into a real mount, and a SIGKILL of the daemon in the midst of it;
 * then with deletes, which an empty source does not bring.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync }
  from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { newMachine, sameTree, until } from "../support/cli.ts";
import { watchStatuses } from "../support/watches.ts";

const MiB = 1024 * 1024;

test("a kill in the midst, two folders in one place, deletes", { timeout: 200_000 }, async (t) => {
  const machine = newMachine("watch-kill");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount]);
  const source = join(machine.directory, "work");
  const copy = join(machine.mount, "backup", "work");
  const at = (...names: readonly string[]): string => join(source, ...names);
  for (const folder of ["src", "new", "moved"]) mkdirSync(at(folder), { recursive: true });
  for (const file of ["src/file 1", "moved/large"]) writeFileSync(at(file), file);
  const isSame = async (): Promise<boolean> => (await sameTree(source, copy)) === "";
  await machine.must(t, ["watch", source, "--into", copy]);
  t.ok(await isSame());
  rmSync(at("moved", "large"));
  for (let file = 0; file < 40; file++) writeFileSync(at("new", `bulk ${file}`), randomBytes(MiB));
  await until(async () => existsSync(join(copy, "new", "bulk 1")), {
    seconds: 60, what: "it is in the midst of it",
  });
  process.kill((await machine.status()).pid, "SIGKILL");
  await machine.must(t, ["mount", machine.mount]);
  const wanted = readdirSync(at("new")).sort();
  await until(async () => {
    const found = existsSync(join(copy, "new")) ? readdirSync(join(copy, "new")).sort() : [];
    return found.join() === wanted.join();
  }, { seconds: 40, what: "all is there, and nothing besides" });
  for (const name of wanted.filter((one) => one.startsWith("bulk"))) {
    if (!readFileSync(at("new", name)).equals(readFileSync(join(copy, "new", name)))) t.fail(name);
  }

  t.equal((await machine.hive(["watch", at("src"), "--into", join(copy, "src")])).code, 2);
  await machine.must(t, ["watch", source, "--into", copy, "--delete"]);
  t.ok(await isSame(), "with --delete it is the same again");
  rmSync(at("moved"), { recursive: true });
  await until(isSame, { seconds: 60, what: "what is deleted goes" });
  renameSync(source, `${source}-away`);
  mkdirSync(source);
  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", machine.mount]);
  const isWaiting = async () => (await watchStatuses(t, machine))[0]?.waitingFor?.includes("empty") ?? false;
  await until(isWaiting, { seconds: 60, what: "an empty folder deletes nothing" });
  t.ok(existsSync(join(copy, "src", "file 1")));
});
