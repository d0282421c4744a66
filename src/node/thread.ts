/** A node on a thread of its own, beside a drive; a NetworkThread starts it as a worker. */
import type { OwnerId } from "../base/ids.ts";
import { lineLog, toStandardError } from "../base/log.ts";
import { Channel } from "../bridge/channel.ts";
import { remoteGuest } from "../bridge/guest-source.ts";
import { remoteMerger } from "../bridge/merge.ts";
import { serveNode } from "../bridge/node.ts";
import { remoteSharedRoots } from "../bridge/sharing.ts";
import { remoteBlocks, remoteSource } from "../bridge/source.ts";
import { threadSeed } from "../bridge/thread.ts";
import { remoteTree } from "../bridge/tree.ts";
import { readAside } from "../cache/cache.ts";
import type { NodeConfig } from "./config.ts";
import { openNode } from "./node.ts";

const seed = threadSeed<NodeConfig>();
if (seed !== undefined) {
  const log = lineLog({ level: "info", write: toStandardError });
  const main = new Channel(seed.asked, {});
  const source = readAside(remoteSource(main));
  const asked = { tree: remoteTree(main), merger: remoteMerger(main) };
  const roots = remoteSharedRoots(main);
  const onEpoch = async (): Promise<void> => void (await main.call("epoch"));
  const recount = async (): Promise<void> => void (await main.call("recount"));
  const guest = (writer: OwnerId) => {
    const { source, census } = remoteGuest(main, writer);
    return { source: readAside(source), census };
  };
  const drive = { source, blocks: remoteBlocks(main), roots, onEpoch, recount, guest };
  // Questions asked meanwhile wait in the port.
  const node = await openNode({ log, ...drive, ...asked }, seed.config);
  new Channel(seed.asking, serveNode(node));
}
