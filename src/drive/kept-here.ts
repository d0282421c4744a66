/** What of a drive stays on this machine: the cache and its limit, and what the user pinned. */
import { nameFromText } from "../base/ids.ts";
import type { CacheReport, PinRow, PinStatus } from "../base/views/drive.ts";
import type { Cache } from "../cache/cache.ts";
import type { Mounted } from "../mount/mount.ts";
import type { Tree } from "../tree/tree.ts";

export interface KeptHere {
  cache(options: { readonly drop: boolean }): Promise<CacheReport>;
  setCacheLimit(bytes: number): Promise<void>;
  /** Keeps a file or folder here from now on, or leaves it out again. */
  pin(path: readonly string[], isKept: boolean): Promise<void>;
  pins(): readonly PinRow[];
  /** Until all that is pinned is here, or something keeps it from coming; null without pins. */
  pinsSettled(told: (status: PinStatus) => void): Promise<PinStatus | null>;
}

interface Parts {
  readonly cache: Cache;
  readonly tree: Tree;
  readonly mounted: Mounted;
  /** The drive's own steps have something to do. */
  readonly wake: () => void;
}

export function keptHere({ cache, tree, mounted, wake }: Parts): KeptHere {
  return {
    async cache({ drop }) {
      const droppedBytes = drop ? await cache.dropClean() : 0;
      // What the kernel keeps of the files goes too: the next read comes from the peers.
      if (drop) await Promise.all(tree.knownInos().map((ino) => mounted.invalidateInode(ino)));
      const { limitBytes, usedBytes, dirtyBytes } = cache.usage();
      const { pinnedBytes } = cache.pins.room();
      return { limitBytes, usedBytes, dirtyBytes, pinnedBytes, droppedBytes };
    },
    async setCacheLimit(bytes) {
      await cache.setLimit(bytes);
      tree.pins?.again();
      wake();
    },
    async pin(path, isKept) {
      await tree.pins?.set(path.map(nameFromText), isKept);
      wake();
    },
    pins: () => tree.pins?.rows() ?? [],
    pinsSettled: async (heard) => await tree.pins?.settled(heard) ?? null,
  };
}
