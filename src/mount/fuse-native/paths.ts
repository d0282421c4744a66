/**
 * A tree by paths, for drivers that know no inodes. Each operation walks from the root, taking back
 * every look-up but the last while it goes, and the last when it is done.
 */
import { HiveError } from "../../base/errors.ts";
import type { FileSystem, Place } from "../../base/filesystem.ts";
import { type Ino, type Name, nameFromText, rootIno } from "../../base/ids.ts";

export class Paths {
  readonly #tree: FileSystem;

  constructor(tree: FileSystem) {
    this.#tree = tree;
  }

  /** Acts on what the path leads to. */
  async at<T>(path: string, act: (ino: Ino) => T | Promise<T>): Promise<T> {
    const ino = await this.#walk(names(path));
    try {
      return await act(ino);
    } finally {
      this.#leave(ino);
    }
  }

  /** Acts on the path's last name in its directory, whether something is there or not. */
  async place<T>(path: string, act: (at: Place) => T | Promise<T>): Promise<T> {
    const parts = names(path);
    const name = parts.pop();
    if (name === undefined) throw new HiveError("Busy", "mount.path", "the root");
    const parent = await this.#walk(parts);
    try {
      return await act({ parent, name });
    } finally {
      this.#leave(parent);
    }
  }

  async #walk(parts: readonly Name[]): Promise<Ino> {
    let at: Ino = rootIno;
    for (const name of parts) {
      const parent = at;
      try {
        at = (await this.#tree.lookup({ parent, name })).ino;
      } finally {
        this.#leave(parent);
      }
    }
    return at;
  }

  #leave(ino: Ino): void {
    if (ino !== rootIno) this.#tree.forget(ino, 1);
  }
}

function names(path: string): Name[] {
  return path.split("/").filter((part) => part !== "").map(nameFromText);
}
