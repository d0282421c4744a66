/**
 * Things that come and go without end, as ties that do not grow without end. Such a thing lies in a
 * slot of the device that made it, and has an id that no other one ever has; its parts are under
 * that id. A slot is used again once what was in it is gone, and remembers only how often that was:
 * whoever comes with an older state has the older stamp. So a thing that is gone stays so, and what
 * belongs to something that lies in no slot is dropped, whoever brings it back. Pure.
 *
 *   g/PEER/SLOT and m/PEER/SLOT  u8 version | id (16) | what it is (given-ties.ts, groups.ts)
 */
import { tieKeys } from "../../base/book-keys.ts";
import { HiveError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { Ties } from "../../dag/ties.ts";

export const idBytes = 16;

/** Which parts belong to what lies in these slots. */
const partsOf = [
  { slots: tieKeys.given, parts: [tieKeys.way, tieKeys.right, tieKeys.guestDevices] },
  { slots: tieKeys.group, parts: [tieKeys.member] },
] as const;

/** Of this device, under this prefix; Quota where it has used all of them. */
export function freeSlot(
  tied: { get(key: string): unknown }, prefix: string,
  { self, slotsMax }: { readonly self: PeerId; readonly slotsMax: number },
): string {
  for (let slot = 0; slot < slotsMax; slot++) {
    const key = `${prefix}${self}/${slot}`;
    if (tied.get(key) === undefined) return key;
  }
  throw new HiveError("Quota", "sharing.slot", `${slotsMax} at a time`);
}

/** The same ties where there are none. */
export function withoutOrphans(ties: Ties): Ties {
  const isOrphan = orphanIn(ties);
  const orphans = [...ties.keys()].filter(isOrphan);
  if (orphans.length === 0) return ties;
  const staying = new Map(ties);
  for (const key of orphans) staying.delete(key);
  return staying;
}

function orphanIn(ties: Ties): (key: string) => boolean {
  const ids = new Set<string>();
  for (const [key, { value }] of ties) {
    const found = partsOf.find(({ slots }) => key.startsWith(slots));
    if (found === undefined || value === undefined) continue;
    // Whatever version wrote it: the id stands behind its number.
    const id = value.toString("hex", 1, 1 + idBytes);
    for (const prefix of found.parts) ids.add(`${prefix}${id}/`);
  }
  const prefixes = partsOf.flatMap(({ parts }) => parts);
  return (key) => {
    const prefix = prefixes.find((one) => key.startsWith(one));
    return prefix !== undefined && !ids.has(key.slice(0, prefix.length + 2 * idBytes + 1));
  };
}
