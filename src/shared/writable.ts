/**
 * A folder of somebody else's that this machine's person may write: a tree of its own over a store
 * of its own, which begins as what the owner has. What is written is durable here at once, whether
 * anybody is reached or not, and goes to peers from here; what the owner has since is merged in.
 */
import type { Census, DriveStore } from "../base/blocks.ts";
import type { Graft, GraftNotices } from "../base/grafts.ts";
import { HiveError } from "../base/errors.ts";
import { rootIno } from "../base/ids.ts";
import type { GuestRight } from "../base/sharing.ts";
import type { Step } from "../base/step.ts";
import type { LackingFile } from "../base/views/drive.ts";
import { openGuestTree } from "../tree/guest-tree.ts";
import type { Stale } from "../tree/merge/apply.ts";
import type { TreeNeeds } from "../tree/state/state.ts";
import type { Tree } from "../tree/tree.ts";
import { type Reader, asReader } from "./reader.ts";

/** Where one folder's blocks, journal and root are kept. */
export interface GuestStore {
  readonly store: DriveStore & { readonly step: Step };
  close(): Promise<void>;
}

export interface WritableNeeds extends Omit<TreeNeeds, "store"> {
  readonly kept: GuestStore;
  /** Runs these in turn, until it is disposed of. */
  readonly run: (steps: readonly Step[]) => AsyncDisposable;
}

export class WritableFolder implements AsyncDisposable {
  readonly #tree: Tree;
  readonly #reader: Reader;
  readonly #isHeld: boolean;
  readonly #owned: AsyncDisposableStack;
  readonly #notices = new Set<GraftNotices>();

  private constructor(
    tree: Tree, { reader, isHeld }: { readonly reader: Reader; readonly isHeld: boolean },
    owned: AsyncDisposableStack,
  ) {
    this.#tree = tree;
    this.#reader = reader;
    this.#isHeld = isHeld;
    this.#owned = owned;
  }

  static async open(
    needs: WritableNeeds,
    { right, root, reader }: {
      readonly right: GuestRight; readonly root: Uint8Array; readonly reader: Reader;
    },
  ): Promise<WritableFolder> {
    await using owned = new AsyncDisposableStack();
    const { store } = needs.kept;
    owned.defer(() => needs.kept.close());
    const { treeSecret, number, deviceName: name, isHeld } = right;
    const tree = await openGuestTree({ ...needs, store }, {
      treeSecret, root, readOnly: isHeld, device: { number, name },
    });
    owned.defer(() => tree.close());
    const { committer, bringer, collector, resealer } = tree;
    owned.use(needs.run([committer, bringer, collector, resealer, store.step]));
    return new WritableFolder(tree, { reader, isHeld }, owned.move());
  }

  /** Takes in what the owner has now, and tells the kernel what changed. */
  async merge(root: Uint8Array): Promise<void> {
    // What another device made by the same right is marked as this one's own.
    if (!this.#isHeld) await this.#tree.guests.mergeOwner(root, this.#tell);
  }

  /** The same of another device of this user. */
  async mergeKin(root: Uint8Array): Promise<void> {
    if (this.#isHeld) throw new HiveError("ReadOnly", "shared.kin", "read only here");
    await this.#tree.guests.mergeKin(root, this.#tell);
  }

  readonly #tell = async ({ names, inos }: Stale): Promise<void> => {
    await Promise.all([...this.#notices].flatMap((notices) => [
      ...names.map(({ parent, name }) => notices.invalidateEntry(parent, name)),
      ...inos.map((ino) => notices.invalidateInode(ino)),
    ]));
  };

  /** As the tree's own. */
  async commitMost(): Promise<HiveError | undefined> {
    return this.#isHeld ? undefined : await this.#tree.commitMost();
  }

  lackingFiles(): readonly LackingFile[] {
    return this.#tree.lackingFiles();
  }

  census(blocks: number): Promise<Census | undefined> {
    return this.#tree.census(blocks);
  }

  graft(): Graft {
    const heard = new Set<GraftNotices>();
    return {
      files: asReader(this.#tree, this.#reader), root: rootIno, writable: !this.#isHeld,
      tell: (notices) => {
        heard.add(notices);
        this.#notices.add(notices);
      },
      [Symbol.asyncDispose]: async () => {
        for (const notices of heard) this.#notices.delete(notices);
      },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}
