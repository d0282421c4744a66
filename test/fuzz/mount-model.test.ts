/**
 * A short run of the comparison with ext4 (mount-model.ts says how to run long ones). HIVE_SEED
 * chooses other seeds.
 */
import { test } from "tap";
import { Arena, type Plan, compare } from "./mount-model.ts";

const seed = process.env["HIVE_SEED"] ?? "1";

const runs: readonly Plan[] = [
  { seed, operations: 1000, profile: "all", limitMiB: 64 },
  { seed, operations: 600, profile: "data", limitMiB: 64 },
];

for (const plan of runs) {
  test(`a mount and ext4 agree on ${plan.profile} operations of seed ${seed}`, async (t) => {
    // So few that the kernel is asked to forget some all the time.
    await using arena = await Arena.open(plan.limitMiB, "16");
    const report = await compare(arena, plan, { shorten: false });
    t.equal(report, undefined, report ?? "no difference");
    t.ok(arena.played > plan.operations / 2, `${arena.played} operations`);
  });
}
