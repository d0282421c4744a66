/**
 * A program that holds files to ransom, on a real mount and a real swarm: it reads each of 5,000
 * files, writes noise over it and renames it. Nothing of it is published, over a restart too; one
 * command undoes it.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "tap";
import { newMachine, until, wordsIn } from "../support/cli.ts";

const files = 5000;
const folders = 50;

test("ransom over 5,000 files is held back and undone", { timeout: 300_000 }, async (t) => {
  const machine = newMachine("brake");
  t.teardown(() => machine.end());
  const mounted = await machine.must(t, ["mount", machine.mount, "--swarm", "6"]);
  await machine.must(t, ["unmount"]);
  // Files older than this count: waiting for ten minutes would show no more.
  machine.settings({ brake: "30% in 15s" });
  await machine.must(t, ["mount", machine.mount]);
  const nameOf = (at: number): string =>
    join(machine.mount, `folder ${at % folders}`, `file ${at}`);
  const hashes = new Map<string, string>();
  for (let at = 0; at < folders; at++) mkdirSync(join(machine.mount, `folder ${at}`));
  for (let at = 0; at < files; at++) {
    const bytes = randomBytes(500 + (at % 40) * 200);
    hashes.set(nameOf(at), hashOf(bytes));
    writeFileSync(nameOf(at), bytes);
  }
  await machine.must(t, ["flush", "--timeout", "120"]);
  await delay(16_000);

  for (const name of hashes.keys()) {
    const { length } = readFileSync(name);
    writeFileSync(name, randomBytes(length), { flag: "r+" });
    renameSync(name, `${name}.locked`);
  }
  writeFileSync(join(machine.mount, "HOW TO GET YOUR FILES BACK"), "pay");
  await until(async () => /files were deleted and/.test((await machine.hive(["brake"])).out), {
    seconds: 60, what: "the brake is on",
  });
  t.match((await machine.hive(["status"])).out, /held back/);
  t.not((await machine.hive(["flush", "--timeout", "5"])).code, 0, "and nothing goes up");
  t.ok((await machine.status()).dirtyBytes > 0);

  await machine.must(t, ["unmount"]);
  const other = newMachine("brake-recovered");
  t.teardown(() => other.end());
  const peer = (await machine.swarm())[0]?.address as string;
  await other.must(t, ["recover", "--peer", peer], `${wordsIn(mounted.out)}\n`);
  await other.must(t, ["mount", other.mount]);
  for (const at of [0, 17, 4999]) {
    const found = readFileSync(nameOf(at).replace(machine.mount, other.mount));
    t.equal(hashOf(found), hashes.get(nameOf(at)), "who has the words alone has what was before");
  }
  await other.must(t, ["unmount"]);
  await machine.must(t, ["mount", machine.mount]);
  t.match((await machine.must(t, ["brake"])).out, /much of the drive was lost at once/);

  const undone = await machine.must(t, ["brake", "--undo"]);
  t.match(undone.out, /put back  5000 files; 5001 that came since/);
  for (const [name, hash] of hashes) {
    if (hashOf(readFileSync(name)) !== hash) t.fail(`${name} is not what it was`);
  }
  t.equal(readdirSync(machine.mount).length, folders);
  await machine.must(t, ["flush", "--timeout", "120"]);
});

function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
