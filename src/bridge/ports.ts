/**
 * The ports of base, stretched between the kernel's thread and the network's thread. The cache
 * lives on the first, transfer on the second; neither knows that a channel lies between them.
 */
import type {
  BlockFetcher,
  DriveStore,
  UploadRound,
  UploadSource,
} from "../base/blocks.ts";
import type { Cid } from "../base/ids.ts";
import type { Channel, Handlers } from "./channel.ts";

/** What the network's thread may ask of the kernel's. */
export function serveStore(store: UploadSource & DriveStore): Handlers {
  return {
    "source.beginRound": () => store.beginRound(),
    "source.read": (cid) => store.read(cid as Cid),
    "source.placed": (cids) => store.placed(cids as readonly Cid[]),
    "source.endRound": (root) => store.endRound(root as Uint8Array),
    "blocks.get": (cid, signal) => store.get(cid as Cid, { signal }),
    "blocks.has": (cid) => store.has(cid as Cid),
  };
}

export function remoteSource(channel: Channel): UploadSource {
  return {
    beginRound: async () =>
      (await channel.call("source.beginRound")) as UploadRound | undefined,
    read: async (cid) => (await channel.call("source.read", cid)) as Uint8Array,
    placed: async (cids) => void (await channel.call("source.placed", cids)),
    endRound: async (root) => void (await channel.call("source.endRound", root)),
  };
}

/** What the kernel's thread may ask of the network's. */
export function serveFetcher(fetcher: BlockFetcher): Handlers {
  return { "blocks.fetch": (cid, signal) => fetcher.fetch(cid as Cid, { signal }) };
}

export function remoteFetcher(channel: Channel): BlockFetcher {
  return {
    fetch: async (cid, { signal }) =>
      (await channel.call("blocks.fetch", cid, signal)) as Uint8Array,
  };
}
