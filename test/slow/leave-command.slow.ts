/** A holder leaves by the command line, while a drive is mounted, and tells when it may go. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import type { LeaveView } from "../../src/base/views/peers.ts";
import { newMachine, readCold, root, run, until } from "../support/cli.ts";

test("hive leave waits until a peer's shards are elsewhere", { timeout: 100_000 }, async (t) => {
  const machine = newMachine("leave");
  t.teardown(() => machine.end());
  await machine.must(t, ["init"]);
  machine.settings({ auditIntervalSeconds: 1 });
  await machine.must(t, ["swarm", "start", "--peers", "4", "--processes"]);
  await machine.must(t, ["mount", machine.mount, "--swarm", "4"]);
  const file = randomBytes(1_000_000);
  writeFileSync(join(machine.mount, "file"), file);
  await machine.must(t, ["flush"]);
  t.equal((await machine.status()).class, "mirror");
  const holder = (await machine.swarm()).find(({ shards }) => shards > 0);
  const number = String(holder?.number).padStart(2, "0");
  const env = { ...process.env, HIVE_HOME: join(machine.home, "state", "swarm", `peer-${number}`) };
  const main = join(root, "src", "cli", "main.ts");
  const leave = (...words: string[]) => run(process.execPath, [main, "leave", ...words], { env });
  const before = JSON.parse((await leave("--status", "--json")).out) as LeaveView;
  t.match(before, { state: "staying", shards: holder?.shards });

  const ran = await leave();
  t.match(ran, { code: 0, out: /^gone: .* may be shut down/ }, ran.error);
  t.match(ran.error, /leaving: \d+ shards, .* still here of \d+ shards/);
  t.match(JSON.parse((await leave("--status", "--json")).out), { state: "gone", shards: 0 });
  await machine.must(t, ["swarm", "kill", String(holder?.number), "--wipe"]);
  await until(async () => {
    const { segments, survives } = await machine.status();
    return segments.healthy === segments.total && survives === 2;
  }, { seconds: 60, what: "the drive lacks nothing without it" });
  t.ok((await readCold(t, machine, "file")).equals(file));
  t.match(await leave("--status"), { code: 5 }, "nobody answers there any more");
});
