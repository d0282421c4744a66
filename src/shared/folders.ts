/**
 * The folders of others that this machine's person may read, as directories beside each other: each
 * leads to a tree of its newest state. Whoever has an older state open reads on in that one. One
 * that she may write is a tree that stays, and takes in what its owner has (writable.ts).
 */
import type { Census, DriveStore } from "../base/blocks.ts";
import { sameBytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import { type Graft, type GraftItem, type GraftPoint, directoryType } from "../base/grafts.ts";
import { type Name, type OwnerId, nameToText, rootIno } from "../base/ids.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { ExpiredShare, GuestRight, GuestRoot, KinRoot, SharedRoot, SharedRoots }
  from "../base/sharing.ts";
import type { LackingFile } from "../base/views/drive.ts";
import { openBorrowedTree } from "../tree/borrowed.ts";
import { type Reader, asReader } from "./reader.ts";
import { borrowedStore } from "./store.ts";
import { type GuestStore, WritableFolder, type WritableNeeds } from "./writable.ts";

export interface SharedFoldersNeeds {
  readonly store: DriveStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The store of what is written by this right; Busy before there can be one. */
  readonly openStore: (writer: OwnerId) => Promise<GuestStore>;
  /** Whether anything was ever written here by this right. */
  readonly hasStore: (writer: OwnerId) => boolean;
  readonly run: WritableNeeds["run"];
}

/** Such a folder, and what is being done with it: one thing after another. */
interface Writable {
  readonly right: GuestRight;
  turn: Promise<unknown>;
  folder: WritableFolder | undefined;
}

export class SharedFolders implements GraftPoint, SharedRoots, AsyncDisposable {
  readonly #needs: SharedFoldersNeeds;
  readonly #reader: Reader;
  readonly #roots = new Map<Name, Uint8Array>();
  readonly #writable = new Map<Name, Writable>();
  readonly #watchers = new Set<(name: Name) => void>();
  /** What to do about a folder of this drive that somebody could read whose time is over. */
  withdraw: (share: ExpiredShare) => Promise<void> = async () => undefined;
  /** Has the drive's next root tell these. */
  keepTies: (bytes: Uint8Array) => Promise<void> = async () => {
    throw new HiveError("Busy", "shared.tied", "starting");
  };
  /** Takes in what somebody wrote in a folder of this drive. */
  takeIn: SharedRoots["written"] = async () => {
    throw new HiveError("Busy", "shared.written", "starting");
  };

  constructor(needs: SharedFoldersNeeds, reader: Reader) {
    this.#needs = needs;
    this.#reader = reader;
  }

  async shared({ name, root, right }: SharedRoot): Promise<void> {
    const isWritten = right !== undefined && (!right.isHeld || this.#needs.hasStore(right.writer));
    if (root !== undefined && isWritten) return this.#write(name, { root, right });
    const known = this.#roots.get(name);
    // Its blocks lie elsewhere, or who reads it is another: what is open stays open.
    if (known !== undefined && root !== undefined && sameBytes(known, root)) return;
    if (root === undefined) this.#roots.delete(name);
    else this.#roots.set(name, root);
    this.#changed(name);
    await this.#close(name);
  }

  written(news: GuestRoot): Promise<boolean> {
    return this.takeIn(news);
  }

  async kin({ name, writer, root }: KinRoot): Promise<void> {
    const writable = this.#writable.get(name);
    if (writable === undefined || writable.right.writer !== writer) {
      throw new HiveError("Busy", "shared.kin", "it is not open");
    }
    await inTurn(writable, async () => {
      if (writable.folder === undefined) throw new HiveError("Busy", "shared.kin", "opening");
      await writable.folder.mergeKin(root);
    });
  }

  tied(bytes: Uint8Array): Promise<void> {
    return this.keepTies(bytes);
  }

  expired(share: ExpiredShare): Promise<void> {
    return this.withdraw(share);
  }

  items(): readonly GraftItem[] {
    const open = [...this.#writable].filter(([, { folder }]) => folder !== undefined);
    const names = [...this.#roots.keys(), ...open.map(([name]) => name)];
    return names.map((name) => ({ name, type: directoryType }));
  }

  async open(name: Name): Promise<Graft> {
    const { folder } = this.#writable.get(name) ?? {};
    if (folder !== undefined) return folder.graft();
    const root = this.#roots.get(name);
    if (root === undefined) throw new HiveError("NotFound", "shared.open", name);
    const needs = { ...this.#needs, store: borrowedStore(this.#needs.store) };
    const files = asReader(openBorrowedTree(needs, root), this.#reader);
    return { files, root: rootIno, writable: false, [Symbol.asyncDispose]: async () => {} };
  }

  watch(changed: (name: Name) => void): Disposable {
    this.#watchers.add(changed);
    return { [Symbol.dispose]: () => void this.#watchers.delete(changed) };
  }

  /** What the folder refers to that is written by this right; undefined while it is not open. */
  async census(writer: OwnerId, blocks: number): Promise<Census | undefined> {
    const found = [...this.#writable.values()].find(({ right }) => right.writer === writer);
    return found?.folder?.census(blocks);
  }

  /**
   * All that was written in such folders is in the roots of their stores, but what waits for peers:
   * its fault is the answer.
   */
  async commitMost(): Promise<HiveError | undefined> {
    const folders = [...this.#writable.values()].map(({ folder }) => folder?.commitMost());
    return (await Promise.all(folders)).find((failure) => failure !== undefined);
  }

  /** By their paths in the directory of all such folders. */
  lackingFiles(): readonly LackingFile[] {
    return [...this.#writable].flatMap(([name, { folder }]) => {
      const files = folder?.lackingFiles() ?? [];
      return files.map((file) => ({ ...file, path: `/${nameToText(name)}${file.path}` }));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#writable.keys()].map((name) => this.#close(name)));
  }

  async #write(
    name: Name, { root, right }: { readonly root: Uint8Array; readonly right: GuestRight },
  ): Promise<void> {
    const known = this.#writable.get(name);
    const isSame = known?.right.writer === right.writer && known.right.isHeld === right.isHeld;
    if (known !== undefined && !isSame) await this.#close(name);
    const writable = this.#writable.get(name)
      ?? { right, turn: Promise.resolve(), folder: undefined };
    this.#writable.set(name, writable);
    await inTurn(writable, () => this.#take(name, { writable, root }));
  }

  async #take(
    name: Name, { writable, root }: { readonly writable: Writable; readonly root: Uint8Array },
  ): Promise<void> {
    if (writable.folder !== undefined) return writable.folder.merge(root);
    const { right } = writable;
    const kept = await this.#needs.openStore(right.writer);
    const needs = { ...this.#needs, kept };
    writable.folder = await WritableFolder.open(needs, { right, root, reader: this.#reader });
    this.#roots.delete(name);
    this.#changed(name);
    await writable.folder.merge(root);
  }

  async #close(name: Name): Promise<void> {
    const writable = this.#writable.get(name);
    if (writable === undefined) return;
    this.#writable.delete(name);
    this.#changed(name);
    await writable.turn;
    await writable.folder?.[Symbol.asyncDispose]();
  }

  #changed(name: Name): void {
    for (const changed of this.#watchers) changed(name);
  }
}

/** After what was begun before, whatever became of that. */
async function inTurn(writable: Pick<Writable, "turn">, work: () => Promise<void>): Promise<void> {
  const done = writable.turn.then(work);
  writable.turn = done.catch(() => undefined);
  await done;
}
