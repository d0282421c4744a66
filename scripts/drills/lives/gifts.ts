/**
 * What is given away in a life, to read or to write, and taken back: who has to see what, and what
 * nobody is owed any more. A folder goes by its number, wherever it was moved.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../../src/base/random.ts";
import type { Ran } from "../../../test/support/cli.ts";
import { type MountUser, wordsBelow } from "../../../test/support/mount-user.ts";
import type { LifeTown, Person } from "./town.ts";
import { must } from "../machine.ts";

/** Of one life: each is a folder that is looked at every few seconds. */
const giftsMax = 5;

interface Gift {
  readonly to: Person;
  /** What it is called where it was taken up. */
  readonly name: string;
  readonly ino: number;
  readonly writes: boolean;
  /** What was written in it by whom it was given to. */
  readonly words: Set<string>;
  /** Once it was taken back: all that had been written by then. */
  before: ReadonlySet<string> | undefined;
}

export class Gifts {
  readonly #town: LifeTown;
  readonly #user: MountUser;
  readonly #random: Random;
  readonly #folder: string;
  readonly #name: string;
  readonly #gifts: Gift[] = [];
  /** Written by somebody who was shut out before it came in. */
  readonly waived = new Set<string>();

  /** Of a life that is lived in this folder of the first device. */
  constructor(
    parts: { readonly town: LifeTown; readonly user: MountUser; readonly random: Random },
    { folder, name }: { readonly folder: string; readonly name: string },
  ) {
    this.#town = parts.town;
    this.#user = parts.user;
    this.#random = parts.random;
    this.#folder = folder;
    this.#name = name;
  }

  get #open(): readonly Gift[] {
    return this.#gifts.filter(({ before }) => before === undefined);
  }

  /** Any folder to anybody; answers what it was. */
  async give(): Promise<string> {
    const folders = quietly(() => [this.#folder, ...foldersBelow(this.#folder)]) ?? [];
    const path = folders[this.#random.below(Math.max(1, folders.length))];
    const to = this.#town.others[this.#random.below(this.#town.others.length)] as Person;
    const writes = this.#random.below(2) === 0;
    const ino = path === undefined ? undefined : quietly(() => statSync(path).ino);
    if (path === undefined || ino === undefined) return "nothing";
    // Whoever was given it once has it under that name.
    const isKnown = this.#gifts.some((gift) => gift.ino === ino && gift.to === to);
    if (isKnown || this.#gifts.length >= giftsMax) return "nothing";
    const name = `${this.#name} ${this.#gifts.length}`;
    const how = writes ? ["--write"] : [];
    const grant = await this.#ask(ino, (there) => ["share", there, "--with", to.name, ...how]);
    if (grant === undefined) return "nothing";
    await must(to.machine, ["accept", grant.out.trim(), name]);
    this.#gifts.push({ to, name, ino, writes, words: new Set(), before: undefined });
    return `give ${path} to ${to.name} as ${name}${writes ? " to write" : ""}`;
  }

  async takeBack(): Promise<string> {
    const open = this.#open;
    const gift = open[this.#random.below(Math.max(1, open.length))];
    if (gift === undefined) return "nothing";
    const from = ["--from", gift.to.name];
    if (await this.#ask(gift.ino, (path) => ["revoke", path, ...from]) === undefined) return "nothing";
    gift.before = new Set(this.#user.written);
    const there = quietly(() => wordsBelow(this.#folder)) ?? new Set();
    for (const word of gift.words) if (!there.has(word)) this.waived.add(word);
    return `take ${gift.name} back from ${gift.to.name}`;
  }

  /** What somebody does in a folder that he may write. */
  act(): string {
    const writable = this.#open.filter(({ writes }) => writes);
    const gift = writable[this.#random.below(Math.max(1, writable.length))];
    const place = gift && placeOf(gift);
    if (gift === undefined || place === undefined || !isThere(place)) return "nothing";
    const before = new Set(this.#user.written);
    const what = this.#user.act(place);
    for (const word of this.#user.written) if (!before.has(word)) gift.words.add(word);
    return what;
  }

  /** All that was written by others is with peers. */
  async flush(): Promise<void> {
    const writing = new Set(this.#open.filter(({ writes }) => writes).map(({ to }) => to));
    for (const { machine } of writing) await must(machine, ["flush", "--timeout", "180"]);
    // In a folder that is gone nobody has anything any more.
    const gone = this.#open.filter((gift) => this.#pathOf(gift) === undefined);
    for (const { words } of gone) for (const word of words) this.waived.add(word);
  }

  /** What those do not see who may, or see who may not. */
  problems(): readonly string[] {
    return this.#gifts.flatMap((gift) => {
      const seen = quietly(() => wordsBelow(placeOf(gift)));
      return gift.before === undefined ? this.#unread(gift, seen) : stolen(gift, seen);
    });
  }

  /** So that the next life finds room. */
  async end(): Promise<void> {
    while (this.#open.some((gift) => this.#pathOf(gift) !== undefined)) await this.takeBack();
    for (const { to, name } of this.#gifts) await must(to.machine, ["shares", "forget", name]);
  }

  #unread(gift: Gift, seen: ReadonlySet<string> | undefined): readonly string[] {
    const path = this.#pathOf(gift);
    if (path === undefined) return [];
    const wanted = wordsBelow(path);
    const what = `${gift.to.name} in ${gift.name}`;
    const lacks = [...wanted].filter((word) => seen?.has(word) !== true);
    const more = [...seen ?? []].filter((word) => !wanted.has(word));
    return [
      ...(lacks.length === 0 ? [] : [`${what} lacks ${lacks.join(", ")}`]),
      ...(more.length === 0 ? [] : [`${what} still sees ${more.join(", ")}`]),
    ];
  }

  /** Something of a folder, of the first device; undefined when it is gone. */
  async #ask(ino: number, asked: (path: string) => readonly string[]): Promise<Ran | undefined> {
    for (;;) {
      const path = this.#pathOf({ ino });
      if (path === undefined) return undefined;
      const ran = await this.#town.desk.hive(asked(path));
      if (ran.code === 0) return ran;
      // Others may have moved it meanwhile.
      if (this.#pathOf({ ino }) === path) throw new Error(`${asked(path).join(" ")}: ${ran.error}`);
    }
  }

  /** Where it is by now on the first device; it may be gone. */
  #pathOf({ ino }: Pick<Gift, "ino">): string | undefined {
    const folders = quietly(() => [this.#folder, ...foldersBelow(this.#folder)]) ?? [];
    return folders.find((path) => quietly(() => statSync(path).ino) === ino);
  }
}

/** What was written since, and shown to one who was shut out. */
function stolen({ to, name, before }: Gift, seen: ReadonlySet<string> | undefined) {
  const found = [...seen ?? []].filter((word) => before?.has(word) !== true);
  return found.length === 0 ? [] : [`${to.name} was shut out of ${name}, and sees ${found.join(", ")}`];
}

function placeOf({ to, name }: Gift): string {
  return join(to.machine.mount, "Shared", name);
}

function isThere(place: string): boolean {
  return quietly(() => statSync(place).isDirectory()) === true;
}

function foldersBelow(root: string): readonly string[] {
  const folders = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.flatMap(({ name }) => [join(root, name), ...foldersBelow(join(root, name))]);
}

/** Names may go while they are looked at, and peers may not answer in time. */
export function quietly<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return undefined;
  }
}
