/**
 * A machine without the words is added to a drive by a code: real daemons, one swarm. It mounts the
 * drive, what it writes goes to holders under its own key and is there on the other, and neither it
 * nor its key file has the seed.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { newMachine, until } from "../support/cli.ts";
import { keyFileOf, secretsOf } from "../support/secrets.ts";

test("a device is added by a code, and lets nobody in itself", { timeout: 230_000 }, async (t) => {
  const desk = newMachine("desk");
  t.teardown(() => desk.end());
  await desk.must(t, ["mount", desk.mount, "--swarm", "3"]);
  writeFileSync(join(desk.mount, "plan"), "of desk\n");
  await desk.must(t, ["flush", "--timeout", "60"]);
  const peer = (await desk.swarm())[0]?.address as string;

  const lap = newMachine("lap");
  t.teardown(() => lap.end());
  const shown = Promise.withResolvers<string>();
  const adding = lap.hive(["device", "add", "--peer", peer], undefined, shown.resolve);
  const code = (await shown.promise).trim();
  t.match(code, /^\w{4}-\w{4}-\w{4}$/);
  const wrong = `${code.slice(0, -1)}${code.endsWith("0") ? "1" : "0"}`;
  const confirmed = await desk.must(t, ["device", "confirm", code, "--json"]);
  const added = await adding;
  t.equal(added.code, 0, added.error);
  t.match(JSON.parse(confirmed.out), { peer: /^12D3KooW/ });

  await lap.must(t, ["mount", lap.mount]);
  t.equal(readFileSync(join(lap.mount, "plan"), "utf8"), "of desk\n");
  writeFileSync(join(lap.mount, "note"), "of lap\n");
  await lap.must(t, ["flush", "--timeout", "60"]);
  await until(async () => (await desk.hive(["verify", join(desk.mount, "note")])).code === 0, {
    seconds: 60, what: "a file of lap on desk",
  });
  t.equal(readFileSync(join(desk.mount, "note"), "utf8"), "of lap\n");

  const key = readFileSync(keyFileOf(lap));
  const [seed] = await secretsOf(desk);
  t.notOk(key.includes(seed as Buffer), "the seed is not in its key file");
  t.equal((await lap.hive(["device", "confirm", wrong])).code, 4, "it adds no other");
  t.equal((await lap.hive(["contacts", "me"])).code, 1, "nor does it share");
});
