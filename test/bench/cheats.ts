/**
 * All cheats over many seeds: `node test/bench/cheats.ts [SEEDS [FIRST]]`. It prints by when each
 * is to be found and how surely, how often it was, and how many honest peers were condemned; and
 * fails where a row is not as stated. A hundred seeds take some five minutes of one core.
 */
import { holderCheats } from "../support/cheating-holders.ts";
import { ledgerCheats } from "../support/cheating-ledgers.ts";
import { memberCheats } from "../support/cheating-members.ts";
import { isAsStated, playAll, rowOf } from "../support/cheats.ts";

const count = Number(process.argv[2] ?? 100);
const first = Number(process.argv[3] ?? 1);
const seeds = Array.from({ length: count }, (_, at) => String(first + at));
const head = ["cheat", "found by", "within, h", "stated", "found", "latest, h", "condemned"];
say(head);
say(head.map(() => "---"));
for (const cheat of [...holderCheats, ...memberCheats, ...ledgerCheats]) {
  const tally = await playAll(cheat, seeds);
  say(rowOf(tally));
  if (!isAsStated(tally)) process.exitCode = 1;
}

function say(cells: readonly string[]): void {
  process.stdout.write(`| ${cells.join(" | ")} |\n`);
}
