/**
 * SIGKILL of the daemon under real programs: tar, SQLite, git, and logs that are appended to. After
 * each kill everything that was acknowledged is there, and the tree is whole. Torn rounds damage
 * the local store's unflushed bytes besides. `npm run drill -- crashes` does hundreds of both.
 */
import { test } from "tap";
import { newMachine } from "../support/cli.ts";
import { CrashSeries } from "../support/crash/rounds.ts";

const plain = { flush: false, twice: false, warm: true, everything: false, killMsMax: 1500 };
const all = { ...plain, chosen: [0, 1, 2, 3], everything: true };
/** By the workloads' numbers: each is under three kills. */
const rounds = {
  "tar and SQLite": { ...plain, chosen: [0, 1] },
  "git and logs": { ...plain, chosen: [2, 3] },
  "all, and the next daemon as it starts": { ...all, twice: true },
  "all, with the unflushed bytes torn": { ...all, tearFlushes: 4 },
};
const timeout = 200_000;

test("killed under four workloads, a drive has all that it promised", { timeout }, async (t) => {
  const machine = newMachine("crash-rounds");
  t.teardown(() => machine.end());
  const seed = process.env["SEED"] ?? String(Date.now() % 1_000_000);
  t.comment(`SEED=${seed} node test/slow/crash-rounds.slow.ts`);
  await machine.must(t, ["init"]);
  await machine.must(t, ["mount", machine.mount]);
  const series = new CrashSeries(machine);
  let acknowledged = 0;
  for (const [name, options] of Object.entries(rounds)) {
    const report = await series.round({ ...options, seed: `${seed}/${name}` });
    const { wrong, killedAfterMs, torn } = report;
    t.strictSame(wrong, [], `${name}: killed after ${killedAfterMs} ms ${torn}`);
    acknowledged += report.acknowledged;
  }
  t.ok(acknowledged > 0, `${acknowledged} acknowledged things were looked for`);
});
