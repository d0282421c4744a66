/**
 * A PeerNetwork whose bulk waits for its turn on this machine's line: shards on their way out, and
 * ranges that are asked for. All else passes as it is, so that no question, proof or record ever
 * stands behind a shard; a small range is paid for, and does not wait either.
 */
import type { ByteRange } from "../base/filesystem.ts";
import type { PeerId, ShardId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { PeerNetwork, ReadOptions } from "../base/network.ts";
import { wrappedNetwork } from "../base/wrapped-network.ts";
import type { EnterOptions } from "./line.ts";
import type { Traffic } from "./traffic.ts";

/** Of what this node does by itself, all is of one party. */
const party = "self";

export function limitedNetwork(
  network: PeerNetwork, traffic: Pick<Traffic, "up" | "down" | "counts" | "went" | "held">,
): PeerNetwork {
  return wrappedNetwork(network, {
    store: (...call) => store(network, traffic, call),
    read: (to, shard, range, options = {}) => {
      const asked = { to, shard, range, options };
      const isBulk = range.lengthBytes > limits.peers.controlBytesMax;
      if (isBulk && options.urgency !== "background" && traffic.counts(to)) traffic.went("read");
      // Small reads come by the thousand: where nothing is limited nobody looks who is asked.
      const isLimited = !traffic.down.isFree && traffic.counts(to);
      return isLimited ? read(network, traffic, asked) : passOn(network, asked);
    },
  });
}

async function store(
  network: PeerNetwork, traffic: Pick<Traffic, "up" | "counts" | "went">,
  call: Parameters<PeerNetwork["store"]>,
): ReturnType<PeerNetwork["store"]> {
  const [to, { record, manifest, policy }, shard, { signal } = {}] = call;
  const isCounted = traffic.counts(to);
  if (isCounted) traffic.went("sent");
  if (!traffic.up.isFree && isCounted) {
    const told = record.bytes.length + manifest.bytes.length + (policy?.length ?? 0);
    const wanted = { bytes: shard.length + told, urgency: "background", party } as const;
    await traffic.up.enter(wanted, { signal });
    traffic.went("sent");
  }
  return network.store(...call);
}

interface Asked {
  readonly to: PeerId;
  readonly shard: ShardId;
  readonly range: ByteRange;
  readonly options: ReadOptions;
}

async function read(
  network: PeerNetwork, traffic: Pick<Traffic, "down" | "held">, asked: Asked,
): Promise<Uint8Array> {
  const { down } = traffic;
  const { urgency = "owner", signal } = asked.options;
  const bytes = asked.range.lengthBytes;
  if (bytes <= limits.peers.controlBytesMax) down.spend({ bytes, urgency });
  else {
    const turn = down.enter({ bytes, urgency, party }, waitOf(urgency, signal));
    if (turn !== undefined) await (urgency === "owner" ? traffic.held(turn) : turn);
  }
  return passOn(network, asked);
}

function passOn(
  network: PeerNetwork, { to, shard, range, options }: Asked,
): Promise<Uint8Array> {
  return network.read(to, shard, range, options);
}

/** A program waits for a bounded time; what nobody waits for may take as long as it takes. */
function waitOf(
  urgency: NonNullable<ReadOptions["urgency"]>, signal: AbortSignal | undefined,
): EnterOptions {
  if (urgency !== "owner") return { signal };
  return { signal, waitMsMax: limits.traffic.ownerWaitMsMax, then: "go" };
}
