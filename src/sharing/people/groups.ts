/**
 * Named sets of contacts. A group is this user's own word for some people: nobody else learns its
 * name, and to holders there are none. What it is good for is that folders are shared with whoever
 * is in it (ways.ts), and that its people find them in their inboxes (inboxes.ts). Groups are ties:
 * every device of the drive has them. Where two devices made one of the same name it is one group.
 *
 *   m/PEER/SLOT     u8 version 1 | group (16) | bytes name
 *   n/GROUP/PERSON  u8 version 1
 */
import type { KeyValue } from "../../base/blocks.ts";
import { sharingKeys, tieKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { type PeerId, type PersonId, parseOwnerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import { publicKeyBytes } from "../../crypt/ciphers/ed25519.ts";
import { freeSlot, idBytes } from "../ties/slots.ts";
import type { TieChange, Tied } from "../ties/tied.ts";
import { checkPetName } from "./contacts.ts";

const { groupsMax, readersMax } = limits.sharing;
const version = 1;

export interface GroupsNeeds {
  readonly books: KeyValue;
  readonly tied: Tied;
  readonly random: Random;
  readonly log: Log;
  /** This device. */
  readonly self: PeerId;
}

/** Of one name, however many devices made it. */
interface Group {
  readonly entries: readonly { readonly key: string; readonly id: string }[];
  readonly people: readonly PersonId[];
}

export class Groups {
  readonly #needs: GroupsNeeds;
  #known: ReadonlyMap<string, Group> = new Map();
  #version = -1;

  constructor(needs: GroupsNeeds) {
    this.#needs = needs;
  }

  /** What an older version kept in books of this machine alone becomes the drive's. */
  async open(): Promise<void> {
    const { books, tied } = this.#needs;
    for await (const [key, value] of books.list(sharingKeys.group)) {
      const { name, people } = decodeOlderGroup(value);
      await tied.put(this.adding(name, people));
      await books.delete(key);
    }
  }

  names(): readonly string[] {
    return [...this.#all().keys()].sort();
  }

  has(name: string): boolean {
    return this.#all().has(name);
  }

  /** Nobody, where there is no such group. */
  readonly people = (name: string): readonly PersonId[] => this.#all().get(name)?.people ?? [];

  /** Everybody who is in any. */
  everybody(): ReadonlySet<PersonId> {
    return new Set([...this.#all().values()].flatMap(({ people }) => people));
  }

  /** The name of a group that somebody is in. */
  groupOf(person: PersonId): string | undefined {
    return this.names().find((name) => this.people(name).includes(person));
  }

  /** What makes the group if there is none, and lets them in. */
  adding(name: string, people: readonly PersonId[]): readonly TieChange[] {
    checkPetName(name);
    const all = new Set([...this.people(name), ...people]);
    if (all.size > readersMax) throw new HiveError("Quota", "sharing.group", name);
    const known = this.#all().get(name)?.entries[0];
    const fresh = known === undefined ? this.#fresh(name) : undefined;
    const { id } = known ?? fresh as { readonly id: string };
    const coming = people.filter((person) => !this.people(name).includes(person));
    const members = coming.map((person): TieChange => [memberKey(id, person), member]);
    return [...fresh?.changes ?? [], ...members];
  }

  /** A group without anybody is forgotten unless something is shared with it. */
  removing(
    name: string, people: readonly PersonId[], { stays }: { readonly stays: boolean },
  ): readonly TieChange[] {
    const { entries = [] } = this.#all().get(name) ?? {};
    const left = this.people(name).filter((person) => !people.includes(person));
    if (left.length === 0 && !stays) return entries.map(({ key }): TieChange => [key, undefined]);
    return entries.flatMap(({ id }) => {
      return people.map((person): TieChange => [memberKey(id, person), undefined]);
    });
  }

  #fresh(name: string): { readonly id: string; readonly changes: readonly TieChange[] } {
    const { tied, random, self } = this.#needs;
    if (this.#all().size >= groupsMax) {
      throw new HiveError("Quota", "sharing.group", `${groupsMax} groups`);
    }
    const id = random.bytes(idBytes).toString("hex");
    const key = freeSlot(tied, tieKeys.group, { self, slotsMax: groupsMax });
    const value = new Writer(64).u8(version).hex(id).bytes(Buffer.from(name)).finish();
    return { id, changes: [[key, value]] };
  }

  #all(): ReadonlyMap<string, Group> {
    const { tied } = this.#needs;
    if (this.#version === tied.version) return this.#known;
    const groups = new Map<string, Group>();
    const members = this.#members();
    for (const [rest, value] of tied.list(tieKeys.group)) {
      const key = tieKeys.group + rest;
      const found = this.#read(key, () => groupIn(value));
      if (found === undefined) continue;
      const { entries, people } = groups.get(found.name) ?? { entries: [], people: [] };
      groups.set(found.name, {
        entries: [...entries, { key, id: found.id }],
        people: [...new Set([...people, ...members.get(found.id) ?? []])],
      });
    }
    this.#version = tied.version;
    this.#known = groups;
    return groups;
  }

  #members(): ReadonlyMap<string, readonly PersonId[]> {
    const all = new Map<string, PersonId[]>();
    for (const [rest] of this.#needs.tied.list(tieKeys.member)) {
      const id = rest.slice(0, 2 * idBytes);
      const person = this.#read(tieKeys.member + rest, () => {
        return parseOwnerId(rest.slice(2 * idBytes + 1));
      });
      if (person !== undefined) all.set(id, [...all.get(id) ?? [], person]);
    }
    return all;
  }

  /** Another device wrote it, and may have written anything. */
  #read<T>(key: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.warn("sharing.group-tie", { key, why: describe(error) });
      return undefined;
    }
  }
}

const member = Buffer.from([version]);

function memberKey(id: string, person: PersonId): string {
  return `${tieKeys.member}${id}/${person}`;
}

function groupIn(value: Buffer): { readonly id: string; readonly name: string } {
  const reader = new Reader(value, "sharing.group-tie");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const id = reader.hex(idBytes);
  const name = reader.bytes().toString();
  reader.end();
  checkPetName(name);
  return { id, name };
}

/** m/HASH  u8 version 1 | bytes name | varint people, each 32 bytes */
function decodeOlderGroup(
  value: Uint8Array,
): { readonly name: string; readonly people: readonly PersonId[] } {
  const reader = new Reader(value, "sharing.group");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const name = reader.bytes().toString();
  const people = Array.from({ length: reader.varint() }, () => {
    return parseOwnerId(reader.hex(publicKeyBytes));
  });
  reader.end();
  return { name, people };
}
