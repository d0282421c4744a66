/** A folder of this drive that others may read, as a person is shown it: pure. */
import { beginningOf } from "../../base/bytes.ts";
import { type Name, type PersonId, type ShareId, nameToText } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { GivenGroupRow, GivenRow, GivenView } from "../../base/views/sharing.ts";
import type { GivenShare } from "./giving.ts";
import type { GivenReader } from "./readers.ts";
import { type GivenWay, type MembersOf, verifiersIn } from "./ways.ts";

export interface GivenFacts {
  readonly readers: readonly GivenReader[];
  readonly people: MembersOf;
  readonly nameOf: (person: PersonId) => string;
  readonly wrote: (
    share: ShareId, person: PersonId,
  ) => Pick<GivenRow, "wroteAt" | "trouble" | "devices">;
}

export function viewOf(
  { share, path, ways }: Pick<GivenShare, "share" | "path" | "ways">,
  { readers, people, nameOf, wrote }: GivenFacts,
): Pick<GivenView, "path" | "with" | "groups" | "verifiers"> {
  return {
    path: pathText(path),
    with: byName(readers.map((reader) => ({
      name: nameOf(reader.person), through: reader.groups, isDirect: reader.isDirect,
      expiresAt: timeText(reader.expiresAtMs), writes: reader.right > 0,
      ...wrote(share, reader.person),
    }))),
    groups: byName(ways.flatMap((way) => groupRow(way, people))),
    verifiers: byName(verifiersIn(ways).map(({ person, expiresAtMs }) => {
      return { name: nameOf(person), expiresAt: timeText(expiresAtMs) };
    })),
  };
}

/** The ties have an order of their own, which says nothing. */
function byName<T extends { readonly name: string }>(rows: readonly T[]): readonly T[] {
  return [...rows].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function pathText(path: readonly Name[]): string {
  return `/${path.map(nameToText).join("/")}`;
}

/** What a folder is called where its grants and records are made, whose room for it is bounded. */
export function nameOfFolder(path: readonly Name[]): string {
  const last = path.at(-1);
  if (last === undefined) return "Hive";
  return beginningOf(nameToText(last).replace(/\p{Cc}/gu, "_"), limits.sharing.nameBytesMax);
}

function groupRow({ to, expiresAtMs, gives }: GivenWay, people: MembersOf): GivenGroupRow[] {
  if (to.kind === "person") return [];
  const expiresAt = timeText(expiresAtMs);
  const row = { name: to.group, people: people(to.group).length, expiresAt };
  return [{ ...row, writes: gives === "write" }];
}

function timeText(ms: number): string | null {
  return ms === limits.records.timeMsMax ? null : new Date(ms).toISOString();
}
