/**
 * Machines without the words are added to a drive by a code, and one of them is shut out: real
 * daemons, real mounts, one swarm. None of them gets the seed, or lets in another. From then on
 * holders refuse the one, it is told so, and what is written it does not get; the other goes on.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { added } from "../support/added-device.ts";
import { type Machine, newMachine, until } from "../support/cli.ts";
import { keyFileOf, secretsOf } from "../support/secrets.ts";

const soon = { seconds: 60 };

function codeOf(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

test("devices are added by a code, one is shut out, and the others go on", { timeout: 290_000 }, async (t) => {
  const desk = newMachine("desk");
  t.teardown(() => desk.end());
  await desk.must(t, ["mount", desk.mount, "--swarm", "3"]);
  const write = (machine: Machine, name: string): void =>
    writeFileSync(join(machine.mount, name), `${name} of ${machine.directory}\n`);
  write(desk, "before");
  await desk.must(t, ["flush", "--timeout", "60"]);
  const peer = (await desk.swarm())[0]?.address as string;
  const lap = await added(t, "lap", { desk, peer });
  const pad = await added(t, "pad", { desk, peer });
  t.match(readFileSync(join(lap.mount, "before"), "utf8"), /^before of/);
  const [seed] = await secretsOf(desk);
  t.notOk(readFileSync(keyFileOf(lap)).includes(seed as Buffer), "it has not the seed");
  t.equal((await lap.hive(["device", "confirm", "0000-0000-0000"])).code, 4, "it adds no other");
  t.equal((await lap.hive(["contacts", "me"])).code, 4, "nor does it share");
  write(lap, "kept");
  await lap.must(t, ["flush", "--timeout", "60"]);
  await until(async () => existsSync(join(desk.mount, "kept")), { ...soon, what: "lap on desk" });

  const rows = JSON.parse((await lap.must(t, ["device", "list", "--json"])).out) as
    { peer: string; isThis: boolean; standing: string }[];
  const own = rows.find(({ isThis }) => isThis);
  t.equal(own?.standing, "added");
  const removed = await desk.must(t, ["device", "remove", own?.peer as string, "--json"]);
  t.match(JSON.parse(removed.out), { hadWords: false, told: 3, holders: 3 });

  const isReadOnly = (): boolean => codeOf(() => write(lap, "too late")) === "EROFS";
  await until(async () => isReadOnly(), { ...soon, what: "lap's mount is read-only" });
  t.match(readFileSync(join(lap.mount, "kept"), "utf8"), /^kept of/, "and still there");
  write(desk, "after");
  await desk.must(t, ["flush", "--timeout", "60"]);
  await until(async () => existsSync(join(pad.mount, "after")), { ...soon, what: "after on pad" });
  t.match(readFileSync(join(pad.mount, "after"), "utf8"), /^after of/, "who stays goes on");
  write(pad, "also");
  await until(async () => existsSync(join(desk.mount, "also")), { ...soon, what: "pad on desk" });
  await until(async () => (await lap.hive(["flush", "--timeout", "2"])).code === 4, {
    ...soon, what: "lap is told that it is out",
  });
  t.match((await lap.hive(["status"])).out, /alert +this device was removed.*read-only/);
  t.notOk(existsSync(join(lap.mount, "after")), "what was written since is not there");
  t.notOk(existsSync(join(desk.mount, "too late")), "nor is what it wrote anywhere else");
  await lap.must(t, ["unmount"]);
  const again = await lap.hive(["mount", lap.mount]);
  t.equal(again.code, 4);
  t.match(again.error, /this device was removed from its drive at 20/);
  t.match(again.error, /hint: hive mount -o ro/);
  await lap.must(t, ["mount", "-o", "ro", lap.mount]);
  t.match(readFileSync(join(lap.mount, "kept"), "utf8"), /^kept of/, "what it held is read");
});
