/** A segment that was begun and will never be named: whoever may have a shard of it is told so. */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import { signRelease } from "../../crypt/records/records.ts";
import type { HalfPlaced } from "../books.ts";
import type { Groups } from "../groups/groups.ts";

export interface AbandonNeeds {
  readonly network: PeerNetwork;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly groups: Groups;
  readonly log: Log;
}

/** Whoever is not there keeps it until nobody proves an interest in it any more. */
export async function tellAbandoned(
  { network, keys, clock, groups, log }: AbandonNeeds,
  { state, record: { segment, group } }: Pick<HalfPlaced, "state" | "record">,
): Promise<void> {
  const release = signRelease(keys, { segment, releasedAtMs: clock.now() });
  const holders = new Set(state.holders.filter((holder) => holder !== undefined));
  for (const peer of groups.get(group)?.peers ?? []) holders.add(peer);
  const told = [...holders].map((peer) => network.release(peer, release.bytes));
  const missed = (await Promise.allSettled(told)).filter(({ status }) => status === "rejected");
  log.info("transfer.segment.abandoned", { segment, missed: missed.length });
}
