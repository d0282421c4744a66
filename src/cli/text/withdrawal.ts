/** How far it is with what somebody was shut out of, in words. */
import type { HolderWord, WithdrawalView } from "../../base/views/sharing.ts";

export function withdrawalLines(view: WithdrawalView): readonly string[] {
  const { path, from, since, snapshots, waitingFor, dropping } = view;
  const why = waitingFor === null ? "" : `; waits for ${waitingFor}`;
  const lines = [`${path}  taken from ${from} at ${since}  (${stateOf(view)}${why})`];
  if (snapshots > 0 && view.phase !== "sealing") {
    lines.push(dropping === null
      ? `  ${snapshots} snapshots from before keep what they have of it, sealed as it was`
      : `  ${snapshots} snapshots from before: those that have something of it go`);
  }
  const silent = view.holders.filter(({ asked, confirmed }) => confirmed < asked);
  return [...lines, ...silent.map(silentLine)];
}

function stateOf({ phase, segmentsLeft, holders }: WithdrawalView): string {
  if (phase === "sealing") return "what was there is being sealed anew: hive status tells how far";
  if (phase === "finding") return "sealed anew; the old copies are being looked for";
  const word = confirmedWords(holders);
  if (phase === "clearing") return `sealed anew; ${segmentsLeft} segments have old copies; ${word}`;
  return `sealed anew; ${word}`;
}

function confirmedWords(holders: readonly HolderWord[]): string {
  if (holders.length === 0) return "no holder was told to let go of an old copy";
  const confirmed = holders.filter((one) => one.confirmed >= one.asked).length;
  return `${confirmed} of ${holders.length} holders confirmed that the old copies are gone`;
}

function silentLine({ peer, asked, confirmed }: HolderWord): string {
  return `  not yet: ${peer} (${confirmed} of ${asked} segments)`;
}
