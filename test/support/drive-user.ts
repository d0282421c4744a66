/**
 * Who uses a drive's tree at random, as people and their programs do: makes, writes, saves as editors
 * save, moves, links and removes. It keeps account of what nobody may lose: every content that was
 * written, and those which somebody who saw them gave up.
 */
import { isFault } from "../../src/base/errors.ts";
import type { FileSystem } from "../../src/base/filesystem.ts";
import { type Ino, type Name, parseName, rootIno } from "../../src/base/ids.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { listDirectory, nobody, readFile, walkTree } from "./walk.ts";

const flags = { read: true, write: true, append: false, truncate: false, exclusive: false };

/** Where somebody acts. */
interface Place {
  readonly tree: Tree;
}

export class DriveUser {
  /** Contents that somebody who saw them wrote over or removed. */
  readonly given = new Set<string>();
  readonly written = new Set<string>();
  readonly #random: Random;
  #next = 0;

  constructor(seed: string) {
    this.#random = seededRandom(`merge devices ${seed}`);
  }

  /** One act of a user, drawn at random. */
  async act(device: Place): Promise<void> {
    const random = this.#random;
    const acts = [
      this.#write, this.#write, this.#make, this.#make, this.#save, this.#folder, this.#move,
      this.#move, this.#remove, this.#link, this.#mode, this.#replace, this.#exchange, this.#empty,
      this.#note, this.#symlink, this.#keep, this.#restore,
    ];
    const act = acts[random.below(acts.length)] as (device: Place) => Promise<void>;
    try {
      await act.call(this, device);
    } catch (error) {
      // What a program may meet in any drive: a folder moved into itself, a name that is taken.
      if (!isFault(error)) throw error;
    }
  }

  readonly #make = async ({ tree }: Place): Promise<void> => {
    const folder = await this.#anyFolder(tree);
    await this.fill(tree, folder, this.#anyName());
  };

