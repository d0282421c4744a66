/**
 * Sharing on a coded device, which was let in by a code and has not the drive's words: it shows the
 * folders that its person was given, what she gives, and whom she knows, and changes none of it.
 * What it lives on is in coded-ties.ts. From the moment that it hears that it was removed it shows
 * none of what others gave, and acts for nobody.
 */
import { HiveError } from "../../base/errors.ts";
import type { PersonId } from "../../base/ids.ts";
import { Contacts } from "../people/contacts.ts";
import { Groups } from "../people/groups.ts";
import type { Sharing, SharingNeeds } from "../sharing.ts";
import { Taken } from "../taken/taken.ts";
import { unprovenSeals } from "../ties/tie-seals.ts";
import { Tied } from "../ties/tied.ts";
import { CodedGiven } from "./coded-given.ts";
import { Coded } from "./coded.ts";

type Unneeded = "keys" | "person" | "guests" | "connect" | "transfer";

export interface CodedSharingNeeds extends Omit<SharingNeeds, Unneeded> {
  /** This device was shut out of the drive. */
  readonly isRemoved: () => boolean;
}

export async function openCodedSharing(needs: CodedSharingNeeds): Promise<Sharing> {
  const { isRemoved, network: { self } } = needs;
  const tied = new Tied({ ...needs, self, seals: unprovenSeals });
  const ours = { ...needs, tied, self };
  const contacts = new Contacts({ ...ours, askKey: refuse });
  const coded = new Coded(ours);
  const groups = new Groups(ours);
  const nameOf = (person: PersonId): string => contacts.nameOf(person);
  const given = new CodedGiven({ ...ours, groups, nameOf });
  const taken = new Taken({
    ...ours, person: undefined, guests: { open: refuse, end: refuse }, isGone: () => false,
    offers: () => coded.offers(), halt: () => coded.halt,
  });
  await tied.open();
  if (!isRemoved()) await taken.open();
  return {
    ...refusals,
    areGuests: false,
    steps: [
      { name: "sharing.tied", step: () => tied.step() },
      {
        name: "sharing.taken",
        step: async (signal) => isRemoved() ? await taken.close() : await taken.step(signal),
      },
    ],
    certificates() {
      const { mandate } = coded;
      if (isRemoved()) return [];
      return [...(mandate === undefined ? [] : [mandate]), ...taken.certificates()];
    },
    flush: async () => undefined,
    fetch: (cid, options) => taken.fetch(cid, options),
    wards: () => taken.wards(),
    tied: ({ bytes, isOurs }) => tied.hear(bytes, { isOurs }),
    contacts: async () => contacts.all().map(({ name, person }) => ({ name, person })),
    groups: async () => given.groups(),
    folders: async () => given.folders(),
    list: async () => ({
      given: given.list(), taken: taken.list(({ from }) => nameOf(from)),
      inboxes: [], wards: [], withdrawals: [],
      coded: { readsUntil: isRemoved() ? null : timeText(coded.mandate?.expiresAtMs) },
    }),
  };
}

/** All of it takes the person's keys, or is what those have to do who have them. */
const refusals: Omit<Sharing, "areGuests" | "steps" | "certificates" | "flush" | "fetch" | "wards"
  | "tied" | "contacts" | "groups" | "folders" | "list"> = {
  me: refuse, addContact: refuse, removeContact: refuse, join: refuse,
  leave: refuse, give: refuse, link: refuse, losses: refuse, revoke: refuse, accept: refuse,
  forget: refuse, withdrew: refuse, dropped: refuse, renewed: refuse,
  resealed: async () => undefined, renewing: async () => [],
};

async function refuse(): Promise<never> {
  const why = "this device was let in by a code and has not the drive's words";
  throw new HiveError("Denied", "sharing.words", why);
}

function timeText(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
