/**
 * What this user is answered about people, groups, and the folders that they are given: names
 * become people here, and people names again. Contacts and groups have one set of names between
 * them, so that whoever shares with one of them says no more than that.
 */
import { HiveError } from "../../base/errors.ts";
import type { PersonId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import type { GroupQuestion, LinkQuestion, Loss, LossQuestion, SharingDuties }
  from "../../base/sharing.ts";
import type { GroupView } from "../../base/views/sharing.ts";
import { keyBytes } from "../../crypt/ciphers/keys.ts";
import { personKeysOf } from "../../crypt/records/grants.ts";
import { type Contacts, isBeginning } from "../people/contacts.ts";
import type { Groups } from "../people/groups.ts";
import { linkText } from "../records/link.ts";
import { grantText } from "../records/payload.ts";
import { personIdOf } from "../records/person-keys.ts";
import type { Given, GivenLoss } from "./given.ts";
import type { Inboxes } from "./inboxes.ts";
import type { Audience } from "./ways.ts";

export type GivingDuties = Pick<
  SharingDuties,
  | "contacts" | "addContact" | "removeContact" | "groups" | "join" | "leave" | "give" | "losses"
  | "revoke" | "link" | "folders" | "renewing" | "renewed"
>;

export interface GivingRooms {
  readonly random: Random;
  readonly contacts: Contacts;
  readonly groups: Groups;
  readonly given: Given;
  readonly inboxes: Inboxes;
}

export function givingDuties(rooms: GivingRooms): GivingDuties {
  const { contacts, groups, given } = rooms;
  const over = (): AbortSignal => AbortSignal.timeout(limits.sharing.revokeMs);
  return {
    contacts: async () => contacts.all().map(({ name, person }) => ({ name, person })),
    addContact: async (name, text) => {
      if (groups.has(name)) throw new HiveError("Exists", "sharing.contact", name);
      const { person } = await contacts.add(name, text);
      return { name, person };
    },
    removeContact: (name) => removeContact(rooms, name),
    groups: async () => groups.names().map((name) => groupView(rooms, name)),
    join: (asked) => join(rooms, asked),
    leave: async (asked) => {
      const people = membersOf(rooms, asked);
      await given.leave({ group: asked.group, people }, over());
    },
    give: async ({ who, ...asked }) => {
      if (!groups.has(who)) return grantText(await given.give(asked, contacts.get(who)));
      await given.giveGroup(asked, who);
      return null;
    },
    losses: async (asked) => losses(rooms, asked),
    revoke: ({ who, ...asked }) => given.revoke(asked, audienceOf(rooms, who), over()),
    link: (asked) => makeLink(rooms, asked),
    folders: async () => given.folders(),
    renewing: () => given.renewing(),
    renewed: (path) => given.renewed(path),
  };
}

function groupView({ contacts, groups, given }: GivingRooms, name: string): GroupView {
  const people = groups.people(name).map((person) => contacts.nameOf(person)).sort();
  return { name, people, folders: given.foldersOf({ kind: "group", group: name }) };
}

/** By that name she is taken out of a group, and shut out of a folder. */
async function removeContact(
  { contacts, groups, given }: GivingRooms, name: string,
): Promise<void> {
  const { person } = contacts.get(name);
  const group = groups.groupOf(person);
  if (group !== undefined) throw new HiveError("Busy", "sharing.contact", `in the group ${group}`);
  const [folder] = given.foldersOf({ kind: "person", person });
  if (folder !== undefined) throw new HiveError("Busy", "sharing.shared", `${folder} with ${name}`);
  await contacts.remove(name);
}

async function join(
  { contacts, given, inboxes }: GivingRooms, { group, people }: GroupQuestion,
): Promise<readonly string[]> {
  if (contacts.has(group)) throw new HiveError("Exists", "sharing.group", group);
  const joining = people.map((name) => contacts.get(name));
  const ids = joining.map(({ person }) => person);
  await inboxes.make(ids);
  await given.join({ group, people: ids });
  return joining.map((contact) => grantText(inboxes.grantFor(contact)));
}

function losses(rooms: GivingRooms, asked: LossQuestion): readonly Loss[] {
  const { contacts, given } = rooms;
  const named = (loss: GivenLoss): Loss => {
    const from = loss.people.map((person) => contacts.nameOf(person)).join(", ");
    return { ino: loss.ino, path: loss.path, from };
  };
  if ("who" in asked) return given.lossesOf(asked.ino, audienceOf(rooms, asked.who)).map(named);
  const people = membersOf(rooms, asked);
  return given.lossesBy({ group: asked.group, people }).map(named);
}

/** NotFound for whoever is not in it: a mistyped name must not pass for done. */
function membersOf(
  { contacts, groups }: GivingRooms, { group, people }: GroupQuestion,
): readonly PersonId[] {
  if (!groups.has(group)) throw new HiveError("NotFound", "sharing.group", group);
  return people.map((name) => {
    const { person } = contacts.get(name);
    if (groups.people(group).includes(person)) return person;
    throw new HiveError("NotFound", "sharing.group", `${name} in ${group}`);
  });
}

function audienceOf({ contacts, groups, given }: GivingRooms, who: string): Audience {
  if (groups.has(who)) return { kind: "group", group: who };
  if (contacts.has(who)) return { kind: "person", person: contacts.get(who).person };
  // Another device may have removed the contact, and she is shown without a name.
  const nameless = given.people().find((person) => isBeginning(who, person));
  return { kind: "person", person: nameless ?? contacts.get(who).person };
}

async function makeLink(
  { random, given, contacts }: GivingRooms, { passphrase, ...asked }: LinkQuestion,
): Promise<string> {
  const seed = random.bytes(keyBytes);
  const keys = personKeysOf(seed);
  const contact = await contacts.addLink(personIdOf(keys), keys.sealPublic);
  return linkText({ seed, grant: await given.give(asked, contact) }, passphrase, random);
}
