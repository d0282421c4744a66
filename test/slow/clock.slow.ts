/**
 * A wall clock that is wrong, under a real daemon and real peers whose clocks are right: set back,
 * set far forward, and moved while the drive is mounted. Nothing is lost, nobody is condemned,
 * times are told as the clock tells them, nothing spins, and with the right time uploads go on.
 */
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { newMachine, root, run } from "../support/cli.ts";
import { shareAtRest } from "../support/process-time.ts";
import { shell } from "../support/small-disk.ts";

const dayS = 24 * 3600;

test("with its clock days wrong a drive keeps all, and publishes when it is right", {
  timeout: 300_000,
}, async (t) => {
  const machine = newMachine("clock");
  t.teardown(() => machine.end());
  const { mount, directory } = machine;
  const shim = join(directory, "clock.so");
  const clock = join(directory, "clock");
  const source = join(root, "test", "support", "clock.c");
  const built = await run("cc", ["-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl"], {});
  t.equal(built.code, 0, built.error);
  await machine.must(t, ["mount", mount, "--swarm", "6"]);
  await shell(`cd ${mount} && head -c 3000000 /dev/urandom > first && sha256sum first > ../sums`);
  await machine.must(t, ["flush", "--timeout", "120"]);
  await machine.must(t, ["unmount"]);

  const setClock = (seconds: number): void => writeFileSync(clock, String(seconds));
  const env = {
    ...process.env, HIVE_HOME: machine.home, LD_PRELOAD: shim, TEST_CLOCK: clock,
  };
  const main = join(root, "src", "cli", "main.ts");
  setClock(-10 * dayS);
  const mounted = await run(process.execPath, [main, "mount", mount], { env });
  t.equal(mounted.code, 0, mounted.error);
  for (const [name, days] of [["back", -10], ["forward", 400], ["again", -3]] as const) {
    setClock(days * dayS);
    const path = join(mount, name);
    const wrote = await shell(`head -c 700000 /dev/urandom > ${path} && sync ${path} && ` +
      `cd ${mount} && sha256sum ${name} >> ../sums && mkdir d-${name}`);
    t.equal(wrote.code, 0, wrote.error);
    const offDays = (statSync(join(mount, `d-${name}`)).mtimeMs - Date.now()) / 1000 / dayS;
    t.ok(Math.abs(offDays - days) < 0.1, `${name}: times are the clock's, ${offDays} days off`);
    const { segments } = await machine.status();
    t.equal(segments.lost + segments.degraded, 0, `${name}: nobody is given up`);
  }
  t.ok(await shareAtRest(machine) < 0.5, "nothing spins");

  setClock(0);
  const right = await machine.hive(["flush", "--timeout", "60"]);
  t.equal(right.code, 0, `published once the clock is right: ${right.error}`);
  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", mount]);
  const after = await shell(`cd ${mount} && sha256sum -c ../sums`, { seconds: 60 });
  t.equal(after.code, 0, `with the clock right again all is there: ${after.error}`);
  await shell(`head -c 100000 /dev/urandom > ${mount}/last`);
  const flushed = await machine.hive(["flush", "--timeout", "60"]);
  t.equal(flushed.code, 0, `and publishing goes on: ${flushed.error}`);
});