  /** As editors save: a new file takes the old one's name. */
  readonly #save = async ({ tree }: Place): Promise<void> => {
    const old = await this.#anyFile(tree);
    if (old === undefined) return;
    const temporary = parseName(`.${old.name}.tmp${this.#next++}`.slice(0, 100));
    await this.fill(tree, old.parent, temporary);
    await this.giveUp(tree, old.ino);
    await tree.rename(nobody, { parent: old.parent, name: temporary }, old, "replace");
  };

  readonly #write = async ({ tree }: Place): Promise<void> => {
    const file = await this.#anyFile(tree);
    if (file === undefined) return;
    await this.giveUp(tree, file.ino, { isWrittenOver: true });
    const handle = await tree.open(nobody, file.ino, { ...flags, truncate: true });
    await this.putWord(tree, handle);
  };

  readonly #folder = async ({ tree }: Place): Promise<void> => {
    const parent = await this.#anyFolder(tree);
    await tree.mkdir(nobody, { parent, name: this.#anyName() }, { mode: 0o755 });
  };

  readonly #move = async ({ tree }: Place): Promise<void> => {
    const from = await this.#anyOf(tree, () => true);
    if (from === undefined) return;
    const to = { parent: await this.#anyFolder(tree), name: this.#anyName() };
    await tree.rename(nobody, from, to, "noreplace");
  };

  readonly #remove = async ({ tree }: Place): Promise<void> => {
    const at = await this.#anyOf(tree, () => true);
    if (at === undefined) return;
    if (at.isFolder) return void (await tree.rmdir(nobody, at));
    await this.giveUp(tree, at.ino);
    await tree.unlink(nobody, at);
  };

  readonly #link = async ({ tree }: Place): Promise<void> => {
    const file = await this.#anyFile(tree);
    if (file === undefined) return;
    const place = { parent: await this.#anyFolder(tree), name: this.#anyName() };
    await tree.link(nobody, file.ino, place);
  };

  readonly #mode = async ({ tree }: Place): Promise<void> => {
    const at = await this.#anyOf(tree, () => true);
    if (at === undefined) return;
    await tree.setattr(nobody, at.ino, { mode: 0o600 + this.#random.below(64) });
  };

  /** Over what has the name, be it a file or an empty folder. */
  readonly #replace = async ({ tree }: Place): Promise<void> => {
    const [from, over] = [await this.#anyOf(tree, () => true), await this.#anyOf(tree, () => true)];
    if (from === undefined || over === undefined || from.ino === over.ino) return;
    if (over.isFile && !from.isFolder) await this.giveUp(tree, over.ino);
    await tree.rename(nobody, from, over, "replace");
  };

  readonly #exchange = async ({ tree }: Place): Promise<void> => {
    const [one, other] = [await this.#anyOf(tree, () => true), await this.#anyOf(tree, () => true)];
    if (one === undefined || other === undefined) return;
    await tree.rename(nobody, one, other, "exchange");
  };

  /** A folder with all that is in it, as `rm -r` does. */
  readonly #empty = async ({ tree }: Place): Promise<void> => {
    const folder = await this.#anyOf(tree, ({ isFolder }) => isFolder);
    if (folder === undefined || this.#random.below(2) === 0) return;
    const all = await allIn(tree, folder.ino);
    for (const one of all.reverse()) {
      if (one.isFile) await this.giveUp(tree, one.ino);
      await (one.isFolder ? tree.rmdir(nobody, one) : tree.unlink(nobody, one));
    }
    await tree.rmdir(nobody, folder);
  };

  /** In the inode or, where it is large, in a block of its own. */
  readonly #note = async ({ tree }: Place): Promise<void> => {
    const at = await this.#anyOf(tree, () => true);
    if (at === undefined) return;
    const value = Buffer.alloc(this.#random.below(2) === 0 ? 20 : 3000, this.#next++);
    await tree.setxattr(nobody, at.ino, "user.note", value, "any");
  };

  readonly #symlink = async ({ tree }: Place): Promise<void> => {
    const place = { parent: await this.#anyFolder(tree), name: this.#anyName() };
    await tree.symlink(nobody, place, Buffer.from(`target ${this.#next++}`));
  };

  readonly #keep = async ({ tree }: Place): Promise<void> => {
    await tree.past.create();
  };

  /** One file as it was at some moment; what it is now is given up. */
  readonly #restore = async ({ tree }: Place): Promise<void> => {
    const moments = await tree.past.list();
    const moment = moments[this.#random.below(Math.max(1, moments.length))];
    if (moment === undefined) return;
    const then = (await tree.past.open(moment.name)).files;
    const found = (await allIn(then)).filter(({ isFile }) => isFile);
    const file = found[this.#random.below(Math.max(1, found.length))];
    if (file === undefined) return;
    const path = [...await pathTo(then, file.parent) ?? [], file.name];
    const now = await foundAt(tree, path);
    if (now?.isFolder === true) return;
    if (now?.isFile === true) await this.giveUp(tree, now.ino);
    await tree.past.restore(moment.name, path, { exact: false, changed: async () => undefined });
  };

  /** A new file. */
  async fill(tree: Tree, parent: Ino, name: Name): Promise<void> {
    const at = { parent, name };
    const exclusive = { ...flags, exclusive: true };
    const { handle } = await tree.create(nobody, at, { mode: 0o644 }, exclusive);
    await this.putWord(tree, handle);
  }

  /** Contents that tell themselves from all others: short ones, and such of several chunks. */
  async putWord(tree: Tree, handle: Awaited<ReturnType<Tree["open"]>>): Promise<void> {
    const word = `content ${this.#next++}`;
    const copies = this.#random.below(4) === 0 ? 40_000 : 1;
    const bytes = Buffer.from(`${word}\n`.repeat(copies));
    await tree.write(handle, 0, bytes);
    // A crash may take what no program waited for.
    await tree.fsync(handle);
    await tree.release(handle);
    this.written.add(word);
  }

  /** Its bytes, which whoever does this has seen. */
  async giveUp(
    tree: Tree, ino: Ino, { isWrittenOver }: { readonly isWrittenOver: boolean }
    = { isWrittenOver: false },
  ): Promise<void> {
    const { links } = await tree.getattr(ino);
    // The bytes stay under its other names.
    if (links > 1 && !isWrittenOver) return;
    const word = wordIn(await readFile(tree, ino));
    if (word !== undefined) this.given.add(word);
  }

  #anyName(): Name {
    return parseName(`n${this.#random.below(6)}${this.#random.below(2) === 0 ? ".txt" : ""}`);
  }

  async #anyFolder(tree: Tree): Promise<Ino> {
    const folder = await this.#anyOf(tree, ({ isFolder }) => isFolder);
    return folder === undefined || this.#random.below(4) === 0 ? rootIno : folder.ino;
  }

  #anyFile(tree: Tree): Promise<Found | undefined> {
    return this.#anyOf(tree, ({ isFile }) => isFile);
  }

  async #anyOf(tree: Tree, suits: (found: Found) => boolean): Promise<Found | undefined> {
    const found = (await allIn(tree)).filter(suits);
    return found.length === 0 ? undefined : found[this.#random.below(found.length)];
  }
}

