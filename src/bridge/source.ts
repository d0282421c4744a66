/**
 * The cache's port for uploads, stretched between the kernel's thread, where the cache lives, and
 * the network's, where transfer drains it; neither knows that a channel lies between them.
 */
import type { UploadRound, UploadSource } from "../base/blocks.ts";
import type { Cid } from "../base/ids.ts";
import type { Channel, Handlers } from "./channel.ts";

/** What the network's thread may ask of the kernel's. */
export function serveSource(source: UploadSource): Handlers {
  return {
    "source.beginRound": () => source.beginRound(),
    "source.read": (cid) => source.read(cid as Cid),
    "source.placed": (cids) => source.placed(cids as readonly Cid[]),
    "source.endRound": (root) => source.endRound(root as Uint8Array),
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
