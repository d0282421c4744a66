/** What this user is answered about the folders of others that she takes up, and lets go of. */
import { HiveError, isFault, unreachable } from "../../base/errors.ts";
import { nameToText } from "../../base/ids.ts";
import type { SharingDuties } from "../../base/sharing.ts";
import { isLink, openLink } from "../records/link.ts";
import type { Source } from "../records/opened.ts";
import { parseGrantText } from "../records/payload.ts";
import type { OwnInboxes } from "./own-inboxes.ts";
import type { Taken } from "./taken.ts";
import type { Offered } from "./taking.ts";
import type { Wards } from "./wards.ts";

export type TakingDuties = Pick<SharingDuties, "accept" | "forget">;

export interface TakingRooms {
  readonly taken: Taken;
  readonly inboxes: OwnInboxes;
  readonly wards: Wards;
  /** What this user calls whoever gave it. */
  readonly nameOf: (from: Source) => string;
}

export function takingDuties(rooms: TakingRooms): TakingDuties {
  const { taken, inboxes, wards, nameOf } = rooms;
  return {
    accept: async (text, name, passphrase) => {
      const offered: Offered = isLink(text)
        ? await openLink(text, passphrase)
        : { grant: parseGrantText(text) };
      const { gives } = offered.grant;
      return { gives, name: await accept(rooms, offered, name) };
    },
    forget: async (name) => {
      const owner = inboxes.ownerOf(name, nameOf);
      try {
        await taken.forget(name);
      } catch (error) {
        // Folders come first: of two things of one name what can be seen is meant.
        if (!isFault(error, "NotFound")) throw error;
        if (await wards.forget(name)) return;
        if (owner === undefined) throw error;
        await inboxes.forget(owner);
      }
    },
  };
}

async function accept(
  { taken, inboxes, wards }: TakingRooms, offered: Offered, name: string | null,
): Promise<string | null> {
  const { grant, seed } = offered;
  const isPlain = seed === undefined;
  switch (grant.gives) {
    case "read":
    case "write": return nameToText(await taken.accept(offered, name));
    case "verify":
      if (isPlain) return await wards.accept(grant, name);
      throw new HiveError("Invalid", "sharing.accept", "a link to verify");
    case "inbox":
      // What comes into it has names of its own, and no link makes somebody who is in a group.
      if (!isPlain || name !== null) {
        throw new HiveError("Invalid", "sharing.accept", "a name for several folders");
      }
      await inboxes.accept(grant);
      await taken.want(grant.owner);
      return null;
    default: return unreachable(grant.gives);
  }
}
