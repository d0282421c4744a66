/**
 * People by the names that this user gives them, with what it takes to seal something to them. A
 * person's key comes from her own node and is believed by its hash, which her string holds.
 *
 *   c/PERSON  bytes name | X-Wing key
 */
import type { KeyValue } from "../base/blocks.ts";
import { Reader, Writer, asBuffer } from "../base/bytes.ts";
import { HiveError } from "../base/errors.ts";
import { type PersonId, parseOwnerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { ContactView } from "../base/sharing.ts";
import { sha256 } from "../crypt/sha256.ts";
import { xwingPublicBytes } from "../crypt/xwing.ts";
import { type PersonText, parsePerson } from "./person-text.ts";

const { contactsMax, nameBytesMax } = limits.sharing;

export interface Contact extends ContactView {
  readonly sealPublic: Buffer;
}

export interface ContactsNeeds {
  readonly books: KeyValue;
  /** The X-Wing key that a person's node tells. */
  readonly askKey: (person: PersonText) => Promise<Uint8Array>;
}

export class Contacts {
  readonly #needs: ContactsNeeds;
  readonly #contacts = new Map<string, Contact>();

  constructor(needs: ContactsNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [key, value] of this.#needs.books.list("c/")) {
      const reader = new Reader(value, "sharing.contact");
      const name = reader.bytes().toString();
      const sealPublic = Buffer.from(reader.raw(xwingPublicBytes));
      reader.end();
      this.#contacts.set(name, { name, person: parseOwnerId(key.slice(2)), sealPublic });
    }
  }

  all(): readonly Contact[] {
    return [...this.#contacts.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  has(name: string): boolean {
    return this.#contacts.has(name);
  }

  get(name: string): Contact {
    const found = this.#contacts.get(name);
    if (found !== undefined) return found;
    throw new HiveError("NotFound", "sharing.contact", name);
  }

  /** The name that this user knows the person by, or the beginning of her key. */
  nameOf(person: PersonId): string {
    const known = this.all().find((contact) => contact.person === person);
    return known?.name ?? `${person.slice(0, 16)} (no contact)`;
  }

  async add(name: string, text: string): Promise<Contact> {
    checkPetName(name);
    const told = parsePerson(text);
    const { person } = told;
    if (this.#contacts.has(name)) throw new HiveError("Exists", "sharing.contact", name);
    const known = this.all().find((contact) => contact.person === person);
    if (known !== undefined) throw new HiveError("Exists", "sharing.contact", known.name);
    const sealPublic = asBuffer(await this.#needs.askKey(told));
    const isKey = sealPublic.length === xwingPublicBytes;
    const isHers = isKey && sha256(sealPublic).equals(told.sealHash);
    if (!isHers) throw new HiveError("Corrupt", "sharing.contact", "not the key of that person");
    return this.#keep({ name, person, sealPublic });
  }

  async #keep(contact: Contact): Promise<Contact> {
    const { name, person, sealPublic } = contact;
    if (this.#contacts.size >= contactsMax) throw new HiveError("Quota", "sharing.contact", name);
    const value = new Writer(1500).bytes(Buffer.from(name)).raw(sealPublic).finish();
    await this.#needs.books.put(`c/${person}`, value);
    this.#contacts.set(name, contact);
    return contact;
  }

  /** The person whom a link makes: like any other, so that she can be shut out by a name. */
  async addLink(person: PersonId, sealPublic: Buffer): Promise<Contact> {
    return this.#keep({ name: `link ${person.slice(0, 8)}`, person, sealPublic });
  }

  async remove(name: string): Promise<void> {
    await this.#needs.books.delete(`c/${this.get(name).person}`);
    this.#contacts.delete(name);
  }
}

/** Of people and of groups: they are told apart by nothing else. */
export function checkPetName(name: string): void {
  const isRight = name !== "" && Buffer.byteLength(name) <= nameBytesMax && !/\p{Cc}/u.test(name);
  if (!isRight) throw new HiveError("Invalid", "sharing.contact", "name");
}
