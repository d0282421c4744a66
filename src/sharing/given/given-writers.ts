/** Which keys the record of a folder names as writers': holders take what they sign. Pure. */
import type { ShareId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { ShareWriter } from "../../base/sharing.ts";
import type { RightPlace, WriteRight } from "../../crypt/drive/write-right.ts";
import { type Roster, devicesIn } from "../records/roster.ts";
import { rightFor } from "./given-keys.ts";
import type { GivenReader } from "./readers.ts";

/** The further devices of one who may write. */
export type DevicesOf = (place: RightPlace) => Roster;

const { readersMax } = limits.sharing;

/**
 * The rights that were given first, then what their people list their devices by, then these: a
 * record has room for so many, and whoever is not named with a list has one device.
 */
export function namedWriters(
  guests: readonly GivenReader[],
  { share, shareSecret, devicesOf }: {
    readonly share: ShareId; readonly shareSecret: Uint8Array; readonly devicesOf: DevicesOf;
  },
): readonly ShareWriter[] {
  const all = guests.map(({ person, right: number, writesUntilMs: expiresAtMs }) => {
    const place = { share, person, number };
    const right = rightFor(shareSecret, place);
    const named = (one: WriteRight): ShareWriter => ({ writer: one.keys.owner, expiresAtMs });
    const further = devicesIn(devicesOf(place)).map((peer) => named(right.of(peer)));
    return { own: named(right), roster: named(right.roster()), further };
  });
  const own = all.map((one) => one.own);
  const rosters = all.map(({ roster }) => roster);
  return [...own, ...rosters, ...all.flatMap(({ further }) => further)].slice(0, readersMax);
}
