/**
 * The inboxes of all who are in groups of this user's. Each is a letter to one reader, which the
 * drive's holders keep; what it holds is what her groups give her, so whatever is shared with a
 * group comes to her by itself. Who is in no group any more is named by none: then holders refuse
 * her that, too, and once they all know it there is nothing more to tell.
 */
import { sharingKeys } from "../../base/book-keys.ts";
import { HiveError } from "../../base/errors.ts";
import { type PersonId, parseOwnerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Grant } from "../../base/sharing.ts";
import { type PersonKeys, sealGrant } from "../../crypt/records/grants.ts";
import { inboxIdOf, readerKeyOf, signGrant } from "../../crypt/records/share-records.ts";
import type { Contact } from "../people/contacts.ts";
import type { Groups } from "../people/groups.ts";
import { type InboxEntry, encodeInbox } from "../records/inbox-payload.ts";
import { personIdOf } from "../records/person-keys.ts";
import { Letters, type LettersNeeds } from "../telling/letters.ts";

const { grantPeersMax, inboxesMax } = limits.sharing;

export interface InboxesNeeds extends LettersNeeds {
  readonly person: PersonKeys;
  readonly groups: Groups;
  /** What the groups that she is in give somebody. */
  readonly inboxOf: (person: PersonId) => readonly InboxEntry[];
}

/** Of somebody who is in no group: no inbox, not even an empty one. */
const closed = Buffer.alloc(0);

export class Inboxes {
  readonly #needs: InboxesNeeds;
  readonly #letters: Letters<PersonId>;

  constructor(needs: InboxesNeeds) {
    this.#needs = needs;
    this.#letters = new Letters<PersonId>(needs, {
      prefix: sharingKeys.inbox, parse: parseOwnerId,
      shareOf: (person) => inboxIdOf(needs.keys.shareSecret, person),
    });
  }

  open(): Promise<void> {
    return this.#letters.open();
  }

  /** Before they come into a group: there are so many inboxes and no more. */
  async make(people: readonly PersonId[]): Promise<void> {
    const fresh = people.filter((person) => !this.#letters.has(person));
    if (this.#letters.size + fresh.length > inboxesMax) {
      throw new HiveError("Quota", "sharing.group", `${inboxesMax} people`);
    }
    for (const person of fresh) await this.#letters.keep(person);
  }

  /** What she needs once to find hers from then on. */
  grantFor({ person: to, sealPublic }: Contact): Grant {
    const { keys, person, members } = this.#needs;
    const share = inboxIdOf(keys.shareSecret, to);
    return signGrant(person, {
      from: personIdOf(person), to, owner: keys.owner, share, gives: "inbox", name: "groups",
      peers: members().slice(0, grantPeersMax),
      sealed: sealGrant(sealPublic, readerKeyOf(keys.shareSecret, share, to)),
    });
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const everybody = this.#needs.groups.everybody();
    // Another device may have put them there.
    for (const person of everybody) this.#letters.begin(person);
    for (const [person, letter] of this.#letters.all()) {
      const isOpen = everybody.has(person);
      const readers = isOpen ? [{ person, expiresAtMs: limits.records.timeMsMax }] : [];
      const payload = isOpen ? encodeInbox(this.#needs.inboxOf(person)) : closed;
      await letter.tell(readers, payload, signal);
      if (!isOpen && letter.isClosed) await this.#letters.end(person);
    }
    return "idle";
  }
}
