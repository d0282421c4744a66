/**
 * One drive on two devices at the same time: real daemons, real mounts, one swarm. What is written
 * on one is there on the other, through the kernel's caches; what both did apart is merged when
 * they meet, and nothing that either wrote is lost.
 */
import { readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { type Machine, newMachine, until, wordsIn } from "../support/cli.ts";
import { paceOf, slack } from "../support/device-pace.ts";

const soon = { seconds: 90 };

/** What the files of its drive say, in order. */
function textsOn({ mount }: Machine): readonly string[] {
  return readdirSync(mount).map((name) => readFileSync(join(mount, name), "utf8")).sort();
}

test("a drive mounted on two devices is one drive", { timeout: 230_000 }, async (t) => {
  const desk = newMachine("desk");
  t.teardown(() => desk.end());
  const mounted = await desk.must(t, ["mount", desk.mount, "--swarm", "6"]);
  const on = (machine: typeof desk, name: string): string => join(machine.mount, name);
  writeFileSync(on(desk, "plan"), "first\n");
  writeFileSync(on(desk, "other"), "other\n");
  await desk.must(t, ["flush", "--timeout", "60"]);
  const peer = (await desk.swarm())[0]?.address as string;

  const lap = newMachine("lap");
  t.teardown(() => lap.end());
  await lap.must(t, ["recover", "--peer", peer], `${wordsIn(mounted.out)}\n`);
  lap.settings({ deviceName: "lap" });
  await lap.must(t, ["mount", lap.mount]);
  t.equal(readFileSync(on(lap, "plan"), "utf8"), "first\n");

  const began = performance.now();
  writeFileSync(on(lap, "plan"), "second, of lap\n");
  await until(async () => readFileSync(on(desk, "plan"), "utf8") === "second, of lap\n", {
    ...soon, what: "an edit of lap on desk",
  });
  t.comment(`there after ${Math.round(performance.now() - began)} ms`);
  type Rows = readonly { peer: string; name: string; holdsBack: boolean }[];
  const listed = async (): Promise<Rows> =>
    JSON.parse((await desk.hive(["device", "list", "--json"])).out) as Rows;
  await until(async () => (await listed()).length === 2, { ...soon, what: "a head of lap" });
  const rows = await listed();
  t.match(rows, [{ isThis: true }, { name: "lap", online: true, holdsBack: true }]);

  const [here, there] = [lap.mount, desk.mount];
  for (const way of [{ here, there }, { here: there, there: here }]) {
    const times = slack();
    const pace = await paceOf(way, { rounds: 1, giveUpMs: 20_000 });
    const { medianMs, worstMs, worst } = pace;
    t.comment(`median ${Math.round(medianMs)} ms, worst ${Math.round(worstMs)} ms: ${worst}; `
      + `slack ${times.toFixed(1)} for the load`);
    t.ok(worstMs < 2_000 * times, "within two seconds");
  }

  await desk.must(t, ["unmount"]);
  // Paused, or desk might know of these before it makes its own.
  await lap.must(t, ["pause"]);
  writeFileSync(on(lap, "plan"), "third, of lap\n");
  renameSync(on(lap, "other"), on(lap, "another"));
  await lap.must(t, ["unmount"]);
  await desk.must(t, ["mount", desk.mount]);
  writeFileSync(on(desk, "plan"), "third one, of desk\n");
  writeFileSync(on(desk, "other"), "other, of desk\n");
  await lap.must(t, ["mount", lap.mount]);
  await lap.must(t, ["resume"]);
  const names = (machine: typeof desk): string => readdirSync(machine.mount).sort().join();
  await until(async () => names(desk) === names(lap) && names(desk).includes("conflict"), {
    ...soon, what: "the same names on both, with a copy of the edit that lost",
  });
  const kept = ["other, of desk\n", "third one, of desk\n", "third, of lap\n"];
  // The kernel hears of bytes a moment after it can see the names.
  await until(async () => [desk, lap].every((one) => textsOn(one).join() === kept.join()), {
    ...soon, what: "both edits are kept, on both",
  });
  t.equal(readFileSync(on(lap, "another"), "utf8"), "other, of desk\n", "moved, and edited");

  await lap.must(t, ["unmount"]);
  t.equal((await desk.hive(["gc"])).code, 1, "what lap may refer to stays");
  await desk.must(t, ["device", "forget", rows[1]?.peer.slice(0, 16) as string]);
  await desk.must(t, ["gc", "--timeout", "60"]);
});

test("a device begins with what there is by then, not with what it was recovered from", {
  timeout: 120_000,
}, async (t) => {
  const desk = newMachine("desk");
  t.teardown(() => desk.end());
  const mounted = await desk.must(t, ["mount", desk.mount, "--swarm", "3"]);
  const store = async (name: string): Promise<void> => {
    writeFileSync(join(desk.mount, name), `${name}\n`);
    await desk.must(t, ["flush", "--timeout", "60"]);
  };
  await store("first");
  const peer = (await desk.swarm())[0]?.address as string;
  const lap = newMachine("lap");
  t.teardown(() => lap.end());
  await lap.must(t, ["recover", "--peer", peer], `${wordsIn(mounted.out)}\n`);
  // Nobody knows of lap yet: what it would go on from is in no snapshot, and is given back.
  await store("second");
  await store("third");
  await desk.must(t, ["gc", "--timeout", "60"]);
  await lap.must(t, ["mount", lap.mount]);
  t.strictSame(textsOn(lap), ["first\n", "second\n", "third\n"]);
  writeFileSync(join(lap.mount, "mine"), "mine\n");
  await until(async () => textsOn(desk).includes("mine\n"), { ...soon, what: "what lap wrote" });
});
