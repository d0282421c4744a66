/** The package as npm makes and installs it, in a prefix of its own: the command, a mount, the manuals. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { type Ran, root, run } from "../support/cli.ts";

test("a packed and installed Hive mounts a drive", { timeout: 850_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "hive-package-"));
  const [prefix, mount] = [join(directory, "prefix"), join(directory, "drive")];
  const env = { ...process.env, HIVE_HOME: join(directory, "home") };
  const must = async (program: string, ...words: readonly string[]): Promise<Ran> => {
    const ran = await run(program, words, { cwd: root, env });
    t.equal(ran.code, 0, `${program} ${words.join(" ")}: ${ran.error}`);
    return ran;
  };
  const hive = (...words: readonly string[]) => must(join(prefix, "bin", "hive"), ...words);
  t.teardown(async () => {
    await run(join(prefix, "bin", "hive"), ["swarm", "stop"], { env });
    await run("umount", ["-l", mount], {});
    rmSync(directory, { recursive: true, force: true });
  });
  await must("npm", "pack", "--silent", "--pack-destination", directory);
  const [tarball] = readdirSync(directory);
  const install = ["install", "--global", "--prefix", prefix, "--prefer-offline", "--no-audit"];
  await must("npm", ...install, join(directory, tarball as string));
  const installed = join(prefix, "lib", "node_modules", "hive-drive");
  t.notOk(existsSync(join(installed, "src")), "JavaScript alone: Node runs no TypeScript there");
  t.ok(existsSync(join(prefix, "share", "man", "man1", "hive.1")));
  t.match((await hive("--version")).out, /^hive \d/);
  const found = JSON.parse((await hive("doctor", "--json")).out) as { what: string; fine: boolean }[];
  t.strictSame(found.filter(({ fine }) => !fine), [], "nothing is missing");

  mkdirSync(mount);
  await hive("mount", mount, "--swarm", "3");
  writeFileSync(join(mount, "file"), "kept by peers");
  await hive("flush", "--timeout", "60");
  t.match(JSON.parse((await hive("status", "--json")).out), { driver: "kernel", state: "safe" });
  await hive("cache", "--drop");
  t.equal(readFileSync(join(mount, "file"), "utf8"), "kept by peers");
  await hive("unmount");
});
