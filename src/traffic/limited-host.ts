/**
 * A ShardHost whose bulk waits for its turn on this machine's line: ranges that peers read here,
 * and shards that they bring. Whoever would have to wait too long is told Busy, which nobody holds
 * against a holder, before he takes this node for gone. Proofs and records are answered at once.
 */
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { ShardHost } from "../base/network.ts";
import type { EnterOptions, Line } from "./line.ts";
import type { Traffic } from "./traffic.ts";

export function limitedHost(
  host: ShardHost,
  { traffic, clock }: {
    readonly traffic: Pick<Traffic, "up" | "down" | "counts">; readonly clock: Clock;
  },
): ShardHost {
  const arrivals = new Arrivals(clock);
  return {
    async store(from, request, shard) {
      const { peer } = from;
      const isLimited = !traffic.down.isFree && traffic.counts(peer);
      if (isLimited) await arrivals.enter(traffic.down, peer, shard.length);
      return host.store(from, request, shard);
    },
    async read(from, shard, range) {
      const asked = { peer: from.peer, bytes: range.lengthBytes };
      const isLimited = !traffic.up.isFree && traffic.counts(asked.peer);
      if (isLimited) await enter(traffic.up, asked, readWait);
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

/** He has others to ask. */
const readWait: EnterOptions = { waitMsMax: limits.traffic.guestReadMsMax, then: "refuse" };

interface Guest {
  /** His shards, in the order in which they came; aborting one refuses it. */
  readonly waiting: Set<AbortController>;
  timer: Disposable | undefined;
}

/** Shards that are in memory already, and wait until their bytes are paid for. */
class Arrivals {
  readonly #clock: Clock;
  readonly #guests = new Map<PeerId, Guest>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async enter(line: Line, peer: PeerId, bytes: number): Promise<void> {
    const isCrowded = this.#bytes + bytes > limits.traffic.guestStoreBytesMax;
    if (isCrowded && this.#bytes > 0) throw busy(peer);
    const guest = this.#guests.get(peer) ?? { waiting: new Set(), timer: undefined };
    const own = new AbortController();
    this.#guests.set(peer, guest);
    guest.waiting.add(own);
    this.#bytes += bytes;
    if (guest.timer === undefined) this.#watch(peer, guest);
    try {
      await enter(line, { peer, bytes }, { signal: own.signal });
    } finally {
      this.#bytes -= bytes;
      guest.waiting.delete(own);
      this.#watch(peer, guest);
    }
  }

  /** Something was answered. If nothing is for long, the last to come is: that is news of all. */
  #watch(peer: PeerId, guest: Guest): void {
    guest.timer?.[Symbol.dispose]();
    if (guest.waiting.size === 0) return void this.#guests.delete(peer);
    guest.timer = this.#clock.after(limits.traffic.guestStoreMs, () => {
      [...guest.waiting].at(-1)?.abort(busy(peer));
    });
  }
}

async function enter(
  line: Line, { peer, bytes }: { readonly peer: PeerId; readonly bytes: number },
  options: EnterOptions,
): Promise<void> {
  const urgency = "background";
  if (bytes <= limits.peers.controlBytesMax) return line.spend({ bytes, urgency });
  if (!line.gauge.isOpen) throw busy(peer);
  await line.enter({ bytes, urgency, party: peer }, options);
}

function busy(peer: PeerId): HiveError {
  return new HiveError("Busy", "traffic.host", peer);
}
