/** What is shared, by this drive and with it, in words. */
import { oneLine } from "../../base/harmless.ts";
import type {
  GivenGroupRow, GivenRow, GivenView, InboxView, SharesView, TakenView, TendedView, WardView,
} from "../../base/views/sharing.ts";
import { withdrawalLines } from "./withdrawal.ts";

export function sharesText(
  { given, taken, inboxes, wards, renewing, withdrawals, coded }: SharesView,
): string {
  const lines = [
    ...given.flatMap((one) => givenLines(one, { isTended: coded === undefined })),
    ...taken.map(takenLine), ...inboxes.flatMap(inboxLines), ...wards.map(wardLine),
  ];
  if (coded !== undefined) lines.push(...codedLines(coded, taken));
  else if (lines.length === 0) lines.push("nothing is shared, by you or with you");
  lines.push(...withdrawals.flatMap(withdrawalLines));
  const { renewed } = renewing ?? {};
  if (renewed !== undefined) lines.push(`${renewed} files and folders have new secrets so far`);
  return lines.map(oneLine).join("\n");
}

function codedLines(
  { readsUntil }: NonNullable<SharesView["coded"]>, taken: readonly TakenView[],
): readonly string[] {
  const until = readsUntil === null
    ? "it waits for one that has the words, and has no newer states until then"
    : `it may ask for newer states until ${readsUntil}, and on while one that has the words is met`;
  return [
    ...(taken.length === 0 ? ["nothing of others is known here yet"] : []),
    "this device was let in by a code: what it lists is changed on one that has the drive's words",
    until,
  ];
}

function givenLines(
  { path, with: readers, groups, verifiers, told, holders, trouble }: GivenView,
  { isTended }: { readonly isTended: boolean },
): string[] {
  const known = `known to ${told} of ${holders} holders`;
  const state = trouble === null ? known : `${known}; ${trouble}`;
  const words = (more = ""): string => isTended ? `  (${state}${more})` : "";
  const lines = readers.map((reader) => {
    return `${path}  ${readerWords(reader)}${words(writtenWords(reader))}`;
  });
  return [
    ...groups.map((group) => `${path}  ${groupWords(group)}${words()}`), ...lines,
    ...verifiers.map((one) => `${path}  verified by ${one.name}${untilWords(one.expiresAt)}`),
  ];
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

function writtenWords({ writes, wroteAt, devices, trouble }: GivenRow): string {
  if (!writes) return "";
  const since = wroteAt === null ? "nothing written yet" : `wrote last ${wroteAt}`;
  const where = devices > 1 ? ` on one of ${devices} devices` : "";
  return `; ${since}${where}${trouble === null ? "" : `; ${trouble}`}`;
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

function wardLine({ name, from, tended, trouble }: WardView): string {
  const state = tended === null ? "not gone through yet" : tendedWords(tended);
  return `${name}  of ${from}, to verify  (${state}${trouble === null ? "" : `; ${trouble}`})`;
}

export function tendedWords(
  { at, segments, right, wrong, absent, late, offline, missing, brought }: TendedView,
): string {
  return `${segments} segments at ${at}: ${right} proofs right, ${wrong} wrong, ${absent} absent, `
    + `${late} late, ${offline} offline; ${missing} segments missing, `
    + `${brought} shards brought back`;
}

/** Its folders have lines of their own. */
function inboxLines({ from, folders, trouble }: InboxView): string[] {
  if (folders > 0 && trouble === null) return [];
  return [`groups of ${from}  (${folders} folders${trouble === null ? "" : `; ${trouble}`})`];
}
