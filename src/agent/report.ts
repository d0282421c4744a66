/** What the agent knows, as the views that people and scripts are given. Pure. */
import type { StoreUsage } from "../base/blocks.ts";
import type { PeerId } from "../base/ids.ts";
import type { KnownPeer } from "../base/network.ts";
import { erasureClasses } from "../base/records.ts";
import type { DriveStatus, NodeStatus, PeerRow, PolicyQueue } from "../base/views.ts";
import type { PolicyStatus, SafetyStatus } from "../base/views.ts";
import { factsKnown, isLying } from "../placement/facts.ts";
import type { LaneStatus } from "../transfer/lanes.ts";
import { wholeDrive } from "../transfer/policies.ts";
import type { TooFew, Waiting } from "../transfer/waiting.ts";
import type { AgentStatus } from "./agent.ts";
import type { PeerConduct } from "./conduct.ts";

/** `holders` are the peers that keep shards of the drive. */
export function safetyOf(
  status: AgentStatus,
  { holders, known, problem, notHere }: {
    readonly holders: Iterable<PeerId>; readonly known: readonly KnownPeer[];
  } & Pick<PolicyStatus, "problem" | "notHere">,
): SafetyStatus | undefined {
  const { drive } = status;
  if (drive === undefined) return undefined;
  const { total, healthy, degraded, lost } = drive.segments;
  const proven = drive.lastProvenAtMs;
  return {
    class: drive.class ?? null,
    segments: { total, healthy, degraded, lost },
    survives: drive.survives ?? null,
    away: awayOf([...holders], known),
    // Zero says that some segment was never proven yet.
    lastProvenAt: proven === undefined || proven === 0 ? null : new Date(proven).toISOString(),
    households: drive.households,
    householdsNeeded: erasureClasses[0]?.n ?? 0,
    pendingBlocks: drive.pendingBlocks,
    waitingFor: waitingText(drive.waiting),
    queues: drive.lanes.map(queueOf),
    policy: { problem, moving: drive.moving, stuck: status.stuck, notHere },
  };
}

function queueOf({ name, pendingBlocks, pendingBytes, waiting }: LaneStatus): PolicyQueue {
  const policy = name === undefined ? "?" : name === wholeDrive ? null : name;
  const waitingFor = waiting === undefined ? null : waitingText(waiting);
  return { policy, blocks: pendingBlocks, bytes: pendingBytes, waitingFor };
}

function waitingText(waiting: Waiting): string | null {
  switch (waiting.for) {
    case "nothing":
      return null;
    case "peers":
      return `peers of enough households${clausesText(waiting)}`;
    case "policy":
    case "traffic":
      return waiting.why;
    case "members":
      return `holders: ${waiting.why}`;
    case "disk":
      return `this disk: ${waiting.spoiltBlocks} blocks are spoilt; hive fsck tells whose`;
  }
}

/** Which clause of the policy left how many, where it is the policy that leaves too few. */
function clausesText({ clauses, needed }: TooFew): string {
  const first = clauses[0]?.left ?? 0;
  const told = clauses.filter(({ left }, at) => left < (clauses[at - 1]?.left ?? first));
  if (first < needed || told.length === 0) return "";
  const counts = told.map(({ clause, left }) => `${left} after ${clause}`);
  return `: ${first} are online, ${counts.join(", ")}; ${needed} are needed`;
}

function awayOf(holders: readonly PeerId[], known: readonly KnownPeer[]): SafetyStatus["away"] {
  const online = new Set(known.filter((peer) => peer.online).map(({ offer }) => offer.peer));
  const away = holders.filter((peer) => !online.has(peer));
  return { holders: away.length, of: holders.length };
}

export function peerRowsOf(
  known: readonly KnownPeer[], conducts: readonly PeerConduct[],
): readonly PeerRow[] {
  const byPeer = new Map(conducts.map((conduct) => [conduct.peer, conduct]));
  const factsOf = factsKnown(known);
  return known.map((one) => {
    const { offer, online, roundTripMs } = one;
    const { location, household, asn } = factsOf(offer);
    return {
      peer: offer.peer,
      online,
      roundTripMs: roundTripMs ?? null,
      household: household ?? "",
      country: location?.country ?? null,
      evidence: location?.evidence ?? null,
      claimedCountry: offer.country ?? null,
      isLying: isLying(one),
      asn: asn ?? null,
      freeBytes: offer.freeBytes,
      state: stateOf(byPeer.get(offer.peer)),
    };
  });
}

function stateOf(conduct: PeerConduct | undefined): string {
  if (conduct === undefined) return "new";
  const { right, wrong, late, offline } = conduct.score;
  const counts = `${right} right, ${wrong} wrong, ${late} late, ${offline} offline`;
  const refusing = conduct.isRefusing ? "; gives nothing back" : "";
  const tardy = conduct.isTardy ? "; proves nothing in time" : "";
  return `${conduct.liveness}: ${counts}${refusing}${tardy}`;
}

type LocalPart = "pid" | "mount" | "driver" | "requests" | "trouble" | "resealing" | "pins";

/** What `hive status` tells, from the node's view and the local store's. */
export function driveStatusOf(
  node: NodeStatus,
  local: Pick<DriveStatus, LocalPart> & { readonly usage: StoreUsage },
): DriveStatus {
  const { usage, ...told } = local;
  const { households, householdsNeeded, pendingBlocks, ...safety } = node.drive ?? unkept;
  return {
    ...told,
    traffic: node.traffic,
    state: stateOfDrive(safety, usage.dirtyBytes > 0 || pendingBlocks > 0),
    ...safety,
    owed: node.owed,
    dirtyBytes: usage.dirtyBytes,
    cacheBytes: usage.usedBytes,
    cacheLimitBytes: usage.limitBytes,
    peers: { ...node.peers, households, householdsNeeded },
  };
}

const unkept: SafetyStatus = {
  class: null,
  segments: { total: 0, healthy: 0, degraded: 0, lost: 0 },
  survives: null,
  away: { holders: 0, of: 0 },
  lastProvenAt: null,
  households: 0,
  householdsNeeded: 0,
  pendingBlocks: 0,
  waitingFor: null,
  queues: [],
  policy: { problem: null, moving: [], stuck: 0, notHere: [] },
};

function stateOfDrive(
  safety: Pick<SafetyStatus, "class" | "segments">, moving: boolean,
): DriveStatus["state"] {
  if (safety.class === null) return "local";
  if (moving) return "uploading";
  return safety.segments.degraded + safety.segments.lost === 0 ? "safe" : "degraded";
}
