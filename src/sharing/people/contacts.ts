/**
 * People by the names that this user gives them, with what it takes to seal something to them. A
 * person's key comes from her own node and is believed by its hash, which her string holds. They
 * are ties: every device of the drive has them.
 *
 *   c/PERSON  bytes name | X-Wing key
 */
import type { KeyValue } from "../../base/blocks.ts";
import { sharingKeys, tieKeys } from "../../base/book-keys.ts";
import { Reader, Writer, asBuffer } from "../../base/bytes.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { type PersonId, parseOwnerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { ContactView } from "../../base/views/sharing.ts";
import { sha256 } from "../../crypt/ciphers/sha256.ts";
import { xwingPublicBytes } from "../../crypt/ciphers/xwing.ts";
import { type PersonText, parsePerson } from "../records/person-text.ts";
import { type Named, apart } from "../ties/names-apart.ts";
import type { Tied } from "../ties/tied.ts";

const { contactsMax, nameBytesMax } = limits.sharing;
/** Of a person without a name. */
const keyCharsShown = 16;

export interface Contact extends ContactView {
  readonly sealPublic: Buffer;
}

export interface ContactsNeeds {
  readonly books: KeyValue;
  readonly tied: Tied;
  readonly log: Log;
  /** Who this user is; a device without the words knows nobody anew, and does not say. */
  readonly own?: PersonId;
  /** The X-Wing key that a person's node tells. */
  readonly askKey: (person: PersonText) => Promise<Uint8Array>;
}

export class Contacts {
  readonly #needs: ContactsNeeds;
  #known: readonly Contact[] = [];
  #version = -1;

  constructor(needs: ContactsNeeds) {
    this.#needs = needs;
  }

  /** What an older version kept in books of this machine alone becomes the drive's. */
  async open(): Promise<void> {
    const { books, tied } = this.#needs;
    for await (const [key, value] of books.list(sharingKeys.contact)) {
      const isNews = tied.get(key) === undefined && !tied.isGone(key);
      if (isNews) await tied.put([[key, asBuffer(value)]]);
      await books.delete(key);
    }
  }

  /** By name; two devices may have given one name to two people. */
  all(): readonly Contact[] {
    const { tied } = this.#needs;
    if (this.#version === tied.version) return this.#known;
    const found = tied.list(tieKeys.contact).flatMap(([key, value]) => this.#read(key, value));
    const named = apart(found.map((of): Named<Contact> => ({ name: of.name, of })));
    const all = named.map(({ name, of }): Contact => ({ ...of, name }));
    this.#known = all.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#version = tied.version;
    return this.#known;
  }

  has(name: string): boolean {
    return this.all().some((contact) => contact.name === name);
  }

  get(name: string): Contact {
    const found = this.all().find((contact) => contact.name === name);
    if (found !== undefined) return found;
    throw new HiveError("NotFound", "sharing.contact", name);
  }

  /** The name that this user knows the person by, or the beginning of her key. */
  nameOf(person: PersonId): string {
    const known = this.all().find((contact) => contact.person === person);
    return known?.name ?? `${person.slice(0, keyCharsShown)} (no contact)`;
  }

  async add(name: string, text: string): Promise<Contact> {
    checkPetName(name);
    const told = parsePerson(text);
    const { person } = told;
    if (person === this.#needs.own) {
      throw new HiveError("Invalid", "sharing.self", "that string is your own");
    }
    if (this.has(name)) throw new HiveError("Exists", "sharing.contact", name);
    const known = this.all().find((contact) => contact.person === person);
    if (known !== undefined) {
      throw new HiveError("Exists", "sharing.contact", `that person is ${known.name}`);
    }
    const sealPublic = asBuffer(await this.#needs.askKey(told));
    const isKey = sealPublic.length === xwingPublicBytes;
    const isHers = isKey && sha256(sealPublic).equals(told.sealHash);
    if (!isHers) throw new HiveError("Corrupt", "sharing.contact", "not the key of that person");
    return this.#keep({ name, person, sealPublic });
  }

  async #keep(contact: Contact): Promise<Contact> {
    const { name, person, sealPublic } = contact;
    if (this.all().length >= contactsMax) throw new HiveError("Quota", "sharing.contact", name);
    const value = new Writer(1500).bytes(Buffer.from(name)).raw(sealPublic).finish();
    await this.#needs.tied.put([[tieKeys.contact + person, value]]);
    return contact;
  }

  /** The person whom a link makes: like any other, so that she can be shut out by a name. */
  async addLink(person: PersonId, sealPublic: Buffer): Promise<Contact> {
    return this.#keep({ name: `link ${person.slice(0, 8)}`, person, sealPublic });
  }

  async remove(name: string): Promise<void> {
    await this.#needs.tied.put([[tieKeys.contact + this.get(name).person, undefined]]);
  }

  #read(key: string, value: Buffer): readonly Contact[] {
    try {
      const reader = new Reader(value, "sharing.contact");
      const name = reader.bytes().toString();
      const sealPublic = Buffer.from(reader.raw(xwingPublicBytes));
      reader.end();
      checkPetName(name);
      return [{ name, person: parseOwnerId(key), sealPublic }];
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.warn("sharing.contact", { key, why: describe(error) });
      return [];
    }
  }
}

/** Whether a text is as much of a person's key as is shown, or more. */
export function isBeginning(text: string, person: PersonId): boolean {
  return text.length >= keyCharsShown && person.startsWith(text);
}

/** Of people and of groups: they are told apart by nothing else. */
export function checkPetName(name: string): void {
  const isRight = name !== "" && Buffer.byteLength(name) <= nameBytesMax && !/\p{Cc}/u.test(name);
  if (isRight) return;
  const words = `a name has 1 to ${nameBytesMax} bytes, and no control characters`;
  throw new HiveError("Invalid", "sharing.contact", words);
}
