/** What is pinned stays on this machine and is read without a network: a real mount, real peers. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { newMachine, run, until } from "../support/cli.ts";

const MiB = 1024 * 1024;
const attribute = "user.hive.pinned";

interface Row {
  readonly path: string;
  readonly isKept: boolean;
  readonly files: number;
  readonly hereBytes: number;
  readonly missingBytes: number;
}

test("pin, unpin, and what is read when all peers are gone", { timeout: 200_000 }, async (t) => {
  const machine = newMachine("pin");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount, "--swarm", "6"]);
  const path = (...names: readonly string[]): string => join(machine.mount, ...names);
  const [large, small, much] = [randomBytes(6 * MiB), randomBytes(900), randomBytes(12 * MiB)];
  mkdirSync(path("photos", "2026"), { recursive: true });
  writeFileSync(path("photos", "2026", "large"), large);
  writeFileSync(path("photos", "small"), small);
  writeFileSync(path("much"), much);
  await machine.must(t, ["flush", "--timeout", "60"]);
  await machine.must(t, ["cache", "--drop"]);
  t.ok((await machine.status()).cacheBytes < MiB);

  const pinned = await machine.must(t, ["pin", path("photos")]);
  t.match(pinned.error, /photos is here, and stays/);
  const rows = async (): Promise<readonly Row[]> =>
    JSON.parse((await machine.must(t, ["pin", "--list", "--json"])).out) as readonly Row[];
  t.match(await rows(), [{ path: "/photos", isKept: true, files: 2, missingBytes: 0 }]);
  t.match((await machine.must(t, ["status"])).out, /pinned     2 files, 6\.0 MiB here\n/);
  const get = async (...names: readonly string[]): Promise<string> =>
    (await run("getfattr", ["-n", attribute, "--only-values", path(...names)], {})).out;
  t.equal(await get("photos", "2026", "large"), "1", "from the folder above");
  t.equal(await get("much"), "");

  await machine.must(t, ["cache", "--limit", "12M"]);
  const refused = await machine.hive(["pin", path("much")]);
  t.equal(refused.code, 6);
  t.match(refused.error, /18\.0 MiB are pinned, and pins may take 9\.0 MiB .*hive cache --limit/);
  t.equal((await rows()).length, 1, "it is not pinned");
  await machine.must(t, ["pin", "--no-wait", path("much")]);
  const isTold = async () => /18\.0 MiB are pinned/.test((await machine.hive(["status"])).out);
  await until(isTold, { seconds: 60, what: "the status tells it" });
  t.ok(readFileSync(path("much")).equals(much), "and nothing is lost");
  await machine.must(t, ["cache", "--limit", "64M"]);
  t.match((await machine.must(t, ["pin", path("much")])).error, /is here, and stays/);
  await machine.must(t, ["unpin", path("much")]);

  await machine.must(t, ["unpin", path("photos", "2026")]);
  t.equal(await get("photos", "2026", "large"), "0");
  const set = await run("setfattr", ["-n", attribute, "-v", "1", path("photos", "2026")], {});
  t.equal(set.code, 0, "any program may set it");
  writeFileSync(path("photos", "fresh"), small);
  renameSync(path("photos"), path("pictures"));
  await machine.must(t, ["flush", "--timeout", "60"]);
  t.equal((await machine.hive(["unpin", path("much")])).code, 3);

  await machine.must(t, ["cache", "--drop"]);
  await machine.must(t, ["swarm", "kill"]);
  t.ok(readFileSync(path("pictures", "2026", "large")).equals(large), "without any peer");
  t.ok(readFileSync(path("pictures", "small")).equals(small));
  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", machine.mount]);
  await machine.must(t, ["cache", "--drop"]);
  t.ok(readFileSync(path("pictures", "2026", "large")).equals(large), "after a restart, too");
  t.ok(readFileSync(path("pictures", "fresh")).equals(small), "and what came into it");
  const isAsBefore = async () => (await rows()).map(({ path: where }) => where).join() ===
    "/pictures,/pictures/2026";
  await until(isAsBefore, { seconds: 60, what: "the pins are found again" });
});
