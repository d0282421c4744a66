/**
 * What other devices made, told by the node on its thread to the tree on the kernel's, and what
 * this one made, the other way. The node is there first: until the tree is mounted, it is asked to
 * try again.
 */
import type { RootMerger } from "../base/blocks.ts";
import type { BlockLender, Loan, OwnNews } from "../base/devices.ts";
import { HiveError } from "../base/errors.ts";
import type { GraftNotices } from "../base/grafts.ts";
import type { Ino, Name, PeerId } from "../base/ids.ts";
import type { Channel, Handlers } from "./channel.ts";

export class LateMerger implements RootMerger {
  #merger: RootMerger | undefined;
  #isHeard = false;

  begin(merger: RootMerger): void {
    this.#merger = merger;
    if (this.#isHeard) void merger.listened(true);
  }

  async merge(root: Uint8Array, from?: PeerId): Promise<void> {
    if (this.#merger === undefined) throw new HiveError("Busy", "bridge.merge", "starting");
    await this.#merger.merge(root, from);
  }

  async news(): Promise<OwnNews | undefined> {
    return await this.#merger?.news();
  }

  async listened(isHeard: boolean): Promise<void> {
    this.#isHeard = isHeard;
    await this.#merger?.listened(isHeard);
  }

  async namesOf(peers: readonly PeerId[]): Promise<readonly (string | null)[]> {
    return await this.#merger?.namesOf(peers) ?? peers.map(() => null);
  }
}

interface Told {
  readonly root: Uint8Array;
  readonly from: PeerId | undefined;
}

export function serveMerger(merger: RootMerger): Handlers {
  return {
    merge: (asked) => {
      const { root, from } = asked as Told;
      return merger.merge(root, from);
    },
    news: () => merger.news(),
    listened: (isHeard) => merger.listened(isHeard as boolean),
    deviceNames: (peers) => merger.namesOf(peers as readonly PeerId[]),
  };
}

export function remoteMerger(channel: Channel): RootMerger {
  return {
    merge: async (root, from) => void (await channel.call("merge", { root, from })),
    news: async () => (await channel.call("news")) as OwnNews | undefined,
    listened: async (isHeard) => void (await channel.call("listened", isHeard)),
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
  merge(root: Uint8Array, tell: (stale: Stale) => Promise<void>, loan?: Loan): Promise<boolean>;
  namesOf(peers: readonly PeerId[]): readonly (string | null)[];
  news(): OwnNews | undefined;
  listen(isHeard: boolean): void;
}

/** A tree whose changes leave the kernel's caches, and which may take over what is told to it. */
export function mergerOf(
  tree: MergingTree, notices: GraftNotices, lender: BlockLender,
): RootMerger {
  return {
    merge: async (root, from) => {
      const loan = from === undefined ? undefined : { lender, from };
      await tree.merge(root, async ({ names, inos }) => {
        await Promise.all(names.map(({ parent, name }) => notices.invalidateEntry(parent, name)));
        await Promise.all(inos.map((ino) => notices.invalidateInode(ino)));
      }, loan);
    },
    news: async () => tree.news(),
    listened: async (isHeard) => tree.listen(isHeard),
    namesOf: async (peers) => tree.namesOf(peers),
  };
}
