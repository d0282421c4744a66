/**
 * Who uses a folder of a mounted drive at random, as people and their programs do, and keeps account
 * of what nobody may lose: every content that was written and synced, and those which somebody who
 * saw them gave up. The same folder may be used through the mounts of several machines.
 */
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, readdirSync,
  renameSync, rmdirSync, statSync, unlinkSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Random, seededRandom } from "../../src/base/random.ts";

interface Found {
  readonly path: string;
  readonly isFolder: boolean;
}

export class MountUser {
  readonly written = new Set<string>();
  readonly given = new Set<string>();
  readonly #random: Random;
  readonly #seed: string;
  #next = 0;

  constructor(seed: string) {
    this.#seed = seed;
    this.#random = seededRandom(`mount user ${seed}`);
  }

  /** One act; what fails as it may in any folder has not happened. Answers what it was. */
  act(root: string): string {
    const acts = [
      this.#make, this.#make, this.#write, this.#write, this.#save, this.#folder, this.#move,
      this.#move, this.#remove, this.#mode,
    ];
    const act = acts[this.#random.below(acts.length)] as (root: string) => string;
    try {
      return act(root);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined || !usual.includes(code)) throw error;
      return `nothing: ${code}`;
    }
  }

  /** A new file of a content that is nowhere else. */
  make(path: string): void {
    this.#put(path, "wx");
  }

  readonly #make = (root: string): string => {
    const path = join(this.#anyFolder(root), this.#anyName());
    this.#put(path, "wx");
    return `make ${path}`;
  };

  readonly #write = (root: string): string => {
    const path = this.#anyFile(root);
    if (path === undefined) return "nothing";
    this.#giveUp(path);
    this.#put(path, "w");
    return `write ${path}`;
  };

  /** As editors save. */
  readonly #save = (root: string): string => {
    const path = this.#anyFile(root);
    if (path === undefined) return "nothing";
    const temporary = join(dirname(path), `.saving ${this.#next++}`);
    this.#put(temporary, "wx");
    this.#giveUp(path);
    renameSync(temporary, path);
    return `save ${path}`;
  };

  readonly #folder = (root: string): string => {
    const path = join(this.#anyFolder(root), this.#anyName());
    mkdirSync(path);
    return `mkdir ${path}`;
  };

  readonly #move = (root: string): string => {
    const from = this.#any(root, () => true);
    if (from === undefined) return "nothing";
    const to = join(this.#anyFolder(root), this.#anyName());
    if (existsSync(to)) return "nothing";
    renameSync(from, to);
    return `move ${from} to ${to}`;
  };

  readonly #remove = (root: string): string => {
    const path = this.#any(root, () => true);
    if (path === undefined) return "nothing";
    if (statSync(path).isDirectory()) {
      rmdirSync(path);
    } else {
      this.#giveUp(path);
      unlinkSync(path);
    }
    return `remove ${path}`;
  };

  readonly #mode = (root: string): string => {
    const path = this.#anyFile(root);
    if (path === undefined) return "nothing";
    chmodSync(path, 0o600 + this.#random.below(64));
    return `chmod ${path}`;
  };

  #put(path: string, flags: "w" | "wx"): void {
    const word = `${this.#seed} content ${this.#next++}`;
    const copies = this.#random.below(4) === 0 ? 20_000 : 1;
    const file = openSync(path, flags);
    try {
      writeSync(file, `${word}\n`.repeat(copies));
      // A crash may take what no program waited for.
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    this.written.add(word);
  }

  #giveUp(path: string): void {
    const word = wordOf(path);
    if (word !== undefined) this.given.add(word);
  }

  #anyName(): string {
    return `n${this.#random.below(6)}${this.#random.below(2) === 0 ? ".txt" : ""}`;
  }

  #anyFolder(root: string): string {
    const folder = this.#any(root, ({ isFolder }) => isFolder);
    return folder === undefined || this.#random.below(4) === 0 ? root : folder;
  }

  #anyFile(root: string): string | undefined {
    return this.#any(root, ({ isFolder }) => !isFolder);
  }

  #any(root: string, suits: (found: Found) => boolean): string | undefined {
    const found = allBelow(root).filter(suits);
    return found.length === 0 ? undefined : found[this.#random.below(found.length)]?.path;
  }
}

/** What a program may meet in any drive. */
const usual = ["EEXIST", "ENOTEMPTY", "EINVAL", "ENOENT", "EISDIR", "ENOTDIR"];

function allBelow(root: string): Found[] {
  return readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    const path = join(root, entry.name);
    const isFolder = entry.isDirectory();
    return [{ path, isFolder }, ...(isFolder ? allBelow(path) : [])];
  });
}

function wordOf(path: string): string | undefined {
  const line = readFileSync(path, "latin1").split("\n")[0];
  return line === "" ? undefined : line;
}

/** The first lines of all files below. */
export function wordsBelow(root: string): Set<string> {
  const files = allBelow(root).filter(({ isFolder }) => !isFolder);
  return new Set(files.flatMap(({ path }) => wordOf(path) ?? []));
}

/** Paths below, with what can be seen of each but times; a reader does not see owners' modes. */
export function pictureBelow(root: string): string {
  const lines = allBelow(root).map(({ path, isFolder }) => {
    const { mode, nlink } = statSync(path);
    const content = isFolder ? "" : readFileSync(path, "latin1").length;
    const seen = isFolder ? "folder" : `${nlink} ${content} ${wordOf(path)}`;
    return `${path.slice(root.length)} ${mode.toString(8)} ${seen}`;
  });
  return lines.sort().join("\n");
}
