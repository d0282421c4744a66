/**
 * A ShardHost whose bulk waits for its turn on this machine's line: ranges that peers read here,
 * and shards that they bring. Whoever would have to wait too long is told Busy, which nobody holds
 * against a holder, before he takes this node for gone. Proofs and records are answered at once.
 */
import { HiveError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { ShardHost } from "../base/network.ts";
import type { Line } from "./line.ts";
import type { Traffic } from "./traffic.ts";

export function limitedHost(
  host: ShardHost, traffic: Pick<Traffic, "up" | "down" | "counts">,
): ShardHost {
  const turn = async (line: Line, peer: PeerId, bytes: number): Promise<void> => {
    if (traffic.counts(peer)) await enter(line, peer, bytes);
  };
  return {
    async store(from, request, shard) {
      await turn(traffic.down, from.peer, shard.length);
      return host.store(from, request, shard);
    },
    async read(from, shard, range) {
      await turn(traffic.up, from.peer, range.lengthBytes);
      return host.read(from, shard, range);
    },
    prove: (...call) => host.prove(...call),
    release: (...call) => host.release(...call),
    putRecord: (...call) => host.putRecord(...call),
    records: (...call) => host.records(...call),
    segments: (...call) => host.segments(...call),
    space: () => host.space(),
  };
}

async function enter(line: Line, peer: PeerId, bytes: number): Promise<void> {
  const urgency = "background";
  if (bytes <= limits.peers.controlBytesMax) return line.spend({ bytes, urgency });
  if (!line.gauge.isOpen) throw new HiveError("Busy", "traffic.host", peer);
  const waitMsMax = limits.traffic.guestWaitMsMax;
  await line.enter({ bytes, urgency, party: peer }, { waitMsMax, then: "refuse" });
}
