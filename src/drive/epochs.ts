/**
 * What a mounted drive does once a device was shut out of it: whatever is written from then on is
 * under secrets which that device never had, before a holder hears of it; a walk gives new ones to
 * all that was there, and goes on after a crash until it has come to its end.
 */
import type { NodeDuties } from "../base/node.ts";
import type { Tree } from "../tree/tree.ts";

interface Parts {
  readonly tree: Pick<Tree, "rekey" | "renewAll">;
  readonly node: Pick<NodeDuties, "epoch" | "renewed">;
}

export class Epochs {
  #parts: Parts | undefined;
  readonly #removed = Promise.withResolvers<number>();
  /** The last one that is gone by. */
  #epoch = 0;

  /** When this very device was shut out; as a rule that never settles. */
  get removed(): Promise<number> {
    return this.#removed.promise;
  }

  /** Before anything is written. */
  async begin(parts: Parts): Promise<void> {
    this.#parts = parts;
    await this.changed();
  }

  /** The node says that it is another one; until the tree is there it is looked at later. */
  async changed(): Promise<void> {
    if (this.#parts === undefined) return;
    const { tree, node } = this.#parts;
    const { epoch, treeSecret, isRenewed, removedAtMs } = await node.epoch();
    if (removedAtMs !== null) return this.#removed.resolve(removedAtMs);
    if (treeSecret === null || epoch <= this.#epoch) return;
    this.#epoch = epoch;
    tree.rekey(treeSecret);
    if (isRenewed) return;
    void tree.renewAll().then(() => node.renewed(epoch)).catch(() => undefined);
  }
}
