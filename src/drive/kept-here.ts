/** What of a drive stays on this machine: the cache and its limit, and what the user pinned. */
import { HiveError } from "../base/errors.ts";
import { nameFromText } from "../base/ids.ts";
import type { NodeDuties } from "../base/node.ts";
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
  readonly node: Pick<NodeDuties, "status">;
  /** The drive's own steps have something to do. */
  readonly wake: () => void;
}

export function keptHere({ cache, tree, mounted, node, wake }: Parts): KeptHere {
  return {
    async cache({ drop }) {
      if (drop) await refuseDoubted(node);
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

/** What went up since the last head may be in no books any more: it is the last whole copy. */
async function refuseDoubted(node: Pick<NodeDuties, "status">): Promise<void> {
  const { drive } = await node.status();
  const isDoubted = drive?.alerts.some(({ kind }) => kind === "doubted") === true;
  if (!isDoubted) return;
  const why = "the books of what peers have were damaged, and may not tell of all that is here";
  throw new HiveError("Unavailable", "drive.doubt", why);
}
