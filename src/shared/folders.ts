/**
 * The folders of others that this machine's person may read, as directories beside each other: each
 * leads to a tree of its newest state. Whoever has an older state open reads on in that one.
 */
import type { DriveStore } from "../base/blocks.ts";
import { asBuffer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import type { Graft, GraftPoint } from "../base/grafts.ts";
import { type Name, rootIno } from "../base/ids.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { ExpiredShare, SharedRoot, SharedRoots } from "../base/sharing.ts";
import { openBorrowedTree } from "../tree/borrowed.ts";
import { type Reader, asReader } from "./reader.ts";
import { borrowedStore } from "./store.ts";

export interface SharedFoldersNeeds {
  readonly store: DriveStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class SharedFolders implements GraftPoint, SharedRoots {
  readonly #needs: SharedFoldersNeeds;
  readonly #reader: Reader;
  readonly #roots = new Map<Name, Uint8Array>();
  readonly #watchers = new Set<(name: Name) => void>();
  /** What to do about a folder of this drive that somebody could read whose time is over. */
  withdraw: (share: ExpiredShare) => Promise<void> = async () => undefined;

  constructor(needs: SharedFoldersNeeds, reader: Reader) {
    this.#needs = { ...needs, store: borrowedStore(needs.store) };
    this.#reader = reader;
  }

  async shared({ name, root }: SharedRoot): Promise<void> {
    const known = this.#roots.get(name);
    // Its blocks lie elsewhere, or who reads it is another: what is open stays open.
    if (known !== undefined && root !== undefined && asBuffer(known).equals(root)) return;
    if (root === undefined) this.#roots.delete(name);
    else this.#roots.set(name, root);
    for (const changed of this.#watchers) changed(name);
  }

  expired(share: ExpiredShare): Promise<void> {
    return this.withdraw(share);
  }

  names(): readonly Name[] {
    return [...this.#roots.keys()];
  }

  async open(name: Name): Promise<Graft> {
    const root = this.#roots.get(name);
    if (root === undefined) throw new HiveError("NotFound", "shared.open", name);
    const files = asReader(openBorrowedTree(this.#needs, root), this.#reader);
    return { files, root: rootIno, writable: false, [Symbol.asyncDispose]: async () => {} };
  }

  watch(changed: (name: Name) => void): Disposable {
    this.#watchers.add(changed);
    return { [Symbol.dispose]: () => void this.#watchers.delete(changed) };
  }
}
