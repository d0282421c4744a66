/**
 * The cache's port for uploads, stretched between the kernel's thread, where the cache lives, and
 * the network's, where transfer drains it; neither knows that a channel lies between them.
 */
import type { BlockFetcher, BlockPlace, DriveStore } from "../base/blocks.ts";
import type { RoundOptions, UploadRound, UploadSource } from "../base/blocks.ts";
import { HiveError } from "../base/errors.ts";
import type { Cid } from "../base/ids.ts";
import type { Channel, Handlers } from "./channel.ts";
import type { Government } from "./government.ts";

/** A source that also tells where its blocks lie. */
export interface LocalSource extends UploadSource {
  place(cid: Cid): Promise<BlockPlace | undefined>;
}

/** What the network's thread may ask of the kernel's. */
export function serveSource(
  source: LocalSource & DriveStore, government: Pick<Government, "round">,
): Handlers {
  return {
    "source.beginRound": (asked) => {
      const options = asked as RoundOptions | undefined;
      return government.round(() => source.beginRound(options), options);
    },
    "source.place": (cid) => source.place(cid as Cid),
    "source.read": (cid) => source.read(cid as Cid),
    "source.placed": (cids) => source.placed(cids as readonly Cid[]),
    "source.endRound": (root) => source.endRound(root as Uint8Array),
    "source.lost": (cids) => source.lost(cids as readonly Cid[]),
    "blocks.has": (cid) => source.has(cid as Cid),
    "blocks.get": (cid, signal) => source.get(cid as Cid, { signal }),
  };
}

export function remoteSource(channel: Channel): LocalSource {
  return {
    beginRound: async (options) =>
      (await channel.call("source.beginRound", options)) as UploadRound | undefined,
    place: async (cid) => (await channel.call("source.place", cid)) as BlockPlace | undefined,
    read: async (cid) => (await channel.call("source.read", cid)) as Uint8Array,
    placed: async (cids) => void (await channel.call("source.placed", cids)),
    endRound: async (root) => void (await channel.call("source.endRound", root)),
    lost: async (cids) => (await channel.call("source.lost", cids)) as readonly Cid[],
  };
}

/** The drive's blocks as the IPFS side of the node sees them. */
export interface RemoteBlocks extends BlockFetcher {
  has(cid: Cid): Promise<boolean>;
  /** Only what is on this machine already. */
  get(cid: Cid, signal: AbortSignal | undefined): Promise<Uint8Array | undefined>;
  put(cid: Cid, bytes: Uint8Array): Promise<void>;
}

export function remoteBlocks(channel: Channel): RemoteBlocks {
  const has = async (cid: Cid): Promise<boolean> =>
    (await channel.call("blocks.has", cid)) as boolean;
  const fetch = async (cid: Cid, signal?: AbortSignal): Promise<Uint8Array> =>
    (await channel.call("blocks.get", cid, signal)) as Uint8Array;
  return {
    has,
    fetch: (cid, { signal }) => fetch(cid, signal),
    get: async (cid, signal) => ((await has(cid)) ? fetch(cid, signal) : undefined),
    // The cache fetches by itself what it has not got, and keeps it: there is nothing to add.
    put: async () => {},
  };
}

/** What a node uploads that has no cache: nothing. */
export const emptySource: UploadSource = {
  beginRound: async () => undefined,
  read: async (cid) => {
    throw new HiveError("NotFound", "source.read", cid);
  },
  placed: async () => {},
  endRound: async () => {},
  lost: async () => [],
};
