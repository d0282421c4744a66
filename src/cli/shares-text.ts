/** What is shared, by this drive and with it, in words. */
import type { GivenGroupRow, GivenRow, GivenView, InboxView, SharesView, TakenView }
  from "../base/sharing.ts";
import { withdrawalLines } from "./withdrawal-text.ts";

export function sharesText(
  { given, taken, inboxes, renewing, withdrawals }: SharesView,
): string {
  const lines = [
    ...given.flatMap(givenLines), ...taken.map(takenLine), ...inboxes.flatMap(inboxLines),
  ];
  if (lines.length === 0) lines.push("nothing is shared, by you or with you");
  lines.push(...withdrawals.flatMap(withdrawalLines));
  const { renewed } = renewing ?? {};
  if (renewed !== undefined) lines.push(`${renewed} files and folders have new secrets so far`);
  return lines.join("\n");
}

function givenLines({ path, with: readers, groups, told, holders, trouble }: GivenView): string[] {
  const known = `known to ${told} of ${holders} holders`;
  const state = trouble === null ? known : `${known}; ${trouble}`;
  const lines = readers.map((reader) => {
    return `${path}  ${readerWords(reader)}  (${state}${writtenWords(reader)})`;
  });
  return [...groups.map((group) => `${path}  ${groupWords(group)}  (${state})`), ...lines];
}

function groupWords({ name, people, expiresAt, writes }: GivenGroupRow): string {
  const who = people === 1 ? "1 person" : `${people} people`;
  return `${verbOf({ writes })} by the group ${name}, ${who}${untilWords(expiresAt)}`;
}

function readerWords({ name, through, isDirect, expiresAt, writes }: GivenRow): string {
  const groups = through.join(", ");
  const how = groups === "" ? "" : isDirect ? `, and through ${groups}` : ` through ${groups}`;
  return `${verbOf({ writes })} by ${name}${how}${untilWords(expiresAt)}`;
}

function writtenWords({ writes, wroteAt, trouble }: GivenRow): string {
  if (!writes) return "";
  const since = wroteAt === null ? "nothing written yet" : `wrote last ${wroteAt}`;
  return `; ${since}${trouble === null ? "" : `; ${trouble}`}`;
}

function verbOf({ writes }: Pick<GivenRow, "writes">): string {
  return writes ? "written" : "read";
}

function untilWords(expiresAt: string | null): string {
  return expiresAt === null ? "" : ` until ${expiresAt}`;
}

function takenLine({ name, from, writes, isThroughGroup, stateOf, trouble }: TakenView): string {
  const state = stateOf === null ? "no state yet" : `state of ${stateOf}`;
  const how = `${writes ? ", to write" : ""}${isThroughGroup ? ", through a group" : ""}`;
  return `Shared/${name}  of ${from}${how}  (${state}${trouble === null ? "" : `; ${trouble}`})`;
}

/** Its folders have lines of their own. */
function inboxLines({ from, folders, trouble }: InboxView): string[] {
  if (folders > 0 && trouble === null) return [];
  return [`groups of ${from}  (${folders} folders${trouble === null ? "" : `; ${trouble}`})`];
}
