/**
 * SIGKILL of the daemon in the middle of a copy, at seeded moments: what was fsynced before is
 * intact after the next `hive mount`, which takes the dead mount off by itself, and whoever was
 * using the mount is let go. `npm run drill -- crashes` does it twenty times.
 */
import { join } from "node:path";
import { test } from "tap";
import { newMachine, root } from "../support/cli.ts";
import { crashRound } from "../support/cli-crash.ts";

const rounds = 3;

test("a killed daemon loses nothing that was fsynced", { timeout: 150_000 }, async (t) => {
  const machine = newMachine("crash");
  t.teardown(() => machine.end());
  const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
  t.comment(`SEED=${seed} node test/cli/crash.test.ts`);
  const kept = new Map<string, Buffer>();
  for (let round = 1; round <= rounds; round++) {
    const { killedAfterMs, freedAfterMs, damaged } = await crashRound(machine, {
      seed, round, kept, copied: join(root, "src"), killMs: { min: 100, max: 1500 },
    });
    t.strictSame(damaged, [], `round ${round}: killed after ${killedAfterMs} ms`);
    t.ok(freedAfterMs < 5000, `and whoever used the mount is free after ${freedAfterMs} ms`);
  }
  t.ok(kept.size > 0, `${kept.size} files were fsynced`);
  const status = await machine.status();
  t.equal(status.mount, machine.mount, "and it serves");
});
