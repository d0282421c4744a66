/**
 * Lives of one device that gives room back (test/support/lone-life.ts): every file and every kept
 * moment is there to the byte, here and for a machine that has the words alone. HIVE_TRIALS says
 * how many; one if it does not.
 */
import { test } from "tap";
import { liveAlone } from "../support/lone-life.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const trials = Number(process.env["HIVE_TRIALS"] ?? 1);
const steps = Number(process.env["HIVE_STEPS"] ?? 30);
const lives = process.env["HIVE_LIFE"] === undefined
  ? Array.from({ length: trials }, (_, trial) => `${seed}.${trial}`) : [process.env["HIVE_LIFE"]];

for (const name of lives) {
  test(`one device gives room back, life ${name}`, { timeout: 240_000 }, async (t) => {
    const { wrong, acts } = await liveAlone(name, steps);
    t.comment(`replay: HIVE_LIFE=${name} node test/unit/reclaim.life.test.ts`, acts);
    t.strictSame(wrong, []);
  });
}
