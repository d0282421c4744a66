/**
 * What other devices made, told by the node on its thread to the tree on the kernel's. The node is
 * there first: until the tree is mounted, it is asked to try again.
 */
import type { RootMerger } from "../base/blocks.ts";
import { HiveError } from "../base/errors.ts";
import type { GraftNotices } from "../base/grafts.ts";
import type { Ino, Name, PeerId } from "../base/ids.ts";
import type { Channel, Handlers } from "./channel.ts";

export class LateMerger implements RootMerger {
  #merger: RootMerger | undefined;

  begin(merger: RootMerger): void {
    this.#merger = merger;
  }

  async merge(root: Uint8Array): Promise<void> {
    if (this.#merger === undefined) throw new HiveError("Busy", "bridge.merge", "starting");
    await this.#merger.merge(root);
  }

  async namesOf(peers: readonly PeerId[]): Promise<readonly (string | null)[]> {
    return await this.#merger?.namesOf(peers) ?? peers.map(() => null);
  }
}

export function serveMerger(merger: RootMerger): Handlers {
  return {
    merge: (root) => merger.merge(root as Uint8Array),
    deviceNames: (peers) => merger.namesOf(peers as readonly PeerId[]),
  };
}

export function remoteMerger(channel: Channel): RootMerger {
  return {
    merge: async (root) => void (await channel.call("merge", root)),
    namesOf: async (peers) =>
      (await channel.call("deviceNames", peers)) as readonly (string | null)[],
  };
}

/** What a merge changed under the kernel's feet. */
interface Stale {
  readonly names: readonly { readonly parent: Ino; readonly name: Name }[];
  readonly inos: readonly Ino[];
}

interface MergingTree {
  merge(root: Uint8Array, tell: (stale: Stale) => Promise<void>): Promise<boolean>;
  deviceNames(peers: readonly PeerId[]): readonly (string | null)[];
}

/** A tree whose changes leave the kernel's caches. */
export function mergerOf(tree: MergingTree, notices: GraftNotices): RootMerger {
  return {
    merge: async (root) => {
      await tree.merge(root, async ({ names, inos }) => {
        await Promise.all(names.map(({ parent, name }) => notices.invalidateEntry(parent, name)));
        await Promise.all(inos.map((ino) => notices.invalidateInode(ino)));
      });
    },
    namesOf: async (peers) => tree.deviceNames(peers),
  };
}
