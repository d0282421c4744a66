/** The flagship drill with 12 processes; `npm run drill -- flagship` has sixty. */
import { test } from "tap";
import { flagship } from "../support/flagship.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/slow/flagship.slow.ts`;

test("two waves kill two thirds, and words bring all back", { timeout: 300_000 }, async (t) => {
  await flagship({
    seed, peers: 12, class: { name: "tiny", k: 2, n: 6 }, mib: 10,
    deadAfterSeconds: 6, auditIntervalSeconds: 10, blipSeconds: 0, waveSecondsMax: 120,
    // Who is counted as dead in seconds may only be late on a busy machine, and is mended twice.
    movedFactorMax: 2.5,
    say: (words) => t.comment(words),
  });
  t.pass(replay);
});
