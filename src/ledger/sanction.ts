/**
 * What follows when a stranger's drive takes up more than its peers are good for. Slow, and undone
 * when the balance is back: it is told, nothing new is taken, and after a week of that one shard at
 * a time goes, chosen by chance, where the segment can bear it. Friends owe nothing. Pure.
 */
import { createHash } from "node:crypto";
import type { OwnerId, SegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

/** How one drive stands here. Bytes of shards. */
export interface Account {
  readonly isWelcome: boolean;
  /** What is asked for what it has here, ... */
  readonly dueBytes: number;
  /** ... and how much of that its peers are good for, the newcomer's trial among it. */
  readonly coveredBytes: number;
}

/** Since when a drive owes, when one of its peers was first told so, and when a shard last went. */
export interface Arrears {
  readonly owner: OwnerId;
  readonly sinceMs: number;
  readonly toldAtMs: number | undefined;
  readonly releasedAtMs: number | undefined;
}

const steps = ["even", "tell", "refuse", "release"] as const;
export type SanctionStep = (typeof steps)[number];

export interface Sanction {
  readonly step: SanctionStep;
  readonly why: string;
}

/** Undefined while the drive owes nothing: whatever there was is forgotten. */
export function arrearsOf(
  owner: OwnerId, account: Account, before: Arrears | undefined, nowMs: number,
): Arrears | undefined {
  if (!owes(account)) return undefined;
  const begun = { owner, sinceMs: nowMs, toldAtMs: undefined, releasedAtMs: undefined };
  return before ?? begun;
}

export function sanctionFor(
  account: Account, arrears: Arrears | undefined, nowMs: number,
): Sanction {
  if (account.isWelcome) return { step: "even", why: "a friend, or of this machine" };
  const isEven = arrears === undefined || !owes(account);
  if (isEven) return { step: "even", why: "it has what it is good for" };
  if (arrears.toldAtMs === undefined) {
    return { step: "tell", why: "it owes, and is told so when it asks next" };
  }
  const { tellMs, releaseEveryMs } = limits.ledger;
  const toldMs = nowMs - arrears.toldAtMs;
  const restMs = nowMs - (arrears.releasedAtMs ?? -Infinity);
  if (toldMs < tellMs) return { step: "refuse", why: "it owes: nothing new is taken" };
  if (restMs < releaseEveryMs) return { step: "refuse", why: "it owes: a shard went just now" };
  return { step: "release", why: "it has owed for a week since it was told: a shard may go" };
}

/**
 * Whether this shard may go now. `living` of the others were proven this minute; unknown is not
 * enough. Only one member of a segment has its turn, in the middle of an hour that it shares with
 * no other: so two holders who count at once never both take the last one that can be spared.
 */
export function mayGo(
  { segment, index, k, n }: {
    readonly segment: SegmentId; readonly index: number; readonly k: number; readonly n: number;
  },
  { living, nowMs }: { readonly living: number | undefined; readonly nowMs: number },
): boolean {
  return isTurn({ segment, index, n }, nowMs) &&
    living !== undefined && living >= k + limits.ledger.spareShards;
}

export function isTurn(
  { segment, index, n }: {
    readonly segment: SegmentId; readonly index: number; readonly n: number;
  },
  nowMs: number,
): boolean {
  const { releaseEveryMs } = limits.ledger;
  const hour = Math.floor(nowMs / releaseEveryMs);
  const within = nowMs / releaseEveryMs - hour;
  const drawn = createHash("sha256").update(`hive/release/1/${segment}/${hour}`).digest();
  // Clocks differ by minutes: the edges of the hour belong to nobody.
  return drawn.readUInt32LE(0) % n === index && within >= 0.25 && within < 0.75;
}

function owes({ isWelcome, dueBytes, coveredBytes }: Account): boolean {
  // A KiB is what comes of rounding.
  return !isWelcome && dueBytes > coveredBytes + 1024;
}