export interface Found {
  readonly parent: Ino;
  readonly name: Name;
  readonly ino: Ino;
  readonly isFolder: boolean;
  readonly isFile: boolean;
}

/** All names below a folder. */
export async function allIn(tree: FileSystem, parent: Ino = rootIno): Promise<Found[]> {
  const found: Found[] = [];
  for (const { name, attributes: { ino, mode } } of await listDirectory(tree, parent)) {
    const isFolder = (mode & 0o170000) === 0o040000;
    found.push({ parent, name, ino, isFolder, isFile: (mode & 0o170000) === 0o100000 });
    if (isFolder) found.push(...await allIn(tree, ino));
  }
  return found;
}

async function foundAt(fs: FileSystem, path: readonly Name[]): Promise<Found | undefined> {
  let found: Found | undefined;
  for (const name of path) {
    found = (await allIn(fs)).find((one) => {
      return one.name === name && one.parent === (found?.ino ?? rootIno);
    });
    if (found === undefined) return undefined;
  }
  return found;
}

function wordIn(bytes: Buffer): string | undefined {
  const line = bytes.toString("latin1").split("\n")[0];
  return line === "" ? undefined : line;
}

/** What programs see of a tree, without times. */
export async function pictureOf(tree: Tree): Promise<Record<string, string>> {
  const picture: Record<string, string> = {};
  for (const [path, { attributes, content }] of await walkTree(tree)) {
    const { mode, ino, links } = attributes;
    picture[path] = `${ino} ${mode.toString(8)} ${links} ${content}`;
  }
  return picture;
}

/** The first lines of all files. */
export async function wordsOf(tree: FileSystem): Promise<Set<string>> {
  const words = new Set<string>();
  for (const { ino, isFile } of await allIn(tree)) {
    const word = isFile ? wordIn(await readFile(tree, ino)) : undefined;
    if (word !== undefined) words.add(word);
  }
  return words;
}

/** The names that lead to a folder of this number; undefined when it is gone. */
export async function pathTo(tree: FileSystem, wanted: Ino | undefined): Promise<Name[] | undefined> {
  const folders = (await allIn(tree)).filter(({ isFolder }) => isFolder);
  const names: Name[] = [];
  for (let ino = wanted; ino !== undefined && ino !== rootIno;) {
    const found = folders.find((one) => one.ino === ino);
    if (found === undefined) return undefined;
    names.unshift(found.name);
    ino = found.parent;
  }
  return names;
}

/** The first lines of files below a folder that have one name: all that readers are shown. */
export async function singleWords(tree: Tree, folder: Ino = rootIno): Promise<string[]> {
  const words: string[] = [];
  for (const { ino, isFile } of await allIn(tree, folder)) {
    const { links } = await tree.getattr(ino);
    const word = isFile && links === 1 ? wordIn(await readFile(tree, ino)) : undefined;
    if (word !== undefined) words.push(word);
  }
  return words;
}

/** Those of them that can be read: who was shut out is refused by holders, each time after a wait. */
export async function readableWords(tree: Tree, { refusalsMax }: { readonly refusalsMax: number }) {
  const words = new Set<string>();
  let refusals = 0;
  const orRefused = async <T>(look: () => Promise<T>): Promise<T | undefined> => {
    try {
      return refusals < refusalsMax ? await look() : undefined;
    } catch (error) {
      if (!isFault(error)) throw error;
      refusals++;
      return undefined;
    }
  };
  for (const { ino, isFile } of await orRefused(() => allIn(tree)) ?? []) {
    const bytes = isFile ? await orRefused(() => readFile(tree, ino)) : undefined;
    const word = bytes && wordIn(bytes);
    if (word !== undefined) words.add(word);
  }
  return words;
}
