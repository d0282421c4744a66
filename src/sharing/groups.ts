/**
 * Named sets of contacts. A group is this user's own word for some people: nobody else learns its
 * name, and to holders there are none. What it is good for is that folders are shared with whoever
 * is in it (ways.ts), and that its people find them in their inboxes (inboxes.ts).
 *
 *   m/HASH  u8 version 1 | bytes name | varint people, each 32 bytes; HASH is SHA-256 of the name
 */
import type { KeyValue } from "../base/blocks.ts";
import { sharingKeys } from "../base/book-keys.ts";
import { Reader, Writer } from "../base/bytes.ts";
import { HiveError } from "../base/errors.ts";
import { type PersonId, parseOwnerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { publicKeyBytes } from "../crypt/ed25519.ts";
import { sha256 } from "../crypt/sha256.ts";
import { checkPetName } from "./contacts.ts";

const { groupsMax, readersMax } = limits.sharing;
const version = 1;

export class Groups {
  readonly #books: KeyValue;
  readonly #groups = new Map<string, readonly PersonId[]>();

  constructor({ books }: { readonly books: KeyValue }) {
    this.#books = books;
  }

  async open(): Promise<void> {
    for await (const [, value] of this.#books.list(sharingKeys.group)) {
      const { name, people } = decodeGroup(value);
      this.#groups.set(name, people);
    }
  }

  names(): readonly string[] {
    return [...this.#groups.keys()].sort();
  }

  has(name: string): boolean {
    return this.#groups.has(name);
  }

  /** Nobody, where there is no such group. */
  readonly people = (name: string): readonly PersonId[] => this.#groups.get(name) ?? [];

  /** Everybody who is in any. */
  everybody(): ReadonlySet<PersonId> {
    return new Set([...this.#groups.values()].flat());
  }

  /** The name of a group that somebody is in. */
  groupOf(person: PersonId): string | undefined {
    return this.names().find((name) => this.people(name).includes(person));
  }

  /** Makes the group if there is none. */
  async add(name: string, people: readonly PersonId[]): Promise<void> {
    checkPetName(name);
    const all = [...new Set([...this.people(name), ...people])];
    if (all.length > readersMax) throw new HiveError("Quota", "sharing.group", name);
    const isNew = !this.has(name);
    if (isNew && this.#groups.size >= groupsMax) {
      throw new HiveError("Quota", "sharing.group", `${groupsMax} groups`);
    }
    await this.#keep(name, all);
  }

  /** A group without anybody is forgotten unless something is shared with it. */
  async remove(
    name: string, people: readonly PersonId[], { stays }: { readonly stays: boolean },
  ): Promise<void> {
    const all = this.people(name).filter((person) => !people.includes(person));
    if (all.length > 0 || stays) return await this.#keep(name, all);
    await this.#books.delete(keyOf(name));
    this.#groups.delete(name);
  }

  async #keep(name: string, people: readonly PersonId[]): Promise<void> {
    await this.#books.put(keyOf(name), encodeGroup({ name, people }));
    this.#groups.set(name, people);
  }
}

interface Group {
  readonly name: string;
  readonly people: readonly PersonId[];
}

function keyOf(name: string): string {
  return sharingKeys.group + sha256(Buffer.from(name)).toString("hex");
}

function encodeGroup({ name, people }: Group): Buffer {
  const writer = new Writer().u8(version).bytes(Buffer.from(name)).varint(people.length);
  for (const person of people) writer.hex(person);
  return writer.finish();
}

function decodeGroup(value: Uint8Array): Group {
  const reader = new Reader(value, "sharing.group");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const name = reader.bytes().toString();
  const people = Array.from({ length: reader.varint() }, () => {
    return parseOwnerId(reader.hex(publicKeyBytes));
  });
  reader.end();
  return { name, people };
}
