/** What this user is answered about the folders of others that she takes up, and lets go of. */
import { HiveError, isFault } from "../base/errors.ts";
import { nameToText } from "../base/ids.ts";
import type { SharingDuties } from "../base/sharing.ts";
import { isLink, openLink } from "./link.ts";
import type { Source } from "./opened.ts";
import type { OwnInboxes } from "./own-inboxes.ts";
import { parseGrantText } from "./payload.ts";
import type { Taken } from "./taken.ts";
import type { Offered } from "./taking.ts";

export type TakingDuties = Pick<SharingDuties, "accept" | "forget">;

export interface TakingRooms {
  readonly taken: Taken;
  readonly inboxes: OwnInboxes;
  /** What this user calls whoever gave it. */
  readonly nameOf: (from: Source) => string;
}

export function takingDuties({ taken, inboxes, nameOf }: TakingRooms): TakingDuties {
  return {
    accept: async (text, name, passphrase) => {
      const offered: Offered = isLink(text)
        ? await openLink(text, passphrase)
        : { grant: parseGrantText(text) };
      const { grant, seed } = offered;
      if (grant.gives !== "inbox") return nameToText(await taken.accept(offered, name));
      // What comes into an inbox has names of its own, and no link makes who is in a group.
      const isPlain = seed === undefined && name === null;
      if (!isPlain) throw new HiveError("Invalid", "sharing.accept", "a name for several folders");
      await inboxes.accept(grant);
      await taken.want(grant.owner);
      return null;
    },
    forget: async (name) => {
      const owner = inboxes.ownerOf(name, nameOf);
      try {
        await taken.forget(name);
      } catch (error) {
        // Folders come first: of two things of one name what can be seen is meant.
        if (owner === undefined || !isFault(error, "NotFound")) throw error;
        await inboxes.forget(owner);
      }
    },
  };
}
