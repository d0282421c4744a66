/** Every kind of cheat once; `node test/bench/cheats.ts` has a hundred. */
import { test } from "tap";
import { holderCheats } from "../support/cheating-holders.ts";
import { ledgerCheats } from "../support/cheating-ledgers.ts";
import { memberCheats } from "../support/cheating-members.ts";
import { isAsStated, playAll, rowOf } from "../support/cheats.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/cheats.test.ts`;

test("a row is not as stated where chance alone makes it so in less than one of a thousand", (t) => {
  const row = (atLeast: number, seeds: number, found: number, condemned = 0): boolean => {
    const cheat = { ...memberCheats[0]!, atLeast };
    return isAsStated({ cheat, seeds, found, condemned, latestHours: 0 });
  };
  const rare = 1 - (1 / 6) ** 3;
  t.strictSame([5, 4, 3].map((found) => row(rare, 5, found)), [true, true, false]);
  t.strictSame([97, 96, 95].map((found) => row(rare, 100, found)), [true, true, false]);
  t.strictSame([5, 4].map((found) => row(1, 5, found)), [true, false]);
  t.notOk(row(rare, 5, 5, 1), "nobody is condemned");
  t.end();
});

for (const cheat of [...holderCheats, ...memberCheats, ...ledgerCheats]) {
  test(`a peer that ${cheat.name} is found, and nobody else condemned`, async (t) => {
    const tally = await playAll(cheat, [seed]);
    t.ok(isAsStated(tally), `${rowOf(tally).join(", ")}; ${replay}`);
  });
}
