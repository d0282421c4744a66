/** Every kind of cheat once; `node test/bench/cheats.ts` has a hundred. */
import { test } from "tap";
import { holderCheats } from "../support/cheating-holders.ts";
import { ledgerCheats } from "../support/cheating-ledgers.ts";
import { memberCheats } from "../support/cheating-members.ts";
import { isAsStated, playAll, rowOf } from "../support/cheats.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/cheats.test.ts`;

for (const cheat of [...holderCheats, ...memberCheats, ...ledgerCheats]) {
  test(`a peer that ${cheat.name} is found, and nobody else condemned`, async (t) => {
    const tally = await playAll(cheat, [seed]);
    t.ok(isAsStated(tally), `${rowOf(tally).join(", ")}; ${replay}`);
  });
}
